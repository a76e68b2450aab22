"""Adversarial losses: pure functions of float32 logits [n], means over the batch.

`real` are the discriminator's logits of real images, `fake` those of generated ones; the two may differ in number
except where they are compared in pairs.
"""

import dataclasses
from collections.abc import Callable

import jax
from jax.nn import relu, softplus

from gan_jax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """The two sides of a game, each to be minimised.

    Attributes:
        discriminator: `(real, fake) -> scalar`.
        generator: `(fake) -> scalar`.
    """

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array], jax.Array]


def _cross_entropy(real, fake):
    return softplus(-real).mean() + softplus(fake).mean()


_LOSSES = {
    "hinge": AdversarialLoss(
        discriminator=lambda real, fake: relu(1 - real).mean() + relu(1 + fake).mean(),
        generator=lambda fake: -fake.mean(),
    ),
    "non_saturating": AdversarialLoss(_cross_entropy, generator=lambda fake: softplus(-fake).mean()),
    "minimax": AdversarialLoss(_cross_entropy, generator=lambda fake: -softplus(fake).mean()),
    "least_squares": AdversarialLoss(
        discriminator=lambda real, fake: 0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean(),
        generator=lambda fake: 0.5 * ((fake - 1) ** 2).mean(),
    ),
    "wasserstein": AdversarialLoss(
        discriminator=lambda real, fake: fake.mean() - real.mean(),
        generator=lambda fake: -fake.mean(),
    ),
}


def adversarial(name: str) -> AdversarialLoss:
    """The loss called `name`.

    "hinge" (arXiv 1705.02894; SNGAN, SAGAN, BigGAN), "non_saturating" and "minimax" (arXiv 1406.2661, with labels 1
    and 0), "least_squares" (arXiv 1611.04076, labels 1 and 0, on logits), "wasserstein" (arXiv 1701.07875).

    Raises:
        ConfigError: on any other name.
    """
    if name not in _LOSSES:
        raise ConfigError(f"the adversarial loss is {name!r}: expected one of {', '.join(map(repr, _LOSSES))}")
    return _LOSSES[name]


def relativistic(ahead: jax.Array, behind: jax.Array) -> jax.Array:
    """Mean of softplus(behind - ahead) over pairs of logits [n]: how far the ones are from being ahead of the others.

    The discriminator's loss is `relativistic(real, fake)`, the generator's `relativistic(fake, real)`; so the generator's
    needs real images too. Source: RpGAN, arXiv 1807.00734, with the logistic loss as in R3GAN, arXiv 2501.05441,
    equation 2.
    """
    return softplus(behind - ahead).mean()
