"""LOGAN (Wu et al. 2019, arXiv 1912.00953): latents are improved by a step along the discriminator's natural gradient.

Before either player's update z becomes z + rate * g / (damping + |g|^2), with g the gradient by z of the
discriminator's logit of G(z), clipped to [-1, 1]; a share of the latents stays as it was, and both players pay
`phases.latent_cost` times the mean squared step. The gradient flows through the step, too. Form: PyTorch-StudioGAN,
utils/losses.py; the constants are the paper's. BigGAN's networks. Sampling takes latents as they are drawn.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Recipe
from gan_jax.errors import ConfigError
from gan_jax.game import rules
from gan_jax.game.game import Extras
from gan_jax.game.pair import pair
from gan_jax.game.round import Round


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(rules.Rules):
    """Those of the game, and the step of the latents: its rate, its damping, the share that it is for, what it costs."""

    latent_rate: float = 0.9
    latent_damping: float = 5.0
    latent_share: float = 0.8
    latent_cost: float = 300.0

    shares = (*rules.Rules.shares, "latent_share")


def build(config) -> Recipe:
    if config.model.latents != "uniform":
        raise ConfigError(
            f'config.model.latents is {config.model.latents!r}: expected "uniform", as improved latents are clipped to [-1, 1]'
        )
    return pair(config, Rules, lambda rules: Extras(refine=_refine(rules)))


def _refine(rules: Rules):
    def refine(round: Round, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        labels = round.fake_labels
        score = lambda z: round.judge(round.generate(z, labels), labels).logits.sum()  # noqa: E731
        gradient = jax.grad(score)(round.z)
        step = rules.latent_rate * gradient / (rules.latent_damping + jnp.square(gradient).sum(1, keepdims=True))
        chosen = round.uniform(key, (len(round.z), 1)) < rules.latent_share
        moved = jnp.clip(round.z + jnp.where(chosen, step, 0), -1, 1)
        return moved, rules.latent_cost * jnp.square(step).sum(1).mean()

    return refine
