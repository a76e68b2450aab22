"""LPIPS diversity, with a distance whose mean is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.metrics.diversity import diversity


@jax.jit
def first_pixel(a, b):
    return jnp.abs(a - b)[:, 0, 0, 0]


def pair(*values):
    """A batch of pairs of images, of 0 and of these."""
    images = np.broadcast_to(np.array(values, np.uint8)[:, None, None, None], (len(values), 2, 2, 3))
    return np.zeros_like(images), images


def test_it_is_the_mean_over_all_pairs_of_the_distance_of_floats():
    """Steps of 51 levels are 0.4 of the range from -1 to 1."""
    scores = diversity([pair(0, 51, 102), pair(255)], first_pixel)
    values = np.array([0, 0.4, 0.8, 2])
    assert scores["lpips_diversity"] == pytest.approx(values.mean(), abs=1e-6)
    assert scores["lpips_diversity_error"] == pytest.approx(values.std(ddof=1) / 2, abs=1e-6)


def test_a_generator_of_one_image_has_none():
    same = np.full((4, 2, 2, 3), 7, np.uint8)
    assert diversity([(same, same)], first_pixel) == {"lpips_diversity": 0.0, "lpips_diversity_error": 0.0}


def test_the_error_falls_with_the_root_of_the_number_of_pairs():
    values = np.random.RandomState(0).randint(0, 256, 4000)
    few, many = diversity([pair(*values[:40])], first_pixel), diversity([pair(*values)], first_pixel)
    ratio = few["lpips_diversity_error"] / many["lpips_diversity_error"]
    assert ratio == pytest.approx(10, rel=0.25)


@pytest.mark.parametrize("pairs", [[], [pair(3)]])
def test_too_few_pairs_are_one_sentence(pairs):
    with pytest.raises(UserError, match=r"of [01] pairs of images: expected at least 2"):
        diversity(pairs, first_pixel)
