"""Instance selection: likelihoods by the published density, shares by class."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from gan_jax.errors import ConfigError
from gan_jax.metrics.selection import densest, log_likelihood

RANDOM = np.random.RandomState(0)
ROWS = (RANDOM.standard_normal((60, 4)) @ RANDOM.standard_normal((4, 4)) + 3).astype(np.float32)


def test_likelihoods_are_those_of_the_fitted_gaussian_up_to_a_constant():
    expected = multivariate_normal(ROWS.mean(0), np.cov(ROWS.T, bias=True) + 1e-5 * np.eye(4)).logpdf(ROWS)
    found = log_likelihood(ROWS)
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-4)


def test_features_that_say_nothing_do_no_harm():
    padded = np.concatenate([ROWS, np.full((60, 3), 7, np.float32)], 1)
    np.testing.assert_allclose(log_likelihood(padded), log_likelihood(ROWS), rtol=1e-6)
    assert np.isfinite(log_likelihood(ROWS[:2])).all()


def test_of_every_class_the_likeliest_share_is_kept():
    classes = np.arange(60) % 3
    kept = densest(ROWS, classes, 0.25)
    assert (np.diff(kept) > 0).all()
    assert np.bincount(classes[kept]).tolist() == [5, 5, 5]
    for number in range(3):
        members = np.flatnonzero(classes == number)
        scores = log_likelihood(ROWS[members])
        inside = np.isin(members, kept)
        assert scores[inside].min() > scores[~inside].max()
    assert len(densest(ROWS, np.full(60, -1), 0.5)) == 30, "without classes all are one"
    assert len(densest(ROWS, classes, 0.001)) == 3


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5, -1.0, float("nan")])
def test_a_share_that_keeps_nothing_or_everything_is_a_sentence(share):
    with pytest.raises(ConfigError, match=f"--keep is {share}: expected a share above 0 and below 1"):
        densest(ROWS, np.zeros(60, int), share)
