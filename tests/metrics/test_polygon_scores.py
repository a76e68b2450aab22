"""Precision tells whether samples are polygons, and recall whether all polygons can be made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.polygons import draw_polygons, place, to_grey
from gan_jax.errors import UserError
from gan_jax.metrics import polygon_recall
from gan_jax.metrics.polygon_distance import pixels
from gan_jax.metrics.polygon_recall import HEADLINE, STUDY, Budget, invert
from gan_jax.metrics.polygon_render import brightness
from gan_jax.metrics.polygon_scores import polygon_scores

REAL = to_grey(draw_polygons(32, seed=11)[0])
TARGETS = pixels(REAL[:8])
PATTERNS = pixels(REAL[8:12]).reshape(4, -1)


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch):
    monkeypatch.setattr(polygon_recall, "CANDIDATES", 50)
    monkeypatch.setattr(polygon_recall, "CHUNK", 16)


def prior(key, count):
    return jax.random.normal(key, (count, 4))


def every_triangle(latents):
    """A perfect generator: the data set's own parameters, by their normal quantiles."""
    with jax.default_matmul_precision("highest"):
        return 2 * brightness(place(jax.scipy.stats.norm.cdf(latents), jnp))[..., None] - 1


def plane(latents):
    """Whatever four fixed patterns add up to."""
    return 2 * (latents @ PATTERNS).reshape(-1, 28, 28, 1) - 1


def one_triangle(latents):
    return jnp.broadcast_to(2 * TARGETS[0, ..., None] - 1, (len(latents), 28, 28, 1)) + 0 * latents.sum()


def test_a_perfect_generator_is_precise_and_recalls_everything():
    scores = polygon_scores(REAL, REAL, every_triangle, prior, Budget(targets=8, restarts=1, steps=120, doubled=4))
    assert scores["polygon_precision"] == scores["polygon_free_precision"] == 1
    assert scores["polygon_recall"] == scores["polygon_f1"] == scores["polygon_free_f1"] == 1
    assert scores["polygon_recall_if_doubled"] == 0
    assert scores["polygon_distance_90"] < 0.01
    assert scores["polygon_inversion_distance_50"] < 0.1
    assert all(type(value) is float for value in scores.values())


def test_one_triangle_over_and_over_is_precise_but_recalls_only_itself():
    samples = np.repeat(REAL[:1], 4, axis=0)
    scores = polygon_scores(samples, REAL[:10], one_triangle, prior, Budget(targets=10, restarts=1, steps=2, doubled=2))
    assert scores["polygon_precision"] == scores["polygon_precision_0.25"] == 1
    assert scores["polygon_recall"] == pytest.approx(0.1)
    assert scores["polygon_f1"] == pytest.approx(2 * 0.1 / 1.1)
    assert scores["polygon_inversion_distance_50"] > 5


def test_noise_costs_precision_at_the_strict_thresholds_only():
    noise = np.random.RandomState(0).normal(0, 0.05 * 255, REAL.shape)
    samples = np.clip(REAL + noise, 0, 255).round().astype(np.uint8)  # about 1.0 is left of the noise
    scores = polygon_scores(samples, REAL, one_triangle, prior, Budget(targets=2, restarts=1, steps=1, doubled=1))
    assert [scores[f"polygon_precision{suffix}"] for suffix in ("_0.25", "", "_2", "_5")] == [0, 0, 1, 1]
    assert scores["polygon_f1"] == 0
    assert 0.8 < scores["polygon_distance_50"] < 1.2


def test_fewer_targets_than_the_budget_are_refused():
    with pytest.raises(UserError, match=r"the test set has 32 images, too few for a recall over 256"):
        polygon_scores(REAL, REAL, one_triangle, prior, STUDY)


def test_the_search_finds_the_nearest_image():
    budget = Budget(targets=8, restarts=1, steps=300, doubled=4)
    distances, doubled = invert(TARGETS / 4 + 0.35, plane, prior, budget)
    flat = (TARGETS / 4 + 0.35).reshape(8, -1).T.astype(np.float64)
    _, expected, *_ = np.linalg.lstsq(PATTERNS.T.astype(np.float64), flat)
    np.testing.assert_allclose(distances, expected, rtol=0.01)
    np.testing.assert_allclose(doubled, expected[:4], rtol=1e-4)


def distances_of_samples(latents):
    return np.square(np.clip(latents @ PATTERNS, 0, 1) - TARGETS.reshape(8, 1, -1)).sum(axis=-1)


@pytest.mark.parametrize("wins", ["a candidate", "a restart"])
def test_searches_start_at_the_best_candidate_and_at_draws_of_their_own(monkeypatch, wins):
    monkeypatch.setattr(polygon_recall, "RATE", 1000.0)  # the first step leaves, so that the start is the nearest
    random = np.random.RandomState(0)
    near, far = random.uniform(0, 0.4, (50, 4)).astype(np.float32), random.uniform(-3, -2, (50, 4)).astype(np.float32)
    candidates, restarts = (near, far) if wins == "a candidate" else (far, near)
    draw = lambda key, count: jnp.asarray(candidates if count == 50 else restarts[:count])  # noqa: E731
    distances, _ = invert(TARGETS, plane, draw, Budget(targets=8, restarts=3, steps=1, doubled=1))
    own = distances_of_samples(restarts[:24].reshape(8, 3, 4)).min(axis=1)
    expected = distances_of_samples(candidates).min(axis=1) if wins == "a candidate" else own
    np.testing.assert_allclose(distances, expected, rtol=1e-3)


def test_the_size_of_chunks_does_not_matter(monkeypatch):
    budget = Budget(targets=8, restarts=1, steps=3, doubled=1)
    expected, _ = invert(TARGETS, plane, prior, budget)
    monkeypatch.setattr(polygon_recall, "CHUNK", 7)
    np.testing.assert_allclose(invert(TARGETS, plane, prior, budget)[0], expected, rtol=1e-3)


def test_pixels_out_of_range_are_clipped_before_they_are_compared():
    loud = lambda latents: 3 * one_triangle(latents)  # noqa: E731
    target = np.clip(3 * (TARGETS[:1] - 0.5) + 0.5, 0, 1)
    distances, _ = invert(target, loud, prior, Budget(targets=1, restarts=0, steps=1, doubled=1))
    assert distances[0] == pytest.approx(0, abs=1e-6)


def test_a_generator_of_nan_or_of_other_images_is_refused():
    budget = Budget(targets=8, restarts=1, steps=1, doubled=1)
    broken_from = lambda limit: lambda z: one_triangle(z) + jnp.where(jnp.abs(z).max() > limit, jnp.nan, 0)  # noqa: E731
    with pytest.raises(UserError, match=r"hold NaN or infinite values"):
        invert(TARGETS, broken_from(0), prior, budget)
    with pytest.raises(UserError, match=r"made NaN or infinite pixels"):
        invert(TARGETS, broken_from(2), lambda key, count: 3.0 * (count != 50) * jnp.ones((count, 4)), budget)
    with pytest.raises(UserError, match=r"shape \(14, 14, 1\): expected \(28, 28, 1\)"):
        invert(TARGETS, lambda z: one_triangle(z)[:, ::2, ::2], prior, budget)


def test_the_named_budgets_are_those_of_the_specification():
    assert (STUDY.targets, STUDY.restarts, STUDY.steps) == (256, 4, 500)
    assert (HEADLINE.targets, HEADLINE.restarts, HEADLINE.steps) == (1024, 10, 500)
