"""StyleGAN2-ADA's networks (training/networks.py of stylegan2-ada-pytorch): where their tensors live with us.

Paths follow the published module names. The convolutions called conv0 of a generator upsample: they are applied there
as transposed ones, hence flipped for us. The last dense layer of the discriminator reads a 4x4 image channels first
there and channels last here. The resampling filters are no parameters with us.
"""

from collections.abc import Mapping

import numpy as np

from gan_jax.errors import UserError
from gan_jax.weights.places import CHANNELS_LAST, CONV, DENSE, FLIPPED_CONV, SAME, Layout, Place

Shapes = Mapping[str, tuple[int, ...]]


def _from_channels_first(t: np.ndarray) -> np.ndarray:
    """A dense weight (out, (C, 4, 4)) as ((4, 4, C), out)."""
    return t.reshape(len(t), -1, 16).transpose(2, 1, 0).reshape(-1, len(t))


def _to_channels_first(t: np.ndarray) -> np.ndarray:
    return t.reshape(16, -1, t.shape[1]).transpose(2, 1, 0)


_AFTER_4X4 = Layout(_from_channels_first, _to_channels_first)
_SAME = ("bias", "noise_strength")
_BUFFERS = ("w_avg", "noise_const")


def places(shapes: Shapes) -> dict[str, Place | None]:
    """Where every tensor of a generator or discriminator lives in our variables.

    Raises:
        UserError: a kind of tensor that these networks do not have.
    """
    return {name: _place(name, len(shape)) for name, shape in shapes.items()}


def _place(name: str, dimensions: int) -> Place | None:
    *path, last = name.split(".")
    if last == "resample_filter":
        return None
    if last == "weight":
        return Place(("params", *path, "kernel"), _kernel(path, dimensions))
    if last == "const":
        return Place(("params", *path, "const"), CHANNELS_LAST)
    if last in (*_SAME, *_BUFFERS):
        return Place(("buffers" if last in _BUFFERS else "params", *path, last), SAME)
    raise UserError(f"StyleGAN2-ADA's networks have no tensor {name}")


def _kernel(path: list[str], dimensions: int) -> Layout:
    if dimensions == 4:
        return FLIPPED_CONV if path[0] == "synthesis" and path[-1] == "conv0" else CONV
    return _AFTER_4X4 if path == ["b4", "fc"] else DENSE
