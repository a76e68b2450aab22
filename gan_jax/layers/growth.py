"""Progressive growing: widths and fading of networks that gain a resolution at a time (ProGAN, arXiv 1710.10196).

Level 0 has 4 x 4 pixels, each further level twice the side. All levels have their parameters from the start. A network
runs up to a static `level`; while this level fades in, a traced `alpha` from 0 to 1 is its share, the rest is that of
the level below.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.resample import upsample2

Shares = dict[int, jax.Array | float]


def sides(resolution: int) -> tuple[int, ...]:
    """The sides of the images of all levels: 4, 8 ... resolution.

    Raises:
        ConfigError: the resolution is no power of two from 4.
    """
    if resolution < 4 or resolution & (resolution - 1):
        raise ConfigError(f"config.data.resolution is {resolution}: a growing network needs a power of two from 4")
    return tuple(2**power for power in range(2, resolution.bit_length()))


def width(side: int, channel_base: int, channel_max: int) -> int:
    """Channels at a side: inversely proportional to it, at most `channel_max`."""
    return min(channel_base // side, channel_max)


def faded(old: jax.Array, new: jax.Array, alpha: jax.Array | float) -> jax.Array:
    """old at alpha 0, new at alpha 1, in the dtype of `new`."""
    return (old + (new - old) * alpha).astype(new.dtype)


def detail(level: int, alpha: jax.Array | None) -> jax.Array:
    """How far a network has grown, a float32 scalar: 3 when level 3 stands alone, 2.25 when it is a quarter of the way in."""
    return jnp.float32(level if alpha is None else level - 1 + alpha)


def composed(images: list[jax.Array]) -> jax.Array:
    """The sum of the images of consecutive levels, smallest first, enlarged by nearest neighbour to the largest."""
    total = images[0]
    for image in images[1:]:
        total = upsample2(total) + image
    return total


def shares(module: nn.Module, levels: int, level: int | None, alpha: jax.Array | None) -> Shares:
    """How much the image of each level counts in a generator's: `{level: share}`, those without one left out.

    A call in training names its level, and its alpha while the level fades in. It leaves the `detail` in `module`'s
    collection `growth`, if that is mutable.

    A call without a level, which knows nothing of the training schedule, goes by what was left there. As that is a
    traced value, all levels are computed and most of them count 0: the same cost from the first image to the last.

    Args:
        module: the generator, inside its compact call.
        levels: how many there are.
    """
    reached = module.variable("growth", "detail", detail, levels - 1 if level is None else level, alpha)
    if level is None or module.is_initializing():
        return {i: nn.relu(1 - jnp.abs(reached.value - i)) for i in range(levels)}
    if module.is_mutable_collection("growth"):
        reached.value = detail(level, alpha)
    return {level: 1.0} if alpha is None else {level - 1: 1 - alpha, level: alpha}
