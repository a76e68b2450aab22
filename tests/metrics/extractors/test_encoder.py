"""The encoders that come with the project know real images from bad ones, and files of encoders are checked."""

import dataclasses
import hashlib
import json

import jax
import numpy as np
import pytest
from etils import epath

from gan_jax.data.digits import digits
from gan_jax.data.polygons import draw_polygons, to_grey
from gan_jax.encoder import vertex_angles
from gan_jax.errors import ConfigError, UserError
from gan_jax.layers.pixels import to_uint8
from gan_jax.metrics import resize
from gan_jax.metrics.classifier import NETWORKS, Settings
from gan_jax.metrics.extractors.encoder import (
    BUILT_IN,
    Description,
    as_extractor,
    built_in,
    open_encoder,
    read,
    save,
    stored,
)
from gan_jax.metrics.frechet import frechet_of_rows

REAL = digits(16)
HELD_OUT = np.random.RandomState(0).permutation(len(REAL))[:360]
RANDOM = np.random.RandomState(0)
NOISE = RANDOM.randint(0, 256, REAL.images.shape).astype(np.uint8)


class Eye:
    """An encoder, compiled."""

    def __init__(self, name):
        self.extractor = open_encoder(name)
        self._apply = jax.jit(self.extractor.apply)

    def outputs(self, images):
        return {name: np.asarray(rows) for name, rows in self._apply(self.extractor.variables, images).items()}

    def recognised(self, images, labels):
        return (self.outputs(images)["logits"].argmax(axis=-1) == labels).mean()

    def distance(self, images, others):
        return frechet_of_rows(self.outputs(others)["features"], self.outputs(images)["features"])


@pytest.fixture(scope="module")
def eye():
    return Eye("digits")


@pytest.mark.parametrize("name", ["digits", "polygons"])
def test_the_files_that_come_with_the_project_are_whole_and_small(name):
    content = (BUILT_IN / name / "encoder.safetensors").read_bytes()
    about = json.loads((BUILT_IN / name / "encoder.json").read_text())
    assert name in built_in()
    assert hashlib.sha256(content).hexdigest() == about["sha256"] == open_encoder(name).sha256
    assert len(content) < 400_000


def test_held_out_digits_are_recognised_as_the_description_says(eye):
    share = eye.recognised(REAL.images[HELD_OUT], REAL.labels[HELD_OUT])
    description, _ = read(BUILT_IN / "digits")
    assert share >= 0.985
    assert share == pytest.approx(description.scores["accuracy"], abs=0.003)  # one digit
    assert (description.trained, description.held_out) == (1437, 360)


def test_digits_are_recognised_as_bytes_as_floats_in_colour_and_at_other_sizes(eye):
    labels = REAL.labels
    share = eye.recognised(REAL.images, labels)
    assert share > 0.985
    assert eye.recognised(to_uint8(REAL.images / 127.5 - 1), labels) == share
    in_colour = np.repeat(REAL.images, 3, axis=-1)
    np.testing.assert_allclose(
        eye.outputs(in_colour)["features"], eye.outputs(REAL.images)["features"], rtol=1e-4, atol=1e-4
    )
    assert eye.recognised(digits(32).images, labels) > 0.98
    assert eye.recognised(digits(8).images, labels) > 0.98


def test_images_of_another_size_are_resized_by_the_rule_that_is_named(eye):
    large = digits(24).images[:4]
    assert eye.extractor.resize == "clean"
    small = np.asarray(resize.clean(large, (16, 16)))
    network = NETWORKS["convnet"](10)
    _, expected = network.apply(eye.extractor.variables, small / 127.5 - 1)
    np.testing.assert_allclose(eye.outputs(large)["logits"], expected, rtol=1e-4, atol=1e-4)


def test_features_are_those_before_the_last_relu(eye):
    outputs = eye.outputs(REAL.images[:100])
    assert outputs["features"].shape == (100, 64)
    assert outputs["features"].min() < 0
    last = eye.extractor.variables["params"]["outputs"]
    expected = np.maximum(outputs["features"], 0) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)


def test_noise_and_wrong_labels_score_as_chance(eye):
    assert eye.recognised(NOISE, REAL.labels) < 0.2
    assert eye.recognised(REAL.images, RANDOM.permutation(REAL.labels)) < 0.2


def test_the_distance_ranks_real_digits_below_corrupt_and_missing_variety(eye):
    order = RANDOM.permutation(len(REAL))
    half, other = REAL.images[order[:898]], REAL.images[order[898:1796]]
    small = eye.distance(half, REAL.images)
    assert 0 < small < eye.distance(half, other)
    assert eye.distance(((half.astype(int) + other) // 2).astype(np.uint8), REAL.images) > 10 * small
    assert eye.distance(REAL.images[REAL.labels == 3], REAL.images) > 100 * small
    assert eye.distance(NOISE[:898], REAL.images) > 100 * small


def test_the_encoder_of_polygons_knows_their_angles_and_ranks_corrupt_ones():
    eye = Eye("polygons")
    images, corners = draw_polygons(1000, seed=1)
    images = to_grey(images)
    outputs = eye.outputs(images)
    assert eye.extractor.logits is None
    angles = np.degrees(outputs["answers"]) + 180
    error = np.sqrt(np.mean((angles - vertex_angles(corners)) ** 2))
    description, _ = read(BUILT_IN / "polygons")
    assert error == pytest.approx(description.scores["error"], rel=0.15)
    assert error < 5  # the angles themselves have a standard deviation of 32 degrees
    small = eye.distance(images[:500], images[500:])
    noisy = np.clip(images[:500] + RANDOM.normal(0, 25, images[:500].shape), 0, 255).astype(np.uint8)
    for corrupt in (noisy, np.roll(images[:500], 3, axis=1), images[:500, ::-1], 255 - images[:500]):
        assert eye.distance(corrupt, images[500:]) > 3 * small
    squares = to_grey(draw_polygons(500, vertices=4)[0])
    assert eye.distance(squares, images[500:]) > 3 * small


@pytest.fixture
def folder(tmp_path):
    """An encoder of colour images, untrained."""
    variables = NETWORKS["perceptron"](3).init(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))
    names, settings = ("cat", "dog", "cow"), dataclasses.asdict(Settings())
    shape = (8, 8, 3)
    description = Description(
        "pets", "perceptron", "classes", names, shape, "folder:pets", "9 examples", 7, 2, settings, {"accuracy": 1.0}
    )
    out = epath.Path(tmp_path / "pets")
    return out, save(out, description, variables), stored(variables)


def test_what_is_saved_comes_back(folder):
    out, description, variables = folder
    found, back = read(out)
    assert found == description
    jax.tree.map(np.testing.assert_array_equal, back, variables)
    extractor = open_encoder(out)
    assert (extractor.name, extractor.sha256, extractor.logits) == ("pets", description.sha256, "logits")
    images = RANDOM.randint(0, 256, (2, 8, 8, 1)).astype(np.uint8)
    outputs = extractor.apply(extractor.variables, images)
    again = as_extractor(description, variables).apply(variables, np.repeat(images, 3, axis=-1))
    np.testing.assert_array_equal(outputs["logits"], again["logits"])


def test_folders_without_an_encoder_and_changed_files_are_refused(folder):
    out, description, _ = folder
    with pytest.raises(ConfigError, match="'nothing' is missing: expected digits, polygons or a folder"):
        open_encoder("nothing")
    content = bytearray((out / "encoder.safetensors").read_bytes())
    content[-1] ^= 1
    (out / "encoder.safetensors").write_bytes(bytes(content))
    with pytest.raises(UserError, match=f"has SHA-256 .* beside it says {description.sha256[:16]}"):
        open_encoder(out)
    about = json.loads((out / "encoder.json").read_text())
    for change, message in (({"format": 2}, "has format 2"), ({"network": "lenet"}, "names the network 'lenet'")):
        (out / "encoder.json").write_text(json.dumps(about | change))
        with pytest.raises(UserError, match=message):
            open_encoder(out)
