"""DINOv2 against huggingface/transformers' network under the published names, and its file."""

import functools
import math

import jax
import numpy as np
import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics.extractors import dinov2
from gan_jax.metrics.weights_file import WeightsFile
from tests.reference import assert_array, cases
from tests.transformers import FILE, images, published, small, write


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """Opens a case's weights, or other tensors of its network, as the published file is opened."""

    def of(case, found=None, **how):
        monkeypatch.setattr(dinov2, "NETWORK", small(dinov2.NETWORK, case))
        monkeypatch.setattr(dinov2, "FILE", WeightsFile(("small.safetensors",), "somewhere"))
        write(tmp_path / "small.safetensors", published(case) if found is None else found)
        return dinov2.open_dinov2(tmp_path, **how)

    return of


@pytest.mark.parametrize("case", ["dinov2_tiny", "dinov2_medium"])
def test_features_are_those_of_the_published_network(opened, case):
    extractor = opened(case)
    features = jax.jit(extractor.apply)(extractor.variables, images(case))["class_token"]
    assert_array(features, FILE, case, "class_token")
    assert (extractor.name, extractor.features, extractor.logits) == ("dinov2", "class_token", None)


def test_positions_are_interpolated_with_the_offset():
    positions = dinov2.interpolated(published("dinov2_tiny")["pos_embed"][0], 16)
    assert_array(positions[:, :8], FILE, "dinov2_tiny", "positions")


def test_the_clean_resizer_is_another_extractor(opened):
    usual, clean = opened("dinov2_tiny"), opened("dinov2_tiny", resize="clean")
    assert clean.name == "dinov2-clean"
    assert clean.sha256 == usual.sha256
    seen = [jax.jit(e.apply)(e.variables, images("dinov2_tiny"))["class_token"] for e in (usual, clean)]
    difference = np.abs(seen[0] - seen[1]).max()
    assert 1e-5 < difference < 0.1  # rounding to bytes, no more


def test_grey_images_are_repeated(opened):
    extractor = opened("dinov2_tiny")
    apply = jax.jit(functools.partial(extractor.apply, extractor.variables))
    grey = images("dinov2_tiny")[..., :1]
    np.testing.assert_allclose(apply(grey)["class_token"], apply(np.repeat(grey, 3, axis=-1))["class_token"], atol=1e-6)


def test_the_names_are_the_published_ones():
    """With the token for masked patches, as many numbers as are published."""
    layout = cases(FILE)["dinov2_tiny"]["layout"]
    in_block = sum(math.prod(shape) for name, shape in layout.items() if name.startswith("blocks.0."))
    assert in_block == 12 * 32**2 + 15 * 32
    assert {"mask_token", "blocks.1.ls2.gamma", "blocks.0.attn.qkv.bias"} <= layout.keys()


def test_the_token_for_masked_patches_does_not_matter(opened):
    found = published("dinov2_tiny")
    del found["mask_token"]
    opened("dinov2_tiny", found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks.1.ls2.gamma": None}, r"small.safetensors lacks blocks\.1\.ls2\.gamma: 1 of 34 tensors"),
        ({"register_tokens": (1, 4, 32)}, r"small.safetensors holds register_tokens, which this network does not have"),
        ({"blocks.2.norm1.weight": (32,)}, r"holds blocks\.2\.norm1\.weight, which"),
        ({"pos_embed": (1, 257, 32)}, r"holds pos_embed of shape \(1, 257, 32\), expected \(1, 1370, 32\)"),
        ({"blocks.0.attn.qkv.weight": (32, 32)}, r"attn\.qkv\.weight of shape \(32, 32\), expected \(96, 32\)"),
        ({"cls_token": (32,)}, r"holds cls_token of shape \(32,\), expected \(1, 1, 32\)"),
    ],
)
def test_another_network_is_one_sentence(opened, change, message):
    found = published("dinov2_tiny") | {name: shape and np.zeros(shape, np.float32) for name, shape in change.items()}
    with pytest.raises(UserError, match=message):
        opened("dinov2_tiny", {name: tensor for name, tensor in found.items() if tensor is not None})


def test_an_absent_file_is_named_with_its_source_and_place(tmp_path):
    with pytest.raises(ConfigError) as error:
        dinov2.open_dinov2(tmp_path)
    assert str(tmp_path / "dinov2_vitl14_pretrain.pth") in str(error.value)
    assert "https://dl.fbaipublicfiles.com/dinov2/" in str(error.value)
    assert "evaluate.weights" in str(error.value)


def test_another_file_of_the_name_is_refused(tmp_path):
    (tmp_path / "dinov2_vitl14_pretrain.pth").write_bytes(b"something else")
    with pytest.raises(UserError, match="damaged or another file"):
        dinov2.open_dinov2(tmp_path)


def test_a_damaged_file_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(dinov2, "FILE", WeightsFile(("small.pth",), "somewhere"))
    (tmp_path / "small.pth").write_bytes(b"PK\3\4 something else")
    with pytest.raises(UserError, match=r"small\.pth is damaged"):
        dinov2.open_dinov2(tmp_path)
