"""The Frechet distance against values computed with the published evaluation codes."""

import json
import pathlib
import zlib

import numpy as np
import pytest

from gan_jax.metrics.frechet import frechet_distance, moments

CASES = json.loads((pathlib.Path(__file__).parent / "frechet.json").read_text())


def features(seed, n, d, kind="normal", shift=0, scale=1):
    """The recipe of the stored cases."""
    x = np.random.RandomState(seed).standard_normal((n, d))
    x[:, 1:] = x[:, 1:] + 0.5 * x[:, :-1]
    x = x * (scale * (0.5 + np.arange(d) / d)) + shift
    return (np.maximum(x, 0) if kind == "relu" else x).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_distance_and_moments_equal_the_published_codes(name):
    case = CASES[name]
    sets = [features(**case[which]) for which in ("real", "fake")]
    assert [zlib.crc32(x.tobytes()) for x in sets] == case["crc32"]
    both = [moments(x) for x in sets]
    np.testing.assert_allclose([mean.sum() for mean, _ in both], case["mu_sum"], rtol=1e-9)
    np.testing.assert_allclose([np.trace(cov) for _, cov in both], case["sigma_trace_ddof1"], rtol=1e-9)
    np.testing.assert_allclose([np.linalg.norm(cov) for _, cov in both], case["sigma_fro_ddof1"], rtol=1e-9)
    full_rank = min(len(x) for x in sets) > sets[0].shape[1]
    distance = frechet_distance(*both[0], *both[1])
    assert distance == pytest.approx(case["exact_nuclear_norm_f64"], rel=1e-6 if full_rank else 1e-5)
    assert distance == pytest.approx(frechet_distance(*both[1], *both[0]), rel=1e-6)


def test_gaussians_with_diagonal_covariances_have_the_closed_form():
    distance = frechet_distance([0, 0], np.diag([4.0, 9.0]), [3, 4], np.diag([1.0, 0.0]))
    assert distance == pytest.approx(25 + (2 - 1) ** 2 + 9, abs=1e-12)


def test_a_set_is_at_no_distance_from_itself():
    own = moments(features(1, 100, 8))
    assert abs(frechet_distance(*own, *own)) < 1e-10


def test_one_row_has_no_covariance():
    with pytest.raises(ValueError, match="1 feature rows"):
        moments(np.zeros((1, 4)))
