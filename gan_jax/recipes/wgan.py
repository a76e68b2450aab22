"""WGAN (Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875), in the form of martinarjovsky/WassersteinGAN.

DCGAN's networks; the critic's weights are clipped after each of its steps, of which there are five for one of the
generator, and a hundred at the beginning and now and then.
"""

import dataclasses

from gan_jax.engine.recipe import Recipe
from gan_jax.game import rules
from gan_jax.game.game import Extras
from gan_jax.game.pair import pair


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(rules.Rules):
    """Those of the game, and when the critic takes `long_steps`: in the first `long_first` steps and every `long_every`."""

    loss: str = "wasserstein"
    discriminator_steps: int = 5
    clip: float = 0.01
    long_steps: int = 100
    long_first: int = 25
    long_every: int = 500

    positive = (*rules.Rules.positive, "long_steps", "long_every")


def build(config) -> Recipe:
    return pair(config, Rules, _extras)


def _extras(rules: Rules) -> Extras:
    def steps(step: int) -> int:
        longer = step < rules.long_first or step % rules.long_every == 0
        return rules.long_steps if longer else rules.discriminator_steps

    return Extras(discriminator_steps=steps)
