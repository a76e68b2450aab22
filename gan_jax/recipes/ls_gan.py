"""LS-GAN (Qi 2017, arXiv 1701.06264): a loss of images, lower for real ones by their distance to generated ones.

The discriminator's logit is that loss L. It minimises `phases.real_weight` times the mean of L(x) and
`phases.margin_weight` times the mean of max(distance(x, G(z)) + L(x) - L(G(z)), 0), over pairs of the batch; the
generator minimises the mean of L(G(z)). The distance is `phases.distance` times the mean absolute difference of pixels.
Not to be taken for LSGAN: least squares.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Recipe
from gan_jax.game import rules
from gan_jax.game.game import Extras
from gan_jax.game.pair import pair


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(rules.Rules):
    """Those of the game; `loss` is not used."""

    real_weight: float = 1.0
    margin_weight: float = 1.0
    distance: float = 1.0


def build(config) -> Recipe:
    return pair(config, Rules, _extras)


def _extras(rules: Rules) -> Extras:
    return Extras(
        discriminator=[("real_loss", rules.real_weight, _real_loss), ("margin", rules.margin_weight, _margin)],
        generator=[("generated_loss", 1.0, _generated_loss)],
        adversarial=False,
    )


def _real_loss(round, rules, key):
    return round.real_verdict.logits.mean()


def _generated_loss(round, rules, key):
    return round.fake_verdict.logits.mean()


def _margin(round, rules, key):
    distance = rules.distance * jnp.abs(round.real - round.fake).mean((1, 2, 3))
    return jax.nn.relu(distance + round.real_verdict.logits - round.fake_verdict.logits).mean()
