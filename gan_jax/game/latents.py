"""What a generator's images are made of."""

import dataclasses
from collections.abc import Callable

import jax

from gan_jax.errors import ConfigError

_DISTRIBUTIONS = {
    "normal": jax.random.normal,
    "uniform": lambda key, shape: jax.random.uniform(key, shape, minval=-1.0, maxval=1.0),
    "positive": jax.random.uniform,
}


@dataclasses.dataclass(frozen=True)
class Latents:
    """A distribution of latents.

    Attributes:
        size: of one latent.
        draw: `(key, n) -> z` float32 [n, size].
    """

    size: int
    draw: Callable[[jax.Array, int], jax.Array]


def latents(name: str, size: int) -> Latents:
    """Independent entries that are "normal", or "uniform" in [-1, 1], or in [0, 1] ("positive").

    Raises:
        ConfigError: another name, or a size below 1.
    """
    if name not in _DISTRIBUTIONS:
        raise ConfigError(f"config.model.latents is {name!r}: expected one of {', '.join(map(repr, _DISTRIBUTIONS))}")
    if size < 1:
        raise ConfigError(f"config.model.G.dim_z is {size}: expected 1 or more")
    return Latents(size, lambda key, n: _DISTRIBUTIONS[name](key, (n, size)))
