"""Losses that make two batches, or two answers, alike: pure functions."""

import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError

_DISTANCES = {"l1": jnp.abs, "l2": jnp.square}


def feature_matching(fake: jax.Array, real: jax.Array, distance: str = "l1") -> jax.Array:
    """How far the mean features of two batches, float32 [n, d] and [m, d], are apart: a mean over d.

    What a generator minimises in "Improved techniques for training GANs" (arXiv 1606.03498, section 3.1); "l1" in the code of
    its CIFAR-10 experiments (openai/improved-gan), "l2" in that of MNIST. The real features are constants.

    Raises:
        ConfigError: another distance.
    """
    if distance not in _DISTANCES:
        raise ConfigError(f"feature matching is by {distance!r}: expected one of {', '.join(_DISTANCES)}")
    return _DISTANCES[distance](fake.mean(0) - jax.lax.stop_gradient(real).mean(0)).mean()


def squared_difference(a: jax.Array, b: jax.Array) -> jax.Array:
    """Mean of (a - b)^2: what consistency regularisation asks of the answers to an image and to a changed one."""
    return jnp.square(a - b).mean()
