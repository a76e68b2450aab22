"""The Frechet distance: values of the published codes, and what every distance of distributions must do."""

import dataclasses
import functools

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.metrics import frechet
from gan_jax.metrics.frechet import frechet_distance, frechet_infinity, frechet_of_rows, frechet_per_class
from gan_jax.metrics.moments import Moments
from tests.metrics.features import CASES, features, names, pair


def distance(a, b, **options):
    return frechet_distance(Moments.of(a), Moments.of(b), **options)


@pytest.mark.parametrize("name", names("fd_"))
def test_the_distance_equals_the_published_codes(name):
    case = CASES[name]
    real, fake = pair(case)
    full_rank = min(len(real), len(fake)) > real.shape[1]
    exact, tolerance = case["exact_nuclear_norm_f64"], 1e-6 if full_rank else 1e-5
    for value in (distance(real, fake), distance(fake, real)):
        assert value == pytest.approx(exact, rel=tolerance)
        assert value == pytest.approx(case["pytorch_fid"], rel=tolerance)
    assert distance(real, fake, ddof=0) == pytest.approx(case["stylegan3_cov_over_n"], rel=tolerance)
    assert frechet_of_rows(real, fake) == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize("shards", [1, 2, 3, 8])
def test_streaming_equals_the_whole_set(shards):
    real, fake = pair(CASES["fd_d64_relu"])
    parts = [Moments.of(part) for part in np.array_split(fake, shards)]
    streamed = frechet_distance(Moments.of(real), functools.reduce(Moments.merge, parts))
    assert streamed == pytest.approx(distance(real, fake), rel=1e-10)


def test_gaussians_with_diagonal_covariances_have_the_closed_form():
    a = Moments(11, np.zeros(2), np.diag([40.0, 90.0]))
    b = Moments(11, np.array([3.0, 4.0]), np.diag([10.0, 0.0]))
    assert frechet_distance(a, b) == pytest.approx(25 + (2 - 1) ** 2 + 9, abs=1e-12)


def test_order_does_not_matter():
    real, fake = pair(CASES["fd_d16"])
    shuffled = np.random.RandomState(0).permutation(fake)
    assert distance(real, shuffled) == pytest.approx(distance(real, fake), rel=1e-12)
    assert distance(fake, real) == pytest.approx(distance(real, fake), rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(100, 8), (20, 64)])
def test_a_set_is_at_no_distance_from_itself(n, d):
    rows = features(1, n, d)
    assert abs(distance(rows, rows)) < (1e-10 if n > d else 1e-5)
    assert abs(frechet_of_rows(rows, rows)) < 1e-10


def test_more_noise_is_further_away():
    random, rows = np.random.RandomState(0), features(1, 500, 16)
    noise = random.standard_normal(rows.shape)
    distances = [distance(rows, rows + scale * noise) for scale in (0, 0.1, 0.3, 1, 3)]
    assert distances == sorted(distances)
    assert distances[-1] > 100 * distances[1] > 1e-3


@pytest.mark.parametrize(("n", "m"), [(20, 200), (200, 20), (33, 20), (32, 200)])
def test_few_rows_against_many_lose_no_digits(n, m):
    d = 32
    real, fake = features(2, n, d), features(3, m, d, shift=0.5)
    a, b = ((x - x.mean(axis=0, dtype=float)) / np.sqrt(len(x) - 1) for x in (real, fake))
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    mean = np.square(real.mean(axis=0, dtype=float) - fake.mean(axis=0, dtype=float)).sum()
    assert frechet_of_rows(real, fake) == pytest.approx(mean + (a**2).sum() + (b**2).sum() - 2 * overlap, rel=1e-12)


def test_the_line_through_subsets_ends_near_the_distance_of_the_distributions():
    real, fake = features(4, 40_000, 16), features(5, 4000, 16)
    infinite = frechet_infinity(real, fake, seed=0)
    assert abs(infinite) < 0.2 * distance(real, fake)  # one distribution: all of the distance is bias
    assert infinite == frechet_infinity(real, fake, seed=0) != frechet_infinity(real, fake, seed=1)
    moved = fake + 1
    assert frechet_infinity(real, moved, seed=0) == pytest.approx(16, rel=0.05)


def test_classes_are_compared_one_by_one():
    random, labels = np.random.RandomState(0), np.repeat([3, 7], 40)
    real, fake = features(6, 80, 8), features(7, 80, 8, shift=0.2)
    order = random.permutation(80)
    mean, values = frechet_per_class(real, labels, fake[order], labels[order])
    assert values == {
        3: pytest.approx(distance(real[:40], fake[:40])),
        7: pytest.approx(distance(real[40:], fake[40:])),
    }
    assert mean == pytest.approx(sum(values.values()) / 2)
    with pytest.raises(UserError, match="class 7: all 40 generated feature rows are equal"):
        frechet_per_class(real, labels, np.where(labels[:, None] == 7, 1, fake), labels)
    with pytest.raises(UserError, match="class 3 has 40 real and 39 generated rows: expected equal counts"):
        frechet_per_class(real, labels, fake[1:], labels[1:])
    with pytest.raises(
        UserError, match=r"the generated labels have shape \(79,\): expected one class for each of 80 rows"
    ):
        frechet_per_class(real, labels, fake, labels[1:])


def test_few_images_are_worth_a_warning():
    assert frechet.bias_warning(2048, 2048) is None
    assert "2,047 images for 2,048 features" in frechet.bias_warning(2047, 2048)


def unusable():
    good = Moments.of(features(1, 10, 4))
    nan = dataclasses.replace(good, mean=good.mean * np.nan)
    return {
        "1 generated feature rows: expected at least 2": (good, Moments.of(np.ones((1, 4)))),
        "0 real feature rows: expected at least 2": (Moments.of(np.ones((0, 4))), good),
        "all 50 generated feature rows are equal": (good, Moments.of(np.full((50, 4), np.float32(0.1)))),
        "the real features have 4 dimensions and the generated ones 5": (good, Moments.of(features(1, 10, 5))),
        "the generated features hold NaN or infinite values": (good, nan),
    }


@pytest.mark.parametrize(("message", "sets"), unusable().items())
def test_unusable_moments_are_refused_in_a_sentence(message, sets):
    with pytest.raises(UserError, match=message):
        frechet_distance(*sets)


def test_unusable_rows_are_refused_in_a_sentence():
    rows = features(1, 40, 4)
    with pytest.raises(UserError, match="the generated features have 1 rows: expected at least 2"):
        frechet_of_rows(rows, rows[:1])
    with pytest.raises(UserError, match="all 3 real feature rows are equal"):
        frechet_of_rows(np.ones((3, 4)), rows)
    with pytest.raises(UserError, match="1 of 40 rows of the real features hold NaN"):
        frechet_of_rows(np.where(np.arange(160).reshape(40, 4) == 9, np.nan, rows), rows)
    with pytest.raises(UserError, match="4 dimensions and the generated ones 3"):
        frechet_infinity(rows, rows[:, :3], seed=0)
    with pytest.raises(UserError, match="29 generated rows: expected at least 30"):
        frechet_infinity(rows, rows[:29], seed=0)
