"""VGG16 as torch-fidelity's extractor: how images come in, what comes behind the convolutions, its file.

The convolutions themselves are those of LPIPS, see test_lpips.
"""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics import resize
from gan_jax.metrics.extractors import vgg16
from tests.metrics.extractors import recipes
from tests.weights import torch_writer

HIDDEN, CLASSES = 24, 5


@pytest.fixture(scope="module")
def drawn():
    return recipes.vgg16_tensors(0, HIDDEN, CLASSES)


@pytest.fixture(autouse=True, scope="module")
def narrow():
    """Fully connected layers of a size that a test can write, and files whatever their hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg16, "_HIDDEN", HIDDEN)
        patch.setattr(vgg16, "_CLASSES", CLASSES)
        patch.setattr(vgg16, "FILE", dataclasses.replace(vgg16.FILE, sha256=""))
        yield


def write(folder: Path, tensors) -> None:
    (folder / vgg16.FILE.names[0]).write_bytes(torch_writer.zipped(torch_writer.state_dict(tensors)))


@pytest.fixture(scope="module")
def extractor(drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write(folder, drawn)
    return vgg16.open_vgg16(folder)


def test_features_are_those_behind_the_relu_of_the_second_layer(extractor, drawn):
    """In torchvision's order: a pool to 7 x 7, channels first when flattened, two layers with ReLUs."""
    images = recipes.images(1, "noise", 2, 20, 30)
    found = np.asarray(jax.jit(extractor.apply)(extractor.variables, images)[extractor.features])
    x = np.asarray(resize.tf1(images, (224, 224)), np.float64) / 255
    x = (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    last = np.asarray(jax.jit(vgg16.taps)(extractor.variables["features"], x.astype(np.float32))[-1], np.float64)
    assert last.shape == (2, 14, 14, 512)
    x = last.reshape(2, 7, 2, 7, 2, 512).max((2, 4)).transpose(0, 3, 1, 2).reshape(2, -1)
    for layer in ("classifier.0", "classifier.3"):
        x = np.maximum(x @ drawn[f"{layer}.weight"].T.astype(np.float64) + drawn[f"{layer}.bias"], 0)
    assert 0 < (x == 0).mean() < 1
    np.testing.assert_allclose(found, x, rtol=0, atol=1e-5 * x.max())
    assert (found.dtype, found.shape) == (np.float32, (2, HIDDEN))


def test_one_channel_counts_as_three(extractor):
    apply = jax.jit(lambda images: extractor.apply(extractor.variables, images)["fc2"])
    grey = recipes.images(1, "blocks", 1, 8, 8)[..., :1]
    np.testing.assert_allclose(apply(grey), apply(np.repeat(grey, 3, axis=-1)), rtol=1e-5, atol=1e-6)


def test_an_opened_network_says_what_it_is(extractor):
    assert (extractor.name, extractor.resize, extractor.logits) == ("vgg16", "tf1", None)
    assert len(extractor.sha256) == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features.5.bias": None}, "lacks features.5.bias: 1 of 32 tensors"),
        ({"features.1.weight": np.zeros(64, np.float32)}, "holds features.1.weight, which this network does not have"),
        (
            {"features.28.weight": np.zeros((512, 512, 1, 1), np.float32)},
            r"\(512, 512, 1, 1\), expected \(512, 512, 3, 3\)",
        ),
        ({"classifier.3.weight": np.zeros((1, 1), np.float32)}, r"classifier.3.weight of shape \(1, 1\), expected"),
    ],
)
def test_other_tensors_are_a_sentence(drawn, tmp_path, changes, message):
    write(tmp_path, {name: value for name, value in (drawn | changes).items() if value is not None})
    with pytest.raises(UserError, match=message):
        vgg16.open_vgg16(tmp_path)


def test_an_absent_file_is_a_sentence_that_says_where_it_comes_from(tmp_path):
    with pytest.raises(
        ConfigError, match="vgg16-397923af.pth is missing: get it from https://download.pytorch.org/models"
    ):
        vgg16.open_vgg16(tmp_path)
