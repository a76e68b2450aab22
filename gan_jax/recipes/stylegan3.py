"""StyleGAN3-T and -R (arXiv 2106.12423), in the form of NVlabs/stylegan3: StyleGAN2's game without mixing and paths.

Phases: generator, discriminator, lazy R1. The generator's moving averages, of w and of its layers' magnitudes, move in
the discriminator's phase alone.

With `phases.blur_sigma` (StyleGAN3-R) the discriminator sees all images blurred at first, lest it judge them by details
too early: sigma falls to 0 in a straight line over the first `phases.blur_fade_kimg` thousand images, and a stage
without the blur follows.
"""

import dataclasses

import jax.numpy as jnp

from gan_jax.engine.recipe import Recipe, Stage, compute_dtype
from gan_jax.game.rules import read
from gan_jax.layers.blur import blur
from gan_jax.networks.stylegan3 import Generator
from gan_jax.recipes import stylegan

_MAGNITUDE_HALF_LIFE = 20_000  # images
_BLURRED = "blurred"  # what the first stage is


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(stylegan.Rules):
    """Those of a style-based game, and the blur's deviation in pixels and how long it fades."""

    blur_sigma: float = 0.0
    blur_fade_kimg: float = 0.0


def build(config) -> Recipe:
    """StyleGAN3 with the networks of `gan_jax.networks.stylegan3` and `stylegan2_discriminator`."""
    data, rules, dim_z = config.data, read(Rules, config.phases), config.model.dim_z
    generator = Generator(
        **config.model.G,
        resolution=data.resolution,
        num_classes=data.num_classes,
        image_channels=data.channels,
        magnitude_decay=0.5 ** (config.train.batch_size / config.train.microbatches / _MAGNITUDE_HALF_LIFE),
        dtype=compute_dtype(config),
    )
    faded = round(1000 * rules.blur_fade_kimg)

    def deal(view, key, n, player):
        moves = player == "D"

        def generate(z, labels):
            ws, g = view.net("G")(z, labels, update_average=moves, method="map")
            return g(ws, update_magnitudes=moves, method="synthesize")

        return view.normal(key, (n, dim_z)), generate

    def blurred(view, images):
        if view.stage.info != _BLURRED:
            return images
        return blur(images, rules.blur_sigma * jnp.maximum(1 - view.images / faded, 0))

    blurs = rules.blur_sigma > 0 and faded > 0
    return stylegan.describe(
        config,
        rules,
        generator,
        deal,
        prepare=blurred,
        stages=(Stage(until=faded, info=_BLURRED), Stage()) if blurs else (Stage(),),
    )
