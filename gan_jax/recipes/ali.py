"""ALI and BiGAN (Dumoulin et al. 2017, arXiv 1606.00704; Donahue et al. 2017, arXiv 1605.09782): images and latents in pairs.

A discriminator tells pairs (x, E(x)) of real images from pairs (G(z), z); generator and encoder, one player, make them
alike, so that E inverts G. All learn in one update, from the same pairs, by cross-entropy with the labels changed for
the player of G and E. With `phases.stochastic` the encoder's vector is a mean and a logarithm of a variance, and E(x)
is drawn (ALI); without, E(x) is the vector (BiGAN). The penalty `phases.r1` (arXiv 1801.04406), which the papers do not
have, is by the images and their E(x): it keeps few images from being learnt by heart.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Recipe, compute_dtype
from gan_jax.game import checks, terms
from gan_jax.game.latents import latents
from gan_jax.game.opponents import opponents
from gan_jax.game.referee import Referee
from gan_jax.game.rules import PAIRS_OF_BOTH, CommonRules, read
from gan_jax.layers.pixels import to_float
from gan_jax.networks.ali import Discriminator
from gan_jax.networks.dcgan import Generator
from gan_jax.networks.encoder import Encoder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones, and whether the encoder draws."""

    stochastic: bool = True

    refused: ClassVar = PAIRS_OF_BOTH


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(Rules, config.phases)
    checks.labels(model, 0)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    encoder = Encoder(**model.E, **given, outputs=model.G.dim_z * (2 if rules.stochastic else 1))
    discriminator = Discriminator(**model.D, **given, head=terms.head(rules))
    z, label = latents(model.latents, model.G.dim_z), jnp.zeros(1, jnp.int32)

    def encode(view, images, key):
        codes, e = view.net("E")(images)
        if not rules.stochastic:
            return codes, e
        mean, log_variance = jnp.split(codes, 2, axis=-1)
        return mean + jnp.exp(log_variance / 2) * view.normal(key, mean.shape), e

    def both(view, batch, key):
        key_z, key_e, key_d, key_round, key_terms = jax.random.split(key, 5)
        real, unlabelled = to_float(batch["image"]), jnp.zeros_like(batch["label"])
        noise = view.shard(z.draw(key_z, len(real)))
        fake, g = view.net("G")(noise, unlabelled)
        codes, e = encode(view, real, key_e)

        def see(d, images, codes):
            return d(images, codes, rngs={"noise": key_d})

        def generate(z, labels):
            return view.net("G")(z, unlabelled)[0]

        pairs = ((real, codes), (fake, noise))
        round, d = referee.round(view, key_round, "D", *pairs, noise, see, generate, pairs=True)
        real_logits, fake_logits = round.real_verdict.logits, round.fake_verdict.logits
        of_d, of_g, out = referee.terms_of_both(round, key_terms)
        values = {
            "discriminator": referee.loss.discriminator(real_logits, fake_logits) + of_d,
            "generator": referee.loss.exchanged(real_logits, fake_logits) + of_g,
        }
        metrics = {**out.metrics, "real_logit": real_logits.mean(), "fake_logit": fake_logits.mean()}
        return values, Out({"G": g.stats, "E": e.stats, "D": d.stats}, out.aux, metrics)

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
        "E": Network(encoder, lambda: (image,)),
        "D": Network(discriminator, lambda: (image, jnp.zeros((1, z.size)))),
    }
    shapes = checks.collections(networks)
    checks.statistics(config, shapes)
    referee = Referee(config, rules, shapes)
    return Recipe(
        networks=networks,
        players=opponents(config, generator=("G", "E")),
        phases=(Phase("both", ("discriminator", "generator"), both), *referee.adaptations()),
        aux=referee.aux,
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "E"), config.ema) if config.ema else None,
    )


def reconstruct(recipe: Recipe, variables, images: jax.Array) -> jax.Array:
    """Images [n, r, r, c] in [-1, 1] through the encoder, by its means, and the generator."""
    codes = recipe.networks["E"].module.apply(variables["E"], images, train=False)
    z = codes[:, : recipe.networks["G"].module.dim_z]
    return recipe.sample(variables, z, jnp.zeros(len(images), jnp.int32), {})
