"""Minibatch standard deviation: the published numbers, and which images form a group."""

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.minibatch_stddev import minibatch_stddev
from tests.reference import assert_array, cases, normal

X = normal("m", (8, 6, 3, 3), cases("ops")["ops"]["config"]["input_seed"]).transpose(0, 2, 3, 1)


@pytest.mark.parametrize(("group", "features"), [(4, 1), (None, 1), (2, 3)])
def test_it_is_the_published_one(group, features):
    result = minibatch_stddev(X, group, features)
    np.testing.assert_array_equal(result[..., :6], X)
    assert_array(result[:, 0, 0, 6:], "ops", "ops", f"mbstd/group{group}_ch{features}")
    np.testing.assert_array_equal(result[..., 6:], np.broadcast_to(result[:, :1, :1, 6:], result[..., 6:].shape))


def test_a_group_is_strided():
    """Of 8 images in groups of 4, image 0 goes with 2, 4 and 6: changing image 1 leaves them alone."""
    changed = X.copy()
    changed[1] += 1
    before, after = (np.asarray(minibatch_stddev(x, 4))[:, 0, 0, 6] for x in (X, changed))
    np.testing.assert_array_equal(before[::2], after[::2])
    assert np.abs(before[1::2] - after[1::2]).min() > 1e-3


def test_a_batch_that_does_not_divide_is_refused_and_a_small_one_is_one_group():
    with pytest.raises(ValueError, match="6 images cannot be divided into minibatch-stddev groups of 4"):
        minibatch_stddev(jnp.zeros((6, 1, 1, 2)), 4)
    np.testing.assert_array_equal(minibatch_stddev(X[:2], 4), minibatch_stddev(X[:2], None))
