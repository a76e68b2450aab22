"""How a discriminator judges classes: what its head is asked, and what both players pay for the answers.

The section `phases.conditioning` has a `name` and, where the method has numbers, its fields:

    none             labels are not looked at, unless the network itself takes them in (concat, conditional normalisation)
    projection       <embedding(label), features> in the logit (arXiv 1802.05637)
    predicted        the same of images without a label by the class that the discriminator tells; weight of that classifier,
                     which learns from labelled images (S3GAN, arXiv 1903.02271; compare_gan, gans/s3gan.py)
    auxiliary        a classifier; weight and, of generated images in the discriminator's loss, weight_fake, in the
                     generator's, weight_generator (AC-GAN, arXiv 1610.09585: 1 for all; PyTorch-StudioGAN: weight_fake 0)
    twin_auxiliary   the same and a second classifier of generated images, which the generator works against (TAC-GAN,
                     arXiv 1907.02690)
    discriminative   a classifier of 2 classes for each, real and generated (ADC-GAN, arXiv 2107.10060)
    contrastive      proxies and the other images of the batch: weight, temperature, size, and whether images of the class
                     are positives beside its proxy (ContraGAN, arXiv 2006.12681)
    data_to_data     the same with its own loss: weight, temperature, margin, size (ReACGAN, arXiv 2111.01118)
    multi_hinge      num_classes + 1 logits in place of the one: weight, that of the generator's (MHGAN, arXiv 1912.04216)
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.heads import Verdict
from gan_jax.losses import conditional
from gan_jax.losses.auxiliary import class_cross_entropy, labelled_cross_entropy

Loss = Callable[[Verdict, jax.Array], jax.Array]


def nothing(verdict: Verdict, labels: jax.Array) -> jax.Array:
    return jnp.float32(0)


@dataclasses.dataclass(frozen=True)
class Conditioning:
    """A way to judge classes.

    Attributes:
        head: fields of `layers.heads.Head`.
        real, fake: `(verdict, labels) -> scalar`, what the discriminator pays for real and for generated images.
        generated: what the generator pays.
        alone: whether these stand in the place of the adversarial loss.
        hidden_labels: whether real images may have no label, -1.
    """

    head: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    real: Loss = nothing
    fake: Loss = nothing
    generated: Loss = nothing
    alone: bool = False
    hidden_labels: bool = False


def build(section: Mapping[str, Any], num_classes: int) -> Conditioning:
    """The conditioning of the config section `phases.conditioning`.

    Raises:
        ConfigError: another name, a field or number that it cannot have, or data without classes.
    """
    values = dict(section)
    name = values.pop("name", None)
    if name not in METHODS:
        known = ", ".join(map(repr, METHODS))
        raise ConfigError(f"config.phases.conditioning.name is {name!r}: expected one of {known}")
    make, defaults = METHODS[name]
    if unknown := sorted(set(values) - set(defaults)):
        raise ConfigError(
            f"config.phases.conditioning has {unknown[0]!r}: the fields of {name!r} are {sorted(defaults)}"
        )
    for field, value in values.items():
        if not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise ConfigError(f"config.phases.conditioning.{field} is {value!r}: expected 0 or more")
        if field == "temperature" and not value:
            raise ConfigError("config.phases.conditioning.temperature is 0: expected more")
    if name != "none" and num_classes < 1:
        raise ConfigError(
            f"config.phases.conditioning.name is {name!r}, which needs labels, but config.data.num_classes is {num_classes}: "
            'take data with classes, or "none"'
        )
    return make(num_classes, **{**defaults, **values})


def _none(num_classes: int) -> Conditioning:
    return Conditioning()


def _projection(num_classes: int) -> Conditioning:
    return Conditioning({"num_classes": num_classes, "projection": True})


def _predicted(num_classes: int, weight: float) -> Conditioning:
    head = {"questions": {"classes": num_classes}, "num_classes": num_classes, "projection": True, "predict": True}

    def told(verdict, labels):
        return weight * labelled_cross_entropy(verdict.answers["classes"], labels)

    return Conditioning(head, real=told, hidden_labels=True)


def _auxiliary(num_classes: int, weight: float, weight_fake: float, weight_generator: float) -> Conditioning:
    def named(factor):
        return lambda verdict, labels: factor * class_cross_entropy(verdict.answers["classes"], labels)

    return Conditioning({"questions": {"classes": num_classes}}, *map(named, (weight, weight_fake, weight_generator)))


def _twin_auxiliary(num_classes: int, weight: float, weight_twin: float) -> Conditioning:
    def classified(verdict, labels):
        return weight * class_cross_entropy(verdict.answers["classes"], labels)

    def twin(verdict, labels):
        return weight_twin * class_cross_entropy(verdict.answers["twin"], labels)

    questions = {"classes": num_classes, "twin": num_classes}
    return Conditioning({"questions": questions}, classified, twin, lambda v, y: classified(v, y) - twin(v, y))


def _discriminative(num_classes: int, weight: float) -> Conditioning:
    def as_real(verdict, labels):
        return weight * class_cross_entropy(verdict.answers["classes"], 2 * labels)

    def as_fake(verdict, labels):
        return weight * class_cross_entropy(verdict.answers["classes"], 2 * labels + 1)

    questions = {"classes": 2 * num_classes}
    return Conditioning({"questions": questions}, as_real, as_fake, lambda v, y: as_real(v, y) - as_fake(v, y))


def _contrastive(num_classes: int, weight: float, temperature: float, positives: bool, size: int) -> Conditioning:
    def loss(verdict, labels):
        embedding, proxy = verdict.answers["embedding"], verdict.answers["proxy"]
        return weight * conditional.contrastive(embedding, proxy, labels, temperature, positives)

    return Conditioning(_with_proxies(num_classes, size), real=loss, generated=loss)


def _data_to_data(num_classes: int, weight: float, temperature: float, margin: float, size: int) -> Conditioning:
    def loss(verdict, labels):
        embedding, proxy = verdict.answers["embedding"], verdict.answers["proxy"]
        return weight * conditional.data_to_data(embedding, proxy, labels, temperature, margin)

    return Conditioning(_with_proxies(num_classes, size), real=loss, generated=loss)


def _multi_hinge(num_classes: int, weight: float) -> Conditioning:
    def as_class(verdict, labels):
        return conditional.multi_hinge(verdict.answers["classes"], labels)

    return Conditioning(
        {"questions": {"classes": num_classes + 1}, "ahead": True},
        real=as_class,
        fake=lambda verdict, labels: as_class(verdict, jnp.full_like(labels, num_classes)),
        generated=lambda verdict, labels: weight * as_class(verdict, labels),
        alone=True,
    )


def _with_proxies(num_classes, size):
    return {"questions": {"embedding": int(size)}, "num_classes": num_classes, "proxy": int(size)}


# Those that want one class for each image, as a number.
OF_NUMBERS = ("discriminative", "contrastive", "data_to_data", "multi_hinge")
METHODS: dict[str, tuple[Callable[..., Conditioning], dict[str, float]]] = {
    "none": (_none, {}),
    "projection": (_projection, {}),
    "predicted": (_predicted, {"weight": 1.0}),
    "auxiliary": (_auxiliary, {"weight": 1.0, "weight_fake": 0.0, "weight_generator": 1.0}),
    "twin_auxiliary": (_twin_auxiliary, {"weight": 1.0, "weight_twin": 1.0}),
    "discriminative": (_discriminative, {"weight": 1.0}),
    "contrastive": (_contrastive, {"weight": 1.0, "temperature": 1.0, "positives": True, "size": 512}),
    "data_to_data": (_data_to_data, {"weight": 0.5, "temperature": 0.5, "margin": 0.98, "size": 512}),
    "multi_hinge": (_multi_hinge, {"weight": 0.05}),
}
