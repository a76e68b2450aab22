"""The rendering with gradients shows areas, and agrees with the one that made the data set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.polygons import draw_polygons, place, render
from gan_jax.metrics.polygon_render import brightness

OFFSET = 7 / 16  # pixel i covers i - 7/16 .. i + 9/16


def covered(corners):
    """The dark area of a polygon given in pixels from the image's corner."""
    return 1 - np.asarray(jax.jit(brightness)(np.array(corners, np.float64) - OFFSET))


def test_a_rectangle_covers_what_its_sides_say():
    # Rows 2.25 to 4.5 and columns 3 to 5.1, from the corner with the least row and the most column downwards.
    image = covered([(2.25, 3), (4.5, 3), (4.5, 5.1), (2.25, 5.1)])
    rows, columns = np.zeros(28), np.zeros(28)
    rows[2:5], columns[3:6] = (0.75, 1, 0.5), (1, 1, 0.1)
    np.testing.assert_allclose(image, np.outer(rows, columns), atol=1e-5)


def test_a_slanted_side_covers_half_of_the_pixels_on_the_diagonal():
    image = covered([(4, 4), (10, 4), (10, 10)])
    assert image.sum() == pytest.approx(18, abs=1e-3)
    np.testing.assert_allclose(np.diagonal(image)[4:10], 0.5, atol=1e-5)
    np.testing.assert_allclose(image[9, 4:9], 1, atol=1e-5)


def test_what_leaves_the_image_is_cut_off():
    assert covered([(-5, -5), (33, -5), (33, 40), (-5, 40)]).min() == pytest.approx(1, abs=1e-4)
    assert covered([(30, 30), (35, 30), (35, 35)]).max() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("vertices", [3, 5])
def test_the_data_set_s_rendering_counts_nearly_the_same(vertices):
    images, corners = draw_polygons(200, vertices)
    difference = np.asarray(jax.jit(brightness)(corners)) - images / 64
    assert np.square(difference).sum(axis=(1, 2)).mean() < 0.015
    assert np.abs(difference).max() < 0.1
    assert abs(difference.mean()) < 2e-5


def test_gradients_are_those_of_finite_differences():
    draws, step = np.random.RandomState(0).uniform(0.1, 0.9, (16, 4)), 1e-3
    weights = np.random.RandomState(1).standard_normal((28, 28)).astype(np.float32)
    value = jax.jit(lambda u: (brightness(place(u, jnp)) * weights).sum(axis=(1, 2)))
    with jax.default_matmul_precision("highest"):
        gradient = np.asarray(jax.jit(jax.grad(lambda u: value(u).sum()))(draws.astype(np.float32)))
        moved = [[value((draws + sign * step * unit).astype(np.float32)) for sign in (1, -1)] for unit in np.eye(4)]
    slopes = np.stack([np.subtract(*pair) / (2 * step) for pair in moved], axis=-1)
    np.testing.assert_allclose(gradient, slopes, atol=0.03 * np.abs(slopes).max())


def test_a_level_side_ends_a_polygon():
    image = render(np.array([[(4.0, 4), (10, 4), (10, 10), (4, 10)]]))[0]
    assert (image[6:10, 6:10] == 0).all()
    assert (image[:4] == 64).all()
    assert (image[12:] == 64).all()
