"""EBGAN (Zhao, Mathieu and LeCun 2017, arXiv 1609.03126): the discriminator gives images energies, low for real ones.

Its autoencoder's squared error is the energy, which is raised for generated images up to a margin (`phases.loss`,
"energy:MARGIN"). The generator lowers it; with `phases.pulling_away` (0.1 in the paper) codes of its images are to
differ. Family `ebgan`.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Recipe
from gan_jax.game import rules
from gan_jax.game.game import Extras
from gan_jax.game.pair import pair
from gan_jax.game.round import Round
from gan_jax.losses.conditional import cosines


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(rules.Rules):
    """Those of the game, and the weight of the pulling-away term."""

    loss: str = "energy:1"
    pulling_away: float = 0.0


def build(config) -> Recipe:
    return pair(config, Rules, lambda rules: Extras(generator=[("pulling_away", rules.pulling_away, pulling_away)]))


def pulling_away(round: Round, rules: Rules, key: jax.Array) -> jax.Array:
    """Mean squared cosine of the codes of two generated images (equation 8)."""
    codes, n = round.fake_verdict.features, len(round.fake)
    return (jnp.square(cosines(codes, codes)).sum() - n) / (n * max(n - 1, 1))
