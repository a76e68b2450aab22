"""Adversarial losses: pure functions of float32 logits [n], means over the batch.

`real` are the discriminator's logits of real images, `fake` those of generated ones; the two may differ in number
except where they are compared in pairs.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus

from gan_jax.errors import ConfigError

Elementwise = Callable[[jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """The two sides of a game, each to be minimised.

    Attributes:
        real, fake: what the discriminator pays for the logit of a real and of a generated image.
        generated: what the generator pays for the logit of one of its images.
        disowned: what an encoder pays for the logit of a real image with its code, which is to be taken for a generated
            one; None for `fake`.
    """

    real: Elementwise
    fake: Elementwise
    generated: Elementwise
    disowned: Elementwise | None = None

    compares = False  # whether the generator needs logits of real images

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        return self.real(real).mean() + self.fake(fake).mean()

    def generator(self, fake: jax.Array, real: jax.Array | None = None, weights: jax.Array | None = None) -> jax.Array:
        """What the generator minimises; `weights` [n] of its images have a sum of 1, None for all alike."""
        return _mean(self.generated(fake), weights)

    def exchanged(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """What generator and encoder minimise, who want each kind of pair to be taken for the other (arXiv 1606.00704)."""
        return self.generated(fake).mean() + (self.disowned or self.fake)(real).mean()


@dataclasses.dataclass(frozen=True)
class RelativisticLoss(AdversarialLoss):
    """A game about how far real images are ahead of generated ones (arXiv 1807.00734): both sides need both logits.

    Attributes:
        average: compare with the mean of the others (RaGAN) instead of with one other each (RpGAN).
    """

    generated: Elementwise = dataclasses.field(init=False, repr=False, default=lambda x: x)
    average: bool = False

    compares = True

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        return self._contest(real, fake, None)

    def generator(self, fake: jax.Array, real: jax.Array | None = None, weights: jax.Array | None = None) -> jax.Array:
        """The same contest with the sides changed."""
        return self._contest(fake, real, weights)

    def exchanged(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        return self._contest(fake, real, None)

    def _contest(self, ahead, behind, weights):
        if not self.average:
            return _mean(self.real(ahead - behind), weights)
        return _mean(self.real(ahead - behind.mean()), weights) + self.fake(behind - _mean(ahead, weights)).mean()


def energy(margin: float) -> AdversarialLoss:
    """EBGAN (arXiv 1609.03126, equations 1 and 2): logits are energies of 0 or more, low for real images."""
    return AdversarialLoss(real=lambda x: x, fake=lambda x: relu(margin - x), generated=lambda x: x)


_CROSS_ENTROPY = (lambda x: softplus(-x), softplus)
_HINGE = (lambda x: relu(1 - x), lambda x: relu(1 + x))
_SQUARE = lambda target: lambda x: 0.5 * (x - target) ** 2  # noqa: E731
_LOSSES = {
    "hinge": AdversarialLoss(*_HINGE, generated=lambda x: -x, disowned=lambda x: x),
    "non_saturating": AdversarialLoss(*_CROSS_ENTROPY, generated=lambda x: softplus(-x)),
    "minimax": AdversarialLoss(*_CROSS_ENTROPY, generated=lambda x: -softplus(x), disowned=lambda x: -softplus(-x)),
    "least_squares": AdversarialLoss(_SQUARE(1), _SQUARE(0), generated=_SQUARE(1)),
    "wasserstein": AdversarialLoss(lambda x: -x, lambda x: x, generated=lambda x: -x),
    "relativistic": RelativisticLoss(*_CROSS_ENTROPY),
    "relativistic_average": RelativisticLoss(*_CROSS_ENTROPY, average=True),
    "relativistic_average_hinge": RelativisticLoss(*_HINGE, average=True),
    "relativistic_average_least_squares": RelativisticLoss(
        lambda x: (x - 1) ** 2, lambda x: (x + 1) ** 2, average=True
    ),
}
NAMES = (*_LOSSES, "energy:MARGIN")
_WITH_TARGETS = ("non_saturating", "minimax", "least_squares")


def adversarial(name: str, smoothing: float = 0.0) -> AdversarialLoss:
    """The loss called `name`.

    "hinge" (arXiv 1705.02894; SNGAN, SAGAN, BigGAN), "non_saturating" and "minimax" (arXiv 1406.2661, with labels 1
    and 0), "least_squares" (arXiv 1611.04076, labels 1 and 0, on logits), "wasserstein" (arXiv 1701.07875), "relativistic"
    (pairs, logistic, as in R3GAN, arXiv 2501.05441, equation 2), "relativistic_average" and the same with "_hinge" and
    "_least_squares" (arXiv 1807.00734), "energy:MARGIN" (see `energy`).

    Args:
        smoothing: s for real images with the target 1 - s (one-sided label smoothing, arXiv 1606.03498, section 3.4);
            only for losses with targets 1 and 0. Least squares is lower by s(1 - s)/2 than this, at the same gradient.

    Raises:
        ConfigError: another name, or a loss that has no target to smooth.
    """
    kind, _, margin = name.partition(":")
    if kind == "energy":
        loss = energy(_margin(name, margin))
    elif name in _LOSSES:
        loss = _LOSSES[name]
    else:
        raise ConfigError(f"the adversarial loss is {name!r}: expected one of {', '.join(map(repr, NAMES))}")
    if not smoothing:
        return loss
    if name not in _WITH_TARGETS or not 0 < smoothing < 1:
        raise ConfigError(
            f"label smoothing is {smoothing} with the loss {name!r}: expected 0, or below 1 with {' or '.join(_WITH_TARGETS)}"
        )
    return dataclasses.replace(loss, real=lambda x: (1 - smoothing) * loss.real(x) + smoothing * loss.fake(x))


def top_share(logits: jax.Array, share: jax.Array | float) -> jax.Array:
    """Weights [n] that sum to 1: alike for the highest logits, so many of them as `share` of n says, 0 for the others.

    Top-k training of generators (arXiv 2002.06224). At least one logit counts. Between devices it costs an all-gather of
    the logits.
    """
    count = jnp.maximum(jnp.floor(share * len(logits)), 1)
    rank = jnp.argsort(jnp.argsort(-jax.lax.stop_gradient(logits)))
    return (rank < count) / count


def _mean(values, weights):
    return values.mean() if weights is None else (weights * values).sum()


def _margin(name, text):
    try:
        margin = float(text)
    except ValueError:
        margin = -1.0
    if not 0 < margin < float("inf"):
        raise ConfigError(f'the adversarial loss is {name!r}: expected a margin above 0, such as "energy:10"')
    return margin
