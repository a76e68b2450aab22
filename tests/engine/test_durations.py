"""Durations, and numbers that change over training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from gan_jax.engine.durations import at, images_in
from gan_jax.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("1000 steps", 64_000),
        ("1 step", 64),
        ("25 Mimg", 25_000_000),
        ("0.5 kimg", 500),
        ("7 images", 7),
        ("2 epochs", 200),
    ],
)
def test_durations_count_images(text, images):
    assert images_in(text, images_per_step=64, images_per_epoch=100) == images


@pytest.mark.parametrize("text", ["1000", "ten steps", "5 minutes", "-3 steps", ""])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ConfigError, match="is no duration"):
        images_in(text, 64)


def test_epochs_need_a_data_set():
    with pytest.raises(ConfigError, match="epochs"):
        images_in("3 epochs", 64)


def test_numbers_and_durations_stay_as_they_are():
    assert (at(0.5, jnp.uint32(9), 64), at(3, jnp.uint32(9), 64)) == (0.5, 3)
    assert at("2 steps", jnp.uint32(9), 64) == 128


def test_a_number_that_changes_goes_along_half_a_cosine_then_stays():
    """The published formula, end + (start - end) (1 + cos(pi images / until)) / 2, whichever is the larger."""
    for start, end in ((0.9, 0.99), (150.0, 15.0)):
        number = ConfigDict({"start": start, "end": end, "until": "20 steps"})
        value = jax.jit(lambda images, number=number: at(number, images, 50))
        for images in (0, 100, 333, 999, 1000):
            expected = end + (start - end) * (1 + np.cos(np.pi * images / 1000)) / 2
            np.testing.assert_allclose(value(jnp.uint32(images)), expected, rtol=1e-6)
        np.testing.assert_allclose(value(jnp.uint32(10**9)), end, rtol=1e-6)


def test_a_number_may_change_along_a_line():
    number = ConfigDict({"start": 0.5, "end": 0.7, "until": "20 steps", "shape": "linear"})
    found = [float(at(number, jnp.uint32(images), 50)) for images in (0, 250, 1000, 9999)]
    np.testing.assert_allclose(found, [0.5, 0.55, 0.7, 0.7], rtol=1e-6)
    with pytest.raises(ConfigError, match="shape of a number that changes is 'wave': expected \"cosine\" or"):
        at(ConfigDict({**number, "shape": "wave"}), jnp.uint32(0), 50)


def test_other_fields_are_refused():
    with pytest.raises(ConfigError, match=r"\['final', 'start'\]: expected start, end, until"):
        at(ConfigDict({"start": 1.0, "final": 0.0}), jnp.uint32(0), 64)
