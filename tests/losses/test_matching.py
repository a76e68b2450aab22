"""Feature matching and consistency."""

import jax
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.losses.matching import feature_matching, squared_difference
from tests.reference import assert_scalar, normal

FAKE, REAL = (np.random.RandomState(seed).standard_normal((n, 3)).astype(np.float32) for seed, n in ((0, 4), (1, 6)))


def test_feature_matching_equals_the_published_one():
    value = feature_matching(normal("fm_fake", (6, 5), 2200), normal("fm_real", (6, 5), 2200))
    assert_scalar(value, "losses", "logit_losses", "feature_matching")


def test_feature_matching_compares_the_means_of_two_batches():
    np.testing.assert_allclose(
        feature_matching(FAKE, REAL, "l2"), ((FAKE.mean(0) - REAL.mean(0)) ** 2).mean(), rtol=1e-5
    )
    assert not np.any(jax.grad(feature_matching, argnums=1)(FAKE, REAL))
    with pytest.raises(ConfigError, match="'l3': expected one of l1, l2"):
        feature_matching(FAKE, REAL, "l3")


def test_squared_difference():
    np.testing.assert_allclose(squared_difference(FAKE, REAL[:4]), np.square(FAKE - REAL[:4]).mean(), rtol=1e-6)
