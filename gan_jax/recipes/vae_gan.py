"""VAE-GAN (Larsen et al. 2016, arXiv 1512.09300): a variational autoencoder whose error is in a discriminator's features.

E gives a mean and a logarithm of a variance, G decodes. Three players in one update (algorithm 1): the encoder
minimises the divergence from N(0, 1) and the squared error of the features of an image and of its reconstruction; the
generator `phases.gamma` times that error and its side of the game; the discriminator the game, in which reconstructions
and images of the prior are generated ones and count half each. The published generator maximises the discriminator's
loss; here its own is non-saturating.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game import checks, terms
from gan_jax.game.referee import Referee
from gan_jax.game.round import Round
from gan_jax.game.rules import CommonRules, read
from gan_jax.layers.pixels import to_float
from gan_jax.networks.dcgan import Discriminator, Generator
from gan_jax.networks.encoder import Encoder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones, of which terms see images of the prior, and gamma."""

    gamma: float = 1e-5

    refused: ClassVar = {"pseudo": "real images are compared with their reconstructions, so none can be replaced"}


def build(config) -> Recipe:
    data, model, rules, size = config.data, config.model, read(Rules, config.phases), config.model.G.dim_z
    checks.labels(model, 0)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    encoder = Encoder(**model.E, **given, outputs=2 * size)
    discriminator, label = Discriminator(**model.D, **given, head=terms.head(rules)), jnp.zeros(1, jnp.int32)

    def together(view, batch, key):
        key_z, key_e, key_real, key_drawn, key_judge, key_round, key_terms = jax.random.split(key, 7)
        real, labels = to_float(batch["image"]), jnp.zeros_like(batch["label"])
        codes, e = view.net("E")(real)
        mean, log_variance = jnp.split(codes, 2, axis=-1)
        z, noise = mean + jnp.exp(log_variance / 2) * view.normal(key_e, mean.shape), view.normal(key_z, mean.shape)
        rebuilt, g = view.net("G")(z, labels)
        drawn, g = g(noise, labels)
        # An image and its reconstruction are augmented alike, so that their features can be compared.
        of_real, d = view.net("D")(referee.augmented(view, real, key_real), labels)
        of_rebuilt, d = d(referee.augmented(view, rebuilt, key_real), labels)
        of_drawn, d = d(referee.augmented(view, drawn, key_drawn), labels)
        judge = referee.judge(view, key_judge, lambda images, labels: view.net("D")(images, labels)[0])
        generate = lambda z, labels: view.net("G")(z, labels)[0]  # noqa: E731
        round = Round(view, real, labels, drawn, labels, noise, key_round, judge, generate).judged(of_real, of_drawn)
        of_d, of_g, out = referee.terms_of_both(round, key_terms)

        prior = divergence(mean, log_variance).mean()
        error = jnp.square(of_real.features - of_rebuilt.features).sum(-1).mean() / 2
        logits = [(of_real.logits, verdict.logits) for verdict in (of_rebuilt, of_drawn)]
        values = {
            "encoder": prior + error,
            "generator": rules.gamma * error
            + sum(referee.fooled(view, fake, real) for real, fake in logits) / 2
            + of_g,
            "discriminator": sum(referee.loss.discriminator(*pair) for pair in logits) / 2 + of_d,
        }
        metrics = {"divergence": prior, "feature_error": error, "pixel_error": jnp.square(real - rebuilt).mean()}
        return values, Out({"G": g.stats, "E": e.stats, "D": d.stats}, out.aux, {**out.metrics, **metrics})

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, size)), label)),
        "E": Network(encoder, lambda: (image,)),
        "D": Network(discriminator, lambda: (image, label)),
    }
    shapes = checks.collections(networks)
    checks.statistics(config, shapes)
    referee = Referee(config, rules, shapes)
    return Recipe(
        networks=networks,
        players={name: Player((net,), config.players[name]) for name, net in _OWNERS.items()},
        phases=(Phase("together", tuple(_OWNERS), together), *referee.adaptations()),
        aux=referee.aux,
        prior=lambda key, options: jax.random.normal(key, (size,)),
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "E"), config.ema) if config.ema else None,
    )


_OWNERS = {"encoder": "E", "generator": "G", "discriminator": "D"}


def divergence(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Kullback-Leibler divergence of normal distributions [n, d] from the standard one: [n]."""
    return (jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance).sum(-1) / 2
