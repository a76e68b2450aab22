"""Distances to polygons reach what a long search found, and tell kinds of faults apart."""

import json
import pathlib

import numpy as np
import pytest

from gan_jax.data.polygons import draw_polygons, render, to_grey
from gan_jax.errors import UserError
from gan_jax.metrics import polygon_distance
from gan_jax.metrics.polygon_distance import CHUNK, pixels, squared_distances

DATA = pathlib.Path(__file__).parent.parent / "data"
BOUNDS = json.loads((DATA / "eval_triangle_probes.json").read_text())
FEW = 5


def kinds() -> dict[str, np.ndarray]:
    """Images of several kinds, one chunk in all, so that everything is measured at once."""
    probes = np.load(DATA / "eval_triangle_probes.npz")
    images, corners = draw_polygons(CHUNK - len(BOUNDS) - 3 * FEW, seed=8)
    noise = np.random.RandomState(0).normal(0, 0.05, (FEW, 28, 28))
    return {
        **{name: probes[name][None] for name in BOUNDS},
        "real": pixels(to_grey(images)),
        "moved": render(np.add(corners[:FEW], (2.3, -1.6))) / 64,
        "smaller": render((corners[:FEW] - 14) / 2 + 14) / 64,
        "noisy": images[:FEW] / 64 + noise,
    }


@pytest.fixture(scope="module")
def measured():
    """The distances of each kind by each manifold."""
    images = kinds()
    ends = np.cumsum([len(group) for group in images.values()])[:-1]
    together = np.concatenate(list(images.values()))
    assert len(together) == CHUNK
    split = {name: np.split(squared_distances(together, name), ends) for name in ("family", "free")}
    return {name: dict(zip(images, parts, strict=True)) for name, parts in split.items()}


@pytest.mark.parametrize("manifold", ["family", "free"])
@pytest.mark.parametrize("probe", BOUNDS)
def test_the_distance_is_no_more_than_a_long_search_found(measured, manifold, probe):
    bound = BOUNDS[probe][manifold]
    assert measured[manifold][probe][0] <= max(1.05 * bound, bound + 0.02)


@pytest.mark.parametrize("manifold", ["family", "free"])
def test_real_images_are_at_no_distance(measured, manifold):
    assert measured[manifold]["real"].max() < 0.02


def test_only_free_polygons_may_be_elsewhere_or_of_another_size(measured):
    assert measured["family"]["moved"].min() > 5
    assert measured["family"]["smaller"].min() > 5
    assert measured["free"]["moved"].max() < 0.02
    assert measured["free"]["smaller"].max() < 0.02


def test_the_distance_is_not_below_the_least_that_there_is(measured):
    assert measured["family"]["white"][0] > 9
    assert measured["family"]["quad"][0] > 65
    assert measured["free"]["quad"][0] > 42
    assert measured["free"]["blend_of_two"][0] > 9


@pytest.mark.parametrize("manifold", ["family", "free"])
def test_noise_costs_its_variance(measured, manifold):
    variance = 784 * 0.05**2  # the probe's noise was cut off at 0 and 1, which halves it
    assert variance * 0.8 < measured[manifold]["noisy"].mean() < variance * 1.2
    assert 0.9 < measured[manifold]["noisy_triangle"][0] < 1.1


def test_an_image_s_distance_does_not_depend_on_its_company(measured):
    alone = kinds()["noisy"][2:3]
    assert squared_distances(alone)[0] == pytest.approx(measured["family"]["noisy"][2], rel=1e-6)


@pytest.mark.parametrize("manifold", ["family", "free"])
def test_quadrangles_are_no_triangles_but_quadrangles(monkeypatch, manifold):
    monkeypatch.setattr(polygon_distance, "CHUNK", FEW)
    monkeypatch.setattr(polygon_distance, "GRID", 3000)
    images = draw_polygons(FEW, vertices=4, seed=3)[0] / 64
    half_visible = (images[:1] + 1) / 2
    distances = squared_distances(np.concatenate([images, half_visible]), manifold, vertices=4)
    assert distances[:FEW].max() < 0.05
    assert distances[FEW] > 1


def test_bytes_and_floats_of_generators_are_read_alike():
    values = np.arange(0, 256, dtype=np.uint8)[:28]
    images = np.broadcast_to(values[:, None, None], (1, 28, 28, 1))
    np.testing.assert_allclose(pixels(images), pixels(images / np.float32(127.5) - 1), atol=1e-6)
    assert pixels(images)[0, 27, 0] == pytest.approx(27 / 255)


def test_unusable_images_are_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"have shape \(32, 32\): expected \(28, 28\)"):
        squared_distances(np.ones((2, 32, 32)))
    with pytest.raises(UserError, match=r"have shape \(28, 28, 3\): expected \(28, 28, 1\)"):
        pixels(np.zeros((2, 28, 28, 3), np.uint8))
    with pytest.raises(UserError, match=r"hold NaN or infinite values"):
        squared_distances(np.full((2, 28, 28), np.nan))
    with pytest.raises(UserError, match=r"there are no images"):
        squared_distances(np.ones((0, 28, 28)))
