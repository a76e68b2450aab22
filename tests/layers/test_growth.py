"""Levels, widths and shares of growing networks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers.growth import composed, detail, faded, shares, sides, width


class Shown(nn.Module):
    """Hands out the shares of four levels."""

    @nn.compact
    def __call__(self, level=None, alpha=None):
        return shares(self, 4, level, alpha)


def test_sides_are_the_powers_of_two_from_four():
    assert sides(4) == (4,)
    assert sides(64) == (4, 8, 16, 32, 64)
    for bad in (0, 2, 3, 6, 48, 1000):
        with pytest.raises(ConfigError, match=f"resolution is {bad}: "):
            sides(bad)


def test_widths_are_those_of_the_paper():
    """arXiv 1710.10196, table 2."""
    published = (512, 512, 512, 512, 256, 128, 64, 32, 16)
    assert tuple(width(side, 16384, 512) for side in sides(1024)) == published


def test_fading_goes_from_old_to_new_and_keeps_the_dtype():
    old, new = jnp.array([2.0, 4.0]), jnp.array([6.0, 0.0])
    np.testing.assert_array_equal(faded(old, new, jnp.float32(0.25)), [3.0, 3.0])
    assert faded(old, new.astype(jnp.bfloat16), jnp.float32(0.25)).dtype == jnp.bfloat16


def test_images_are_added_at_the_size_of_the_largest():
    images = [jnp.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 2, 2, 1), jnp.arange(16.0).reshape(1, 4, 4, 1)]
    expected = np.arange(16).reshape(4, 4) + np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
    np.testing.assert_array_equal(composed(images)[0, :, :, 0], expected)


def test_a_named_level_counts_alone_or_with_the_one_below():
    variables = Shown().init(jax.random.key(0))
    assert Shown().apply(variables, 2) == {2: 1.0}
    fading = Shown().apply(variables, 2, jnp.float32(0.25))
    assert list(fading) == [1, 2]
    np.testing.assert_array_equal(list(fading.values()), [0.75, 0.25])


@pytest.mark.parametrize(
    ("level", "alpha", "expected"),
    [
        (0, None, [1, 0, 0, 0]),
        (1, 0.0, [1, 0, 0, 0]),
        (1, 0.25, [0.75, 0.25, 0, 0]),
        (2, 0.5, [0, 0.5, 0.5, 0]),
        (3, None, [0, 0, 0, 1]),
    ],
)
def test_without_a_level_the_last_one_named_counts(level, alpha, expected):
    alpha = None if alpha is None else jnp.float32(alpha)
    variables = Shown().init(jax.random.key(0))
    _, changed = Shown().apply(variables, level, alpha, mutable=["growth"])
    assert changed["growth"]["detail"] == detail(level, alpha)
    np.testing.assert_array_equal(list(Shown().apply(changed).values()), expected)


def test_a_call_that_may_not_write_leaves_the_detail_alone():
    variables = Shown().init(jax.random.key(0), 1)
    assert variables["growth"]["detail"] == 1
    Shown().apply(variables, 3)
    np.testing.assert_array_equal(list(Shown().apply(variables).values()), [0, 1, 0, 0])
