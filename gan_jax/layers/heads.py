"""What a discriminator says of images, and the last layers that say it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer

from gan_jax.errors import ConfigError
from gan_jax.layers.linear import Dense, Embed
from gan_jax.layers.minibatch_discrimination import MinibatchDiscrimination


class Verdict(NamedTuple):
    """A discriminator's answer to n images, all float32.

    Attributes:
        logits: [n], high for real images.
        features: [n, d], what the logits are made of; None where it does not tell.
        answers: to other questions, by name: [n, k].
    """

    logits: jax.Array
    features: jax.Array | None
    answers: Mapping[str, jax.Array]


def told(
    features: jax.Array,
    logits: Callable[[jax.Array], jax.Array],
    questions: Mapping[str, int] = MappingProxyType({}),
    minibatch: int = 0,
    suffix: str = "",
) -> Verdict:
    """The verdict of a discriminator whose last layers are not a `Head`'s. To be called in its compact method.

    Args:
        features: [n, d], in front of its last layers.
        logits: these layers, of features float32 [n, d + minibatch]; what they return is the verdict's logits.
        questions, minibatch: see `Head`.
        suffix: behind the names of the layers that this adds.
    """
    features = features.astype(jnp.float32)
    if minibatch:
        features = MinibatchDiscrimination(minibatch, name=f"minibatch{suffix}")(features)
    init = {"kernel_init": nn.initializers.lecun_normal(), "bias_init": nn.initializers.zeros}
    answers = {name: Dense(size, **init, name=name + suffix)(features) for name, size in questions.items()}
    return Verdict(logits(features), features, answers)


class Head(nn.Module):
    """The last layers of a discriminator: features [n, d] and labels to a `Verdict`, in float32.

    Attributes:
        questions: linear outputs beside the logit, `{name: size}`.
        summed: the logit is log sum exp of the answer "classes" (arXiv 1606.03498, section 5), not an output of its own.
        ahead: the logit is how far the best entry of the answer "classes" is ahead of its last, "generated" (MHGAN).
        minibatch: so many features are added that compare an image with the others, see `minibatch_discrimination`.
        num_classes: rows of the tables below.
        projection: add <embedding(label), features> to the logit (arXiv 1802.05637).
        predict: an image without a label (-1, or a vector of zeros) is taken for what the answer "classes" says.
        proxy: size of a vector for each class, which becomes the answer "proxy" to the label; 0 for none.
        sn_eps, kernel_init: of all layers.
        use_bias, bias_init, weight_norm: of the linear ones; None for U(+-1/sqrt(fan_in)).
    """

    questions: Mapping[str, int] = ()
    num_classes: int = 0
    projection: bool = False
    predict: bool = False
    proxy: int = 0
    sn_eps: float | None = None
    kernel_init: Initializer = nn.initializers.normal(0.02)
    use_bias: bool = True
    bias_init: Initializer | None = nn.initializers.zeros
    weight_norm: bool = False
    summed: bool = False
    ahead: bool = False
    minibatch: int = 0

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array) -> Verdict:
        def linear(size, name):
            init = {"kernel_init": self.kernel_init, "bias_init": self.bias_init}
            return Dense(size, self.sn_eps, self.use_bias, **init, weight_norm=self.weight_norm, name=name)(features)

        def table(size, name):
            return Embed(self.num_classes, size, self.sn_eps, self.kernel_init, name=name)(labels)

        features = features.astype(jnp.float32)
        if self.minibatch:
            features = MinibatchDiscrimination(self.minibatch, name="minibatch")(features)
        answers = {name: linear(size, name) for name, size in dict(self.questions).items()}
        if self.summed:
            logits = jax.nn.logsumexp(answers["classes"], axis=-1)
        elif self.ahead:
            logits = answers["classes"][:, :-1].max(-1) - answers["classes"][:, -1]
        else:
            logits = linear(1, "linear")[:, 0]
        if self.predict:
            labels = completed(labels, answers["classes"])
        if self.projection:
            logits += (table(features.shape[-1], "projection") * features).sum(-1)
        if self.proxy:
            answers["proxy"] = table(self.proxy, "proxy")
        return Verdict(logits, features, answers)


def completed(labels: jax.Array, classes: jax.Array) -> jax.Array:
    """Labels in their form, those that are missing replaced by the most likely class of logits [n, num_classes]."""
    likely = jnp.argmax(classes, axis=-1)  # without a gradient
    if jnp.issubdtype(labels.dtype, jnp.floating):
        return jnp.where(labels.any(-1, keepdims=True), labels, jax.nn.one_hot(likely, labels.shape[-1]))
    return jnp.where(labels < 0, likely.astype(labels.dtype), labels)


def pooled(x: jax.Array, how: str) -> jax.Array:
    """Features float32 [n, c] of a map [n, h, w, c]: the "sum" or the "mean" of its positive parts.

    Raises:
        ConfigError: another word.
    """
    if how not in ("sum", "mean"):
        raise ConfigError(f"config.model.D.pool is {how!r}: expected 'sum' or 'mean'")
    x = nn.relu(x).astype(jnp.float32)
    return x.sum((1, 2)) if how == "sum" else x.mean((1, 2))
