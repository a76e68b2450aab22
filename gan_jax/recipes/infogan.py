"""InfoGAN (Chen et al. 2016, arXiv 1606.03657): parts of z are codes that can be read off the images.

z ends with a category as a one-hot vector and numbers from U(-1, 1). Q, which shares the discriminator's layers, says
what they were, and both players maximise a bound of the mutual information: -log Q(codes | G(z)), a cross-entropy and
squared errors over 2 (Gaussians with a deviation of 1). The constant entropies are left out. Form: openai/InfoGAN,
algos/infogan_trainer.py.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import rules, terms
from gan_jax.game.game import Extras, describe
from gan_jax.game.latents import Latents, latents
from gan_jax.game.round import Round
from gan_jax.game.rules import read
from gan_jax.networks.infogan import Discriminator, Generator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(rules.Rules):
    """Those of the game, the codes, and how much they weigh."""

    categories: int = 10
    numbers: int = 2
    category_weight: float = 1.0
    number_weight: float = 1.0


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(Rules, config.phases)
    codes = rules.categories + rules.numbers
    if not codes:
        raise ConfigError("config.phases.categories and numbers are 0: without a code there is nothing to read off")
    if model.G.dim_z <= codes:
        raise ConfigError(
            f"config.model.G.dim_z is {model.G.dim_z}: expected more than the {codes} entries of the codes"
        )
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    errors = [("category", rules.category_weight, category_error), ("number", rules.number_weight, number_error)]
    return describe(
        config,
        rules,
        Generator(**model.G, **given, image_channels=data.channels),
        Discriminator(**model.D, **given, codes=codes, head=terms.head(rules)),
        with_codes(latents(model.latents, model.G.dim_z - codes), rules),
        extras=Extras(discriminator=errors, generator=errors),
    )


def with_codes(noise: Latents, rules: Rules) -> Latents:
    """The noise with codes behind it: a one-hot category, then numbers in [-1, 1]."""

    def draw(key: jax.Array, n: int) -> jax.Array:
        key_z, key_c, key_u = jax.random.split(key, 3)
        category = jax.nn.one_hot(jax.random.randint(key_c, (n,), 0, rules.categories), rules.categories)
        numbers = jax.random.uniform(key_u, (n, rules.numbers), minval=-1.0, maxval=1.0)
        return jnp.concatenate([noise.draw(key_z, n), category, numbers], axis=-1)

    return Latents(noise.size + rules.categories + rules.numbers, draw)


def category_error(round: Round, rules: Rules, key: jax.Array) -> jax.Array:
    """Mean of -log Q(category)."""
    said, wanted = _said_and_wanted(round, rules)
    return -(wanted[:, : rules.categories] * jax.nn.log_softmax(said[:, : rules.categories])).sum(-1).mean()


def number_error(round: Round, rules: Rules, key: jax.Array) -> jax.Array:
    """Mean of -log Q(numbers), up to a constant."""
    said, wanted = _said_and_wanted(round, rules)
    return jnp.square(said - wanted)[:, rules.categories :].sum(-1).mean() / 2


def _said_and_wanted(round, rules):
    codes = rules.categories + rules.numbers
    return round.fake_verdict.answers["codes"], round.z[:, -codes:]
