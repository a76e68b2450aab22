"""What a generator's images are made of."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

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
        truncates: whether the entries are normal, so that `prior` can truncate them.
    """

    size: int
    draw: Callable[[jax.Array, int], jax.Array]
    truncates: bool = False

    def prior(self, key: jax.Array, options: Mapping[str, Any]) -> jax.Array:
        """One latent float32 [size], truncated where there is a `truncation` in the options, by their `form`.

        Form "resampled" (arXiv 1809.11096, section 3.1): entries beyond +-truncation are drawn again. Form "threshold"
        (the released TF-Hub modules): entries beyond +-2 are drawn again, and the result, threshold and all, is scaled by
        truncation.

        Raises:
            ConfigError: another form.
        """
        truncation, form = options.get("truncation"), options.get("form")
        if truncation is None or not self.truncates:
            return self.draw(key, 1)[0]
        if form == "threshold":
            return truncation * jax.random.truncated_normal(key, -2.0, 2.0, (self.size,))
        if form == "resampled":
            return jax.random.truncated_normal(key, -truncation, truncation, (self.size,))
        raise ConfigError(f'truncation form is {form!r}: expected "resampled" or "threshold"')


def latents(name: str, size: int) -> Latents:
    """Independent entries that are "normal", or "uniform" in [-1, 1], or in [0, 1] ("positive").

    Raises:
        ConfigError: another name, or a size below 1.
    """
    if name not in _DISTRIBUTIONS:
        raise ConfigError(f"config.model.latents is {name!r}: expected one of {', '.join(map(repr, _DISTRIBUTIONS))}")
    if size < 1:
        raise ConfigError(f"config.model.G.dim_z is {size}: expected 1 or more")
    return Latents(size, lambda key, n: _DISTRIBUTIONS[name](key, (n, size)), truncates=name == "normal")
