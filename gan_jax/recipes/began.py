"""BEGAN (Berthelot, Schumm and Metz 2017, arXiv 1703.10717): an autoencoder judges, and a balance is kept.

L is the mean absolute error of the discriminator, an autoencoder. It minimises L(x) - k L(G(z)), the generator
L(G(z)), both in one update. k, from 0, moves by `phases.step` times gamma L(x) - L(G(z)) within [0, 1], once for each
microbatch, so that L(G(z)) stays at gamma of L(x): a lower gamma means better and less diverse images. Form:
carpedm20/BEGAN-tensorflow, trainer.py.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks
from gan_jax.game.latents import latents
from gan_jax.game.opponents import opponents
from gan_jax.game.referee import Referee
from gan_jax.game.rules import HEADLESS, CommonRules, read
from gan_jax.layers.heads import Verdict
from gan_jax.layers.pixels import to_float
from gan_jax.networks.began import Autoencoder, Generator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones, gamma, and how far k moves."""

    gamma: float = 0.5
    step: float = 0.001

    refused: ClassVar = HEADLESS


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(Rules, config.phases)
    if not 0 < rules.gamma <= 1:
        raise ConfigError(f"config.phases.gamma is {rules.gamma}: expected a ratio above 0, at most 1")
    given = {"resolution": data.resolution, "image_channels": data.channels, "dtype": compute_dtype(config)}
    generator, autoencoder = Generator(**model.G, **given), Autoencoder(**model.D, **given)
    z = latents(model.latents, autoencoder.dim_z)

    def see(d, images, labels):
        (rebuilt, codes), d = d(images)
        return Verdict(jnp.abs(images - rebuilt).mean((1, 2, 3)), codes, {}), d

    def both(view, batch, key):
        key_z, key_round, key_terms = jax.random.split(key, 3)
        noise = view.shard(z.draw(key_z, len(batch["image"])))

        def generate(z, labels):
            return view.net("G")(z)[0]

        pairs = ((to_float(batch["image"]), batch["label"]), (generate(noise, None), batch["label"]))
        round, _ = referee.round(view, key_round, "D", *pairs, noise, see, generate)
        of_real, of_fake, k = round.real_verdict.logits.mean(), round.fake_verdict.logits.mean(), view.aux["k"]
        of_d, of_g, out = referee.terms_of_both(round, key_terms)
        balance = rules.gamma * of_real - of_fake
        metrics = {"real_error": of_real, "fake_error": of_fake, "k": k, "convergence": of_real + jnp.abs(balance)}
        moved = jnp.clip(k + rules.step * balance, 0, 1)
        values = {"discriminator": of_real - k * of_fake + of_d, "generator": of_fake + of_g}
        return values, Out(aux={**out.aux, "k": moved}, metrics={**out.metrics, **metrics})

    side = data.resolution
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)),)),
        "D": Network(autoencoder, lambda: (jnp.zeros((1, side, side, data.channels)),)),
    }
    referee = Referee(config, rules, checks.collections(networks), played=False, real_is_high=False)
    return Recipe(
        networks=networks,
        players=opponents(config),
        phases=(Phase("both", ("discriminator", "generator"), both), *referee.adaptations()),
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: jnp.clip(generator.apply(variables["G"], z), -1, 1),
        aux=lambda: {**referee.aux(), "k": jnp.float32(0)},
        ema=Ema(("G",), config.ema) if config.ema else None,
    )
