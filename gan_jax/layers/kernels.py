"""Kernels as layers use them: as they are, or divided by what keeps them in bounds.

Layers choose by two fields, `sn_eps` (a number or None) and `weight_norm`; networks by one name, see `kernel_fields`.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.spectral_norm import spectral_norm

_EPS = 1e-6  # inside the root; openai/improved-gan, nn.py
_FIELDS: dict[str, dict[str, Any]] = {"none": {}, "spectral": {"sn_eps": 1e-12}, "weight": {"weight_norm": True}}


def kernel_fields(name: str) -> dict[str, Any]:
    """Fields of `Conv`, `Dense`, `StridedConv` and `ConvTranspose` for a normalisation of their kernels.

    "none"; "spectral", by the largest singular value (arXiv 1802.05957); "weight", by the length of what makes each output
    (arXiv 1602.07868).

    Raises:
        ConfigError: another name.
    """
    if name not in _FIELDS:
        raise ConfigError(f"config.model: kernels is {name!r}: expected one of {', '.join(map(repr, _FIELDS))}")
    return _FIELDS[name]


def normalized(layer: nn.Module, kernel: jax.Array) -> jax.Array:
    """A float32 kernel [..., out] as the fields `sn_eps` and `weight_norm` of its layer want it.

    Raises:
        ConfigError: they want both.
    """
    if layer.weight_norm and layer.sn_eps is not None:
        raise ConfigError(
            f"the layer {'/'.join(layer.path)} is to have spectral and weight normalisation: choose one of them"
        )
    if layer.weight_norm:
        return weight_norm(layer, kernel)
    if layer.sn_eps is not None:
        return kernel / spectral_norm(layer, kernel.reshape(-1, kernel.shape[-1]), layer.sn_eps)
    return kernel


def weight_norm(layer: nn.Module, kernel: jax.Array) -> jax.Array:
    """g v / |v| for every output (Salimans and Kingma 2016, arXiv 1602.07868, equation 2), v the kernel [..., out].

    g [out] is the parameter `scale`, from 1. The authors' first scale and bias, by the moments of a first batch, are left
    out: parameters are born without data here.
    """
    scale = layer.param("scale", nn.initializers.ones, kernel.shape[-1:])
    squares = jnp.square(kernel).sum(tuple(range(kernel.ndim - 1)))
    return kernel * (scale * jax.lax.rsqrt(squares + _EPS))
