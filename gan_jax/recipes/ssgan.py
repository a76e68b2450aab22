"""SS-GAN (Chen et al. 2019, arXiv 1811.11212): the discriminator also tells how images are turned, lest it forget.

Both players gain where turns are recognised: the discriminator on real images (`phases.rotation`, 1), the generator on
its own (`phases.rotation_generator`, 0.2). Form: compare_gan, gans/ssgan.py, which takes every way of a quarter of the
images; here each image goes one way, so that all stay on their devices. Residual networks, family `biggan`.
"""

import dataclasses

import jax

from gan_jax.engine.recipe import Recipe
from gan_jax.game import rules
from gan_jax.game.game import Extras
from gan_jax.game.pair import pair
from gan_jax.game.round import Round
from gan_jax.layers.rotation import turned
from gan_jax.losses.auxiliary import class_cross_entropy


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(rules.Rules):
    """Those of the game, and the weights of the turns."""

    rotation: float = 1.0
    rotation_generator: float = 0.2


def build(config) -> Recipe:
    return pair(config, Rules, _extras)


def _extras(rules: Rules) -> Extras:
    return Extras(
        discriminator=[("rotation", rules.rotation, _real_turns)],
        generator=[("rotation", rules.rotation_generator, _generated_turns)],
        questions={"rotation": 4},
    )


def _real_turns(round: Round, rules: Rules, key: jax.Array) -> jax.Array:
    return _turns(round, round.real, round.real_labels)


def _generated_turns(round: Round, rules: Rules, key: jax.Array) -> jax.Array:
    return _turns(round, round.fake, round.fake_labels)


def _turns(round, images, labels):
    """Cross-entropy of the discriminator's answer to how images are turned."""
    images, turns = turned(images)
    return class_cross_entropy(round.judge(images, labels).answers["rotation"], round.view.shard(turns))
