"""StyleGAN2 and StyleGAN2-ADA (arXiv 1912.04958, 2006.06676), in the form of NVlabs/stylegan2-ada-pytorch.

Four phases: generator, path length every few steps, discriminator, R1 every few steps. The regularisation phases have
optimiser steps of their own, with the published correction of rates and moments (`Player.lazy`). With
`phases.path_length_weight` 0 that phase falls away, but not the correction, as published.
"""

import dataclasses
from typing import ClassVar

import jax

from gan_jax.engine.recipe import Out, Phase, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game.rules import read
from gan_jax.losses.path_length import path_length_penalty, path_lengths
from gan_jax.networks.stylegan2 import Generator
from gan_jax.recipes import stylegan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(stylegan.Rules):
    """Those of a style-based game and these.

    Attributes:
        style_mixing: how often styles of two latents are mixed.
        path_length_weight, path_length_every: of the path lengths by w, and how many steps there are from one to the next.
        path_length_shrink: they are taken of a batch so many times smaller.
    """

    style_mixing: float = 0.9
    path_length_weight: float = 2.0
    path_length_every: int = 4
    path_length_shrink: int = 2

    positive: ClassVar = (*stylegan.Rules.positive, "path_length_every", "path_length_shrink")
    shares: ClassVar = (*stylegan.Rules.shares, "style_mixing")
    refused: ClassVar = {
        **stylegan.Rules.refused,
        "path_length": "that weight is config.phases.path_length_weight here, of lengths by w",
    }


def build(config) -> Recipe:
    """StyleGAN2 with the networks of `gan_jax.networks.stylegan2`."""
    data, rules, dim_z = config.data, read(Rules, config.phases), config.model.dim_z
    if config.train.batch_size // config.train.microbatches < rules.path_length_shrink:
        raise ConfigError(
            f"config.phases.path_length_shrink is {rules.path_length_shrink}, more than the images of a microbatch"
        )
    generator = Generator(
        **config.model.G,
        resolution=data.resolution,
        num_classes=data.num_classes,
        image_channels=data.channels,
        dtype=compute_dtype(config),
    )

    def draw(view, key, n):
        """z [n, dim_z], and their mapping to ws [n, num_ws, dim_w], in some steps of another latent too.

        That returns the generator with its average of w moved besides.
        """
        key_z, key_mix, key_other = jax.random.split(key, 3)

        def mapped(z, labels):
            ws, g = view.net("G")(z, labels, method="map", update_average=True)
            if not rules.style_mixing:
                return ws, g
            others, _ = view.net("G")(view.normal(key_other, z.shape), labels, method="map")
            return stylegan.mixed(key_mix, ws, others, rules.style_mixing, generator.num_ws), g

        return view.normal(key_z, (n, dim_z)), mapped

    def noise_of(view, key):
        return lambda layer, shape: view.normal(jax.random.fold_in(key, layer), shape)

    def deal(view, key, n, player):
        key_w, key_noise = jax.random.split(key)
        z, mapped = draw(view, key_w, n)

        def generate(z, labels):
            ws, g = mapped(z, labels)
            return g(ws, noise=noise_of(view, key_noise), method="synthesize")[0], g

        return z, generate

    def path_length_loss(view, batch, key):
        key_y, key_w, key_noise, key_direction = jax.random.split(key, 4)
        # Every so many-th label: on several devices each keeps its own.
        some = batch["label"][:: rules.path_length_shrink]
        labels = view.generated_labels(key_y, some, data.num_classes, rules.generated_labels)
        z, mapped = draw(view, key_w, len(labels))
        ws, g = mapped(z, labels)
        direction = view.normal(key_direction, (len(labels), data.resolution, data.resolution, data.channels))
        synthesize = lambda ws: g(ws, noise=noise_of(view, key_noise), method="synthesize")[0]  # noqa: E731
        lengths = path_lengths(synthesize, ws, direction)
        penalty, mean = path_length_penalty(lengths, view.aux["path_length"], rules.path_length_decay)
        value = rules.path_length_every * rules.path_length_weight * penalty
        return value, Out({"G": g.stats}, {"path_length": mean}, {"mean": mean, "penalty": penalty})

    path_length = Phase("path_length", ("generator",), path_length_loss, every=rules.path_length_every)
    return stylegan.describe(
        config,
        rules,
        generator,
        deal,
        regularisation=(path_length,) if rules.path_length_weight else (),
        generator_lazy=rules.path_length_every,
        aux={"path_length": 0.0},
    )
