"""The colour transforms of adaptive augmentation as one affine map of RGB per image."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import ConfigError

_ONE = np.eye(4, dtype=np.float32)
_RGB = np.diag([1, 1, 1, 0]).astype(np.float32)
_OFFSET = _RGB @ np.array([[0, 0, 0, 1]] * 4, np.float32)
_GREY = _RGB @ np.ones((4, 4), np.float32) @ _RGB / 3  # projects on the grey axis
_TURN = np.zeros((4, 4), np.float32)  # the cross product with the unit vector of the grey axis
_TURN[:3, :3] = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5


def colour_matrix(strengths: Mapping[str, jax.Array]) -> jax.Array:
    """The map of homogeneous colours (r, g, b, 1), float32 [n, 4, 4]; its last row is not for use.

    Args:
        strengths: any of brightness (added), contrast, saturation (factors), lumaflip (0 or 1) and hue (radians), [n].
            They act in the published order.
    """
    steps = {
        "brightness": lambda added: _ONE + added * _OFFSET,
        "contrast": lambda factor: _ONE + (factor - 1) * _RGB,
        "lumaflip": lambda flip: _ONE - 2 * flip * _GREY,
        "hue": lambda angle: _ONE + (jnp.cos(angle) - 1) * (_RGB - _GREY) + jnp.sin(angle) * _TURN,
        "saturation": lambda factor: _GREY + factor * (_ONE - _GREY),
    }
    matrices = [matrix(strengths[name][:, None, None]) for name, matrix in steps.items() if name in strengths]
    return functools.reduce(lambda before, after: jnp.matmul(after, before, precision="highest"), matrices)


def recolour(images: jax.Array, matrix: jax.Array) -> jax.Array:
    """Maps the colours of images [n, h, w, 3], or the greys of [n, h, w, 1] as the mean of the three channels.

    Raises:
        ConfigError: another number of channels.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ConfigError(
            f"config.phases.augment.transforms: colour transforms take 1 or 3 channels, these images have {channels}; "
            "leave the group color out"
        )
    weights, added = matrix[:, :3, :3], matrix[:, None, None, :3, 3]
    if channels == 1:
        return images * weights.mean(1).sum(1)[:, None, None, None] + added.mean(-1, keepdims=True)
    # Not as three products and sums: XLA would compute what made the images three times over, once for each channel.
    return jnp.einsum("nij,nhwj->nhwi", weights, images, precision="highest") + added
