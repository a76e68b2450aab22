"""Progressive growing (ProGAN, arXiv 1710.10196): the schedule and the real images that its recipes share.

Section `train.growth` of the config:

    start           resolution at which training begins; the full one for no growing at all
    fade_kimg       thousand images while each further resolution fades in
    stable_kimg     thousand images at each resolution after that; the last one stays until the end
    batches         images per step at each resolution, from `start` to the full one
    rates           what the players' learning rates are multiplied by at each resolution

Every resolution but the first is a stage of fading and a stage of standing, and the optimisers start afresh in each, as
in train.py of tkarras/progressive_growing_of_gans, which resets Adam whenever floor or ceiling of the level changes.
Published code looks at the schedule in every fourth step only, to spare the building of feeds; here the share of a new
level follows the images seen in every step.

Real images come in full resolution and are averaged down on the device: the published code reads them from files of
each resolution, so the first stages here move more bytes than they need.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Stage, View
from gan_jax.errors import ConfigError
from gan_jax.layers.growth import faded, sides
from gan_jax.layers.pixels import to_float
from gan_jax.layers.resample import average_pool2, upsample2


@dataclasses.dataclass(frozen=True)
class Span:
    """What a stage of growing is: its `Stage.info`.

    Attributes:
        level: 0 for 4 x 4 pixels, and so on.
        factor: side of a full image over that of the stage's.
        fade: images seen when the level begins to fade in and when it has, None where it stands.
    """

    level: int
    factor: int
    fade: tuple[int, int] | None = None


def stages(config) -> tuple[Stage, ...]:
    """The stages of a config.

    Raises:
        ConfigError: the start is no resolution on the way to the full one, or a list has not one entry for each.
    """
    growth, all_sides = config.train.growth, sides(config.data.resolution)
    if growth.start not in all_sides:
        raise ConfigError(f"config.train.growth.start is {growth.start}: expected one of {list(all_sides)}")
    grown = all_sides[all_sides.index(growth.start) :]
    for name in ("batches", "rates"):
        if len(growth[name]) != len(grown):
            raise ConfigError(
                f"config.train.growth.{name} has {len(growth[name])} entries: expected one for each of the "
                f"resolutions {list(grown)}"
            )
    fading, standing = round(growth.fade_kimg * 1000), round(growth.stable_kimg * 1000)
    spans, seen = [], 0
    for side, batch, rate in zip(grown, growth.batches, growth.rates, strict=True):
        span = Span(all_sides.index(side), all_sides[-1] // side)
        if side != growth.start:
            fade = dataclasses.replace(span, fade=(seen, seen + fading))
            seen += fading
            spans.append(Stage(seen, batch, fade, rate))
        seen += standing
        spans.append(Stage(None if side == grown[-1] else seen, batch, span, rate))
    return tuple(spans)


def alpha(view: View) -> jax.Array | None:
    """How far the stage's level has faded in, a scalar in [0, 1); None where it stands."""
    if view.stage.info.fade is None:
        return None
    begin, end = view.stage.info.fade
    return (view.images - jnp.uint32(begin)).astype(jnp.float32) / (end - begin)


def real_images(view: View, images: jax.Array) -> jax.Array:
    """uint8 [n, r, r, c] in full resolution -> float32 [n, s, s, c] in [-1, 1], as the stage's discriminator sees them.

    Means over the pixels that become one; while a level fades in, mixed with themselves at half the resolution.
    """
    n, full, _, channels = images.shape
    factor = view.stage.info.factor
    cells = images.reshape(n, full // factor, factor, full // factor, factor, channels)
    small = to_float(cells.astype(jnp.float32).mean((2, 4)))
    share = alpha(view)
    return small if share is None else faded(upsample2(average_pool2(small)), small, share)
