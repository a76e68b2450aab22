"""LAPGAN (Denton et al. 2015, arXiv 1506.05751): images from coarse to fine, by a GAN for each level of a Laplacian pyramid.

The coarsest level is a GAN of small images. Every finer one refines a real image of the level below in training, its own
in sampling, and its discriminator tells real images from refined ones. The levels are trained at once: their losses are
added, no gradient goes from one to another, and Adam or momentum treats every weight by itself, so that each learns as
it would alone. The rules hold for every level. Form: facebookarchive/eyescream, cifar/train.
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Recipe, compute_dtype
from gan_jax.game import checks, terms
from gan_jax.game.latents import latents
from gan_jax.game.opponents import opponents
from gan_jax.game.referee import Referee
from gan_jax.game.rules import CommonRules, read
from gan_jax.layers.pixels import to_float
from gan_jax.networks.lapgan import Discriminator, Generator, pyramid, sides


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(CommonRules, config.phases)
    levels = sides(data.resolution, model.coarsest)
    given = {"num_classes": data.num_classes, "dtype": compute_dtype(config)}
    shapes = {"resolution": data.resolution, "coarsest": model.coarsest, "image_channels": data.channels}
    generator = Generator(**model.G, **shapes, **given)
    discriminator = Discriminator(**model.D, **given, head=terms.head(rules))
    z = latents(model.latents, generator.latent_dim)

    def loss(view, batch, key, player):
        """Every level's, of real images and those that are refined of real images of the level below."""
        key_z, key_d, key_rounds = jax.random.split(key, 3)
        real, labels = pyramid(to_float(batch["image"]), len(levels)), batch["label"]
        noise, draws = view.shard(z.draw(key_z, len(labels))), itertools.count()
        fake, _ = view.net("G")(noise, labels, real[:-1])

        def see(level, d, images, labels):
            """The levels know nothing of each other, and those that nobody asks are not computed."""
            asked = [jnp.zeros((len(images), side, side, data.channels)) for side in levels]
            asked[level] = images
            verdicts, d = d(asked, labels, rngs={"noise": jax.random.fold_in(key_d, next(draws))})
            return verdicts[level], d

        def generate(level, z, labels):
            return view.net("G")(z, labels, real[:-1])[0][level]

        value, aux, metrics = jnp.float32(0), {}, {}
        for level, (side, referee) in enumerate(zip(levels, referees, strict=True)):
            key_round, key_terms = jax.random.split(jax.random.fold_in(key_rounds, level))
            pairs = ((real[level], labels), (fake[level], labels))
            players = (functools.partial(function, level) for function in (see, generate))
            round, _ = referee.round(view, key_round, player, *pairs, noise, *players)
            cost, out = {"D": referee.discriminator, "G": referee.generator}[player](round, key_terms)
            value, aux, metrics = value + cost, aux | out.aux, metrics | out.metrics | {f"loss_{side}": cost}
        return value, Out(aux=aux, metrics=metrics)

    label = jnp.zeros(1, jnp.int32)
    images = tuple(jnp.zeros((1, side, side, data.channels)) for side in levels)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
        "D": Network(discriminator, lambda: (images, label)),
    }
    kept = checks.collections(networks)
    # What is said of weights is said of those of all levels at once.
    finer = dataclasses.replace(rules, orthogonal=0.0, historical_averaging=0.0)
    given = zip(levels, [rules] + [finer] * (len(levels) - 1), strict=True)
    referees = [Referee(config, of_level, kept, suffix=f"_{side}") for side, of_level in given]
    return Recipe(
        networks=networks,
        players=opponents(config),
        phases=(
            Phase("discriminator", ("discriminator",), functools.partial(loss, player="D")),
            Phase("generator", ("generator",), functools.partial(loss, player="G")),
            *itertools.chain(*(referee.adaptations() for referee in referees)),
        ),
        aux=lambda: {name: entry for referee in referees for name, entry in referee.aux().items()},
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: jnp.clip(generator.apply(variables["G"], z, labels)[-1], -1, 1),
        ema=Ema(("G",), config.ema) if config.ema else None,
    )


def of_all_levels(
    recipe: Recipe, variables: Mapping[str, Any], z: jax.Array, labels: jax.Array
) -> tuple[jax.Array, ...]:
    """Generated images of all levels, each [n, side, side, c], coarsest first: what one level makes the next refines."""
    return recipe.networks["G"].module.apply(variables["G"], z, labels)
