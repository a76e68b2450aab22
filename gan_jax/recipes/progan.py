"""ProGAN (Karras et al. 2018, arXiv 1710.10196): progressive growing with WGAN-GP, in the form of the published code.

Source: tkarras/progressive_growing_of_gans, loss.py and train.py. The critic moves first, then the generator. The
critic minimises the Wasserstein loss, 10 times the gradient penalty and 0.001 times the drift; with classes, both
players also minimise the cross-entropy of an auxiliary classifier. Weights of the generator are averaged.

The penalty's weight is called `phases.penalty` here. The gradient of one image's score is taken from the sum of all
scores; the minibatch standard deviation couples the images of a group, which this, as published, leaves aside.
"""

import dataclasses
from typing import ClassVar

from gan_jax.engine.recipe import Recipe, compute_dtype
from gan_jax.game import terms
from gan_jax.game.rules import CommonRules, read
from gan_jax.losses.auxiliary import class_cross_entropy
from gan_jax.losses.penalties import drift
from gan_jax.networks.progan import Discriminator, Generator
from gan_jax.recipes import growing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones; weights of the gradient penalty, the drift and the classifier; `View.generated_labels`."""

    loss: str = "wasserstein"
    penalty: float = 10.0
    drift: float = 1e-3
    auxiliary: float = 1.0
    generated_labels: str = "batch"

    penalties: ClassVar = ("penalty",)
    refused: ClassVar = {"gradient_penalty": "that weight is config.phases.penalty here"}


def build(config) -> Recipe:
    data, rules = config.data, read(Rules, config.phases)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, num_classes=data.num_classes, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given, outputs=1 + data.num_classes, head=terms.head(rules))

    def see(view, d, images, labels):
        verdict, d = d(images, alpha=growing.alpha(view))
        outputs, answers = verdict.logits, dict(verdict.answers)
        if data.num_classes:
            answers["classes"] = outputs[:, 1:]
        return verdict._replace(logits=outputs[:, 0], answers=answers), d

    def generate(view, key, z, labels):
        return view.net("G")(z, labels, level=view.stage.info.level, alpha=growing.alpha(view))

    def penalty(round, key):
        value = terms.gradient_penalty(round, rules, key)
        return rules.penalty * value, {"gradient_penalty": value}

    classified = rules.auxiliary if data.num_classes else 0
    return growing.describe(
        config,
        rules,
        generator,
        discriminator,
        see,
        generate,
        penalty,
        terms={
            "discriminator": (("drift", rules.drift, _drift), ("auxiliary", classified, _both_classified)),
            "generator": (("auxiliary", classified, _classified),),
        },
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents, labels),
    )


def _drift(round, rules, key):
    return drift(round.real_verdict.logits)


def _classified(round, rules, key):
    return class_cross_entropy(round.fake_verdict.answers["classes"], round.fake_labels)


def _both_classified(round, rules, key):
    real = class_cross_entropy(round.real_verdict.answers["classes"], round.real_labels)
    return real + _classified(round, rules, key)
