"""LAPGAN (Denton et al. 2015, arXiv 1506.05751): images from coarse to fine, by a GAN for each level of a Laplacian pyramid.

The coarsest level is a GAN of small images. Every finer one refines a real image of the level below in training, its own
in sampling, and its discriminator tells real images from refined ones. The levels are trained at once: their losses are
added, no gradient goes from one to another, and Adam or momentum treats every weight by itself, so that each learns as
it would alone. Form: facebookarchive/eyescream, cifar/train.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game.latents import latents
from gan_jax.layers.pairs import apart, in_turns
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.networks.lapgan import Discriminator, Generator, pyramid, sides


def build(config) -> Recipe:
    data, model = config.data, config.model
    levels = sides(data.resolution, model.coarsest)
    given = {"num_classes": data.num_classes, "dtype": compute_dtype(config)}
    shapes = {"resolution": data.resolution, "coarsest": model.coarsest, "image_channels": data.channels}
    generator, discriminator = Generator(**model.G, **shapes, **given), Discriminator(**model.D, **given)
    z, loss = latents(model.latents, generator.latent_dim), adversarial("non_saturating")

    def play(view, batch, key):
        """Real and refined images of all levels, both by real images of the level below."""
        real = pyramid(to_float(batch["image"]), len(levels))
        return real, view.net("G")(view.shard(z.draw(key, len(batch["label"]))), batch["label"], real[:-1])[0]

    def discriminator_loss(view, batch, key):
        key_z, key_d = jax.random.split(key)
        both = jax.tree.map(in_turns, *play(view, batch, key_z))
        logits, _ = view.net("D")(both, in_turns(batch["label"], batch["label"]), rngs={"noise": key_d})
        of_levels = dict(zip(levels, map(apart, logits), strict=True))
        metrics = {f"real_logit_{side}": real.mean() for side, (real, _) in of_levels.items()}
        metrics |= {f"fake_logit_{side}": fake.mean() for side, (_, fake) in of_levels.items()}
        return sum(loss.discriminator(*pair) for pair in of_levels.values()), Out(metrics=metrics)

    def generator_loss(view, batch, key):
        key_z, key_d = jax.random.split(key)
        _, fake = play(view, batch, key_z)
        logits, _ = view.net("D")(fake, batch["label"], rngs={"noise": key_d})
        costs = {f"loss_{side}": loss.generator(of_level) for side, of_level in zip(levels, logits, strict=True)}
        return sum(costs.values()), Out(metrics=costs)

    label = jnp.zeros(1, jnp.int32)
    images = tuple(jnp.zeros((1, side, side, data.channels)) for side in levels)
    return Recipe(
        networks={
            "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
            "D": Network(discriminator, lambda: (images, label)),
        },
        players={
            "generator": Player(("G",), config.players.generator),
            "discriminator": Player(("D",), config.players.discriminator),
        },
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss),
        ),
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: jnp.clip(generator.apply(variables["G"], z, labels)[-1], -1, 1),
        ema=Ema(("G",), config.ema) if config.ema else None,
    )


def of_all_levels(
    recipe: Recipe, variables: Mapping[str, Any], z: jax.Array, labels: jax.Array
) -> tuple[jax.Array, ...]:
    """Generated images of all levels, each [n, side, side, c], coarsest first: what one level makes the next refines."""
    return recipe.networks["G"].module.apply(variables["G"], z, labels)
