"""Means and scatters by parts: the same as of all rows at once."""

import functools

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.metrics import moments as module
from gan_jax.metrics.moments import Moments
from tests.metrics.features import CASES, features, names, pair


def assert_same(actual, expected, rtol=1e-12):
    assert actual.count == expected.count
    np.testing.assert_allclose(actual.mean, expected.mean, rtol=0, atol=rtol * np.abs(expected.mean).max())
    np.testing.assert_allclose(actual.scatter, expected.scatter, rtol=0, atol=rtol * np.abs(expected.scatter).max())


@pytest.mark.parametrize("name", names("fd_"))
def test_the_published_codes_have_the_same_moments(name):
    case = CASES[name]
    both = [Moments.of(x) for x in pair(case)]
    np.testing.assert_allclose([one.mean.sum() for one in both], case["mu_sum"], rtol=1e-9)
    np.testing.assert_allclose([np.trace(one.covariance()) for one in both], case["sigma_trace_ddof1"], rtol=1e-9)
    np.testing.assert_allclose([np.linalg.norm(one.covariance()) for one in both], case["sigma_fro_ddof1"], rtol=1e-9)


def test_moments_are_float64_and_centred():
    rows = np.array([[1, 10], [3, 10], [8, 13]], np.float32)
    own = Moments.of(rows)
    assert (own.count, own.mean.dtype, own.scatter.dtype) == (3, np.float64, np.float64)
    np.testing.assert_allclose(own.mean, [4, 11])
    np.testing.assert_allclose(own.scatter, [[26, 12], [12, 6]])
    np.testing.assert_allclose(own.covariance(), np.cov(rows, rowvar=False))
    np.testing.assert_allclose(own.covariance(ddof=0), np.cov(rows, rowvar=False, ddof=0))


@pytest.mark.parametrize("shards", [1, 2, 3, 8, 250])
def test_shards_merge_to_the_moments_of_all_rows(shards):
    rows = features(1, 203, 24, shift=5)  # of 250 shards some have no rows
    parts = [Moments.of(part) for part in np.array_split(rows, shards)]
    assert_same(functools.reduce(Moments.merge, parts), Moments.of(rows))
    assert_same(functools.reduce(Moments.merge, reversed(parts)), Moments.of(rows))
    assert_same(functools.reduce(lambda a, b: b.merge(a), parts), Moments.of(rows))


def test_many_rows_go_by_blocks(monkeypatch):
    rows = features(2, 1000, 8)
    at_once = Moments.of(rows)
    monkeypatch.setattr(module, "BLOCK", 64)
    assert_same(Moments.of(rows), at_once)


def test_unusable_rows_are_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"a covariance of 1 feature rows: expected at least 2"):
        Moments.of(np.zeros((1, 4))).covariance()
    with pytest.raises(UserError, match=r"shape \(4,\): expected \[n, d\]"):
        Moments.of(np.zeros(4))
    with pytest.raises(UserError, match=r"2 of 3 rows of the features hold NaN or infinite values"):
        Moments.of([[0, np.nan], [1, 1], [np.inf, 0]])
