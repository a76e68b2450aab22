"""StyleGAN3's generator (training/networks_stylegan3.py of NVlabs/stylegan3): where its tensors live with us.

Paths follow the published module names. The designed filters are no parameters with us, and the transform of the input
is an argument; its discriminator is StyleGAN2's, see `gan_jax.weights.stylegan2`.
"""

from collections.abc import Mapping

from gan_jax.errors import UserError
from gan_jax.weights.places import CONV, DENSE, SAME, Place

Shapes = Mapping[str, tuple[int, ...]]

_DESIGNED = ("up_filter", "down_filter", "transform")
_BUFFERS = ("w_avg", "magnitude_ema", "freqs", "phases")


def places(shapes: Shapes) -> dict[str, Place | None]:
    """Where every tensor of a generator lives in our variables.

    Raises:
        UserError: a kind of tensor that it does not have.
    """
    return {name: _place(name, len(shape)) for name, shape in shapes.items()}


def _place(name: str, dimensions: int) -> Place | None:
    *path, last = name.split(".")
    if last in _DESIGNED:
        return None
    if last == "weight":
        return Place(("params", *path, "kernel"), CONV if dimensions == 4 else DENSE)
    if last == "bias":
        return Place(("params", *path, last), SAME)
    if last in _BUFFERS:
        return Place(("buffers", *path, last), SAME)
    raise UserError(f"StyleGAN3's generator has no tensor {name}")
