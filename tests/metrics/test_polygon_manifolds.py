"""What counts as a polygon, and where the search for the nearest one starts."""

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.polygons import draw_polygons, render
from gan_jax.metrics.polygon_manifolds import family, free

DRAWS = np.random.RandomState(0).random_sample((2, 8, 4))


def allowed(*corners):
    return (free(len(corners)).shortage(np.array([corners], float), np) <= 0).all()


def test_free_polygons_have_an_area_of_a_pixel():
    assert allowed((5, 5), (6.1, 5), (5, 7))
    assert not allowed((5, 5), (5.9, 5), (5, 7))
    assert free(3).shortage(np.array([[(5, 5), (5.9, 5), (5, 7.0)]]), np)[0, 0] == pytest.approx(0.1)


def test_free_polygons_are_convex_and_go_round_one_way():
    assert not allowed((5, 5), (5, 9), (9, 5))
    assert allowed((5, 5), (9, 5), (9, 9), (5, 9))
    assert not allowed((5, 5), (9, 5), (6, 6), (5, 9))


def test_the_family_is_the_data_set_s():
    _, corners = draw_polygons(16, seed=4)
    random = np.random.RandomState(4)
    parameters = random.random_sample((16, 4))[random.permutation(16)]
    np.testing.assert_allclose(family(3).corners(parameters, np), corners, atol=1e-12)
    assert family(3).shortage(corners, np).shape == (16, 0)


def test_numpy_and_jax_place_the_same_corners():
    for manifold, width in ((family(3), 4), (free(3), 6), (free(4), 8)):
        parameters = np.random.RandomState(1).random_sample((5, width))
        np.testing.assert_allclose(
            manifold.corners(jnp.asarray(parameters), jnp), manifold.corners(parameters, np), atol=1e-4
        )


def test_one_start_is_nearly_the_triangle_that_is_seen():
    corners = np.array([[(4, 3), (11, 6), (7, 12.0)], [(3, 20), (24, 17), (14, 26.0)]])
    starts = free(3).starts(render(corners) / 64, DRAWS)
    assert starts.shape[0] == 2
    assert starts.dtype == np.float32
    assert ((starts >= 0) & (starts <= 1)).all()
    found = free(3).corners(starts.reshape(-1, 6), np).reshape(2, -1, 3, 2)
    orders = [np.abs(found - np.roll(corners, shift, axis=1)[:, None]).max(axis=(2, 3)) for shift in range(3)]
    assert (np.min(orders, axis=(0, 2)) < 0.08 * np.ptp(corners, axis=1).max(axis=1)).all()


def test_the_family_s_members_are_among_the_starts_of_free():
    images = np.ones((2, 28, 28))
    starts = free(3).corners(free(3).starts(images, DRAWS)[1], np)
    members = family(3).corners(DRAWS[1], np)
    np.testing.assert_allclose(starts[:8], members, atol=1e-5)
    np.testing.assert_array_equal(family(3).starts(images, DRAWS), DRAWS.astype(np.float32))
