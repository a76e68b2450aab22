"""StyleGAN2 and StyleGAN2-ADA (arXiv 1912.04958, 2006.06676), in the form of NVlabs/stylegan2-ada-pytorch.

Four phases: generator, path length every few steps, discriminator, R1 every few steps. The regularisation phases have
optimiser steps of their own, with the published correction of rates and moments (`Player.lazy`). With
`phases.path_length_weight` 0 that phase falls away, but not the correction, as published.
"""

import jax

from gan_jax.engine.recipe import Out, Phase, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import ranges
from gan_jax.losses.path_length import path_length_penalty, path_lengths
from gan_jax.networks.stylegan2 import Generator
from gan_jax.recipes import stylegan


def build(config) -> Recipe:
    """StyleGAN2 with the networks of `gan_jax.networks.stylegan2`."""
    data, phases, dim_z = config.data, config.phases, config.model.dim_z
    ranges.check(phases, "path_length_weight")
    if config.train.batch_size // config.train.microbatches < phases.path_length_shrink:
        raise ConfigError(
            f"config.phases.path_length_shrink is {phases.path_length_shrink}, more than the images of a microbatch"
        )
    generator = Generator(
        **config.model.G,
        resolution=data.resolution,
        num_classes=data.num_classes,
        image_channels=data.channels,
        dtype=compute_dtype(config),
    )

    def mixed_ws(view, key, labels):
        """ws [n, num_ws, dim_w], in some steps of two latents, and the generator with its average of w moved."""
        key_z, key_mix, key_other = jax.random.split(key, 3)
        shape = (len(labels), dim_z)
        ws, g = view.net("G")(view.normal(key_z, shape), labels, method="map", update_average=True)
        if not phases.style_mixing:
            return ws, g
        others, _ = view.net("G")(view.normal(key_other, shape), labels, method="map")
        return stylegan.mixed(key_mix, ws, others, phases.style_mixing, generator.num_ws), g

    def noise_of(view, key):
        return lambda layer, shape: view.normal(jax.random.fold_in(key, layer), shape)

    def generate(view, key, labels, player):
        key_w, key_noise = jax.random.split(key)
        ws, g = mixed_ws(view, key_w, labels)
        return g(ws, noise=noise_of(view, key_noise), method="synthesize")[0], g

    def path_length_loss(view, batch, key):
        key_y, key_w, key_noise, key_direction = jax.random.split(key, 4)
        # Every so many-th label: on several devices each keeps its own.
        some = batch["label"][:: phases.path_length_shrink]
        labels = view.generated_labels(key_y, some, data.num_classes, phases.generated_labels)
        ws, g = mixed_ws(view, key_w, labels)
        direction = view.normal(key_direction, (len(labels), data.resolution, data.resolution, data.channels))
        synthesize = lambda ws: g(ws, noise=noise_of(view, key_noise), method="synthesize")[0]  # noqa: E731
        lengths = path_lengths(synthesize, ws, direction)
        penalty, mean = path_length_penalty(lengths, view.aux["path_length"], phases.path_length_decay)
        value = phases.path_length_every * phases.path_length_weight * penalty
        return value, Out({"G": g.stats}, {"path_length": mean}, {"mean": mean, "penalty": penalty})

    path_length = Phase("path_length", ("generator",), path_length_loss, every=phases.path_length_every)
    return stylegan.describe(
        config,
        generator,
        generate,
        regularisation=(path_length,) if phases.path_length_weight else (),
        generator_lazy=phases.path_length_every,
        aux={"path_length": 0.0},
    )
