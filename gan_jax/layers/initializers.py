"""Weight initialisers of the GAN literature, by the names that the published codes use."""

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer

from gan_jax.errors import ConfigError

_INITIALIZERS = {
    "ortho": jax.nn.initializers.orthogonal(),
    "N02": jax.nn.initializers.normal(0.02),
    "xavier": jax.nn.initializers.glorot_uniform(),
}


def initializer(name: str) -> Initializer:
    """The initialiser of kernels [..., in, out] and tables [classes, features] called `name`.

    "ortho": orthonormal rows or columns of the (out, in*k*k) matrix (BigGAN, arXiv 1809.11096, section 3.1);
    "N02": normal with standard deviation 0.02 (DCGAN); "xavier": Glorot uniform (SNGAN, SAGAN).

    Raises:
        ConfigError: on any other name.
    """
    if name not in _INITIALIZERS:
        raise ConfigError(f"weight_init is {name!r}: expected one of {', '.join(map(repr, _INITIALIZERS))}")
    return _INITIALIZERS[name]


def fan_in_uniform(fan_in: int) -> Initializer:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)): what PyTorch gives biases when a code base initialises only weights."""

    def init(key, shape, dtype=jnp.float32):
        bound = fan_in**-0.5
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init
