"""CLIP's image side against huggingface/transformers, and its file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics.extractors import clip
from gan_jax.metrics.weights_file import WeightsFile
from tests.reference import assert_array, cases
from tests.transformers import FILE, images, published, small, write

TEXTS = {
    "logit_scale": (),
    "text_projection.weight": (24, 16),
    "text_model.embeddings.token_embedding.weight": (49, 16),
    "vision_model.embeddings.position_ids": (1, 5),
}


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """Opens a case's weights, or other tensors of its network, as the published file is opened."""

    def of(case, found=None):
        monkeypatch.setattr(clip, "NETWORK", small(clip.NETWORK, case))
        monkeypatch.setattr(clip, "SIDE", cases(FILE)[case]["config"]["side"])
        monkeypatch.setattr(clip, "FILE", WeightsFile(("small.safetensors",), "somewhere"))
        write(tmp_path / "small.safetensors", published(case) if found is None else found)
        return clip.open_clip(tmp_path)

    return of


@pytest.mark.parametrize("case", ["clip_tiny", "clip_medium"])
def test_embeddings_are_those_of_the_published_network(opened, case):
    extractor = opened(case)
    embedding = jax.jit(extractor.apply)(extractor.variables, images(case))["embedding"]
    assert_array(embedding, FILE, case, "embedding")
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-6)
    assert (extractor.name, extractor.features, extractor.logits) == ("clip", "embedding", None)


@pytest.mark.parametrize(("shape", "rows", "columns"), [((4, 9), (0, 4), (2, 6)), ((7, 4), (1, 5), (0, 4))])
def test_the_centre_is_taken(shape, rows, columns):
    x = jnp.arange(np.prod(shape)).reshape(1, *shape, 1)
    np.testing.assert_array_equal(clip.central_square(x), x[:, slice(*rows), slice(*columns)])


def test_the_network_for_texts_is_left_out(opened):
    found = published("clip_tiny") | {name: np.zeros(shape, np.float32) for name, shape in TEXTS.items()}
    extractor, plain = opened("clip_tiny", found), opened("clip_tiny")
    assert jax.tree.structure(extractor.variables) == jax.tree.structure(plain.variables)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual_projection.weight": None}, r"lacks visual_projection\.weight: 1 of 40 tensors"),
        ({"vision_model.head.weight": (24, 32)}, r"holds vision_model\.head\.weight, which this network does not have"),
        (
            {"vision_model.embeddings.position_embedding.weight": (10, 32)},
            r"position_embedding\.weight of shape \(10, 32\), expected \(5, 32\)",
        ),
    ],
)
def test_another_network_is_one_sentence(opened, change, message):
    found = published("clip_tiny") | {name: shape and np.zeros(shape, np.float32) for name, shape in change.items()}
    with pytest.raises(UserError, match=message):
        opened("clip_tiny", {name: tensor for name, tensor in found.items() if tensor is not None})


def test_an_absent_file_is_named_with_its_source_and_place(tmp_path):
    with pytest.raises(ConfigError) as error:
        clip.open_clip(tmp_path)
    assert str(tmp_path / "clip-vit-large-patch14-336.bin") in str(error.value)
    assert "https://huggingface.co/openai/clip-vit-large-patch14-336" in str(error.value)
    assert "evaluate.weights" in str(error.value)


def test_either_format_is_found_under_its_own_name(tmp_path):
    path = tmp_path / "clip-vit-large-patch14-336.safetensors"
    write(path, {"vision_model.embeddings.class_embedding": np.zeros(1024, np.float32)})
    with pytest.raises(UserError, match=r"clip-vit-large-patch14-336\.safetensors lacks"):
        clip.open_clip(tmp_path)
