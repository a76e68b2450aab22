"""ProGAN (Karras et al. 2018, arXiv 1710.10196): progressive growing with WGAN-GP, in the form of the published code.

Source: tkarras/progressive_growing_of_gans, loss.py and train.py. The critic moves first, then the generator. The
critic minimises the Wasserstein loss, 10 times the gradient penalty and 0.001 times the drift; with classes, both
players also minimise the cross-entropy of an auxiliary classifier. Weights of the generator are averaged.

The penalty's weight is called `phases.penalty` here. The published networks take and make images of the full resolution
at every level, with larger pixels, and hold the norm of the gradient with respect to *those* at 1, see `Round.critic`.

The gradient of one image's score is taken from the sum of all scores; the minibatch standard deviation couples the
images of a group, which this, as published, leaves aside.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game import checks, terms
from gan_jax.game.referee import Referee
from gan_jax.game.rules import FEATURELESS, CommonRules, read
from gan_jax.layers.growth import detail
from gan_jax.layers.heads import Verdict
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

    refused: ClassVar = {**FEATURELESS, "gradient_penalty": "that weight is config.phases.penalty here"}


def build(config) -> Recipe:
    data, rules, stages = config.data, read(Rules, config.phases), growing.stages(config)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, num_classes=data.num_classes, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given, outputs=1 + data.num_classes)

    def deal(view, batch, player, key, key_round):
        """A judged round, and the generator with its growth noted."""
        key_z, key_y = jax.random.split(key)
        stage, alpha = view.stage.info, growing.alpha(view)

        def see(d, images, labels):
            outputs, d = d(images, alpha=alpha)
            return Verdict(outputs[:, 0], None, {"classes": outputs[:, 1:]} if data.num_classes else {}), d

        def generate(z, labels):
            return view.net("G")(z, labels, level=stage.level, alpha=alpha)

        real = (growing.real_images(view, batch["image"]), batch["label"])
        z = view.normal(key_z, (len(batch["label"]), generator.dim_z))
        labels = view.generated_labels(key_y, batch["label"], data.num_classes, rules.generated_labels)
        images, g = generate(z, labels)
        again = lambda z, labels: generate(z, labels)[0]  # noqa: E731
        fake = (images, labels)
        return referee.round(view, key_round, player, real, fake, z, see, again, pixel=stage.factor)[0], g

    def discriminator_loss(view, batch, key):
        (key_fake, key_mix), (key_round, key_terms) = (
            jax.random.split(key),
            jax.random.split(jax.random.fold_in(key, 1)),
        )
        round, g = deal(view, batch, "D", key_fake, key_round)
        value, out = referee.discriminator(round, key_terms)
        penalty = terms.gradient_penalty(round, rules, key_mix)
        level = detail(view.stage.info.level, growing.alpha(view))
        metrics = {**out.metrics, "gradient_penalty": penalty, "level": level}
        return value + rules.penalty * penalty, Out({"G": g.stats}, out.aux, metrics)

    def generator_loss(view, batch, key):
        key_round, key_terms = jax.random.split(jax.random.fold_in(key, 1))
        return referee.generator(deal(view, batch, "G", key, key_round)[0], key_terms)

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, generator.dim_z)), label), {"level": stages[0].info.level}),
        "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)),)),
    }
    classified = rules.auxiliary if data.num_classes else 0
    referee = Referee(
        config,
        rules,
        checks.collections(networks),
        discriminator=(("drift", rules.drift, _drift), ("auxiliary", classified, _both_classified)),
        generator=(("auxiliary", classified, _classified),),
    )
    return Recipe(
        networks=networks,
        players={
            "generator": Player(("G",), config.players.generator, reset_at_stage=True),
            "discriminator": Player(("D",), config.players.discriminator, reset_at_stage=True),
        },
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss),
            *referee.adaptations(),
        ),
        prior=lambda key, options: jax.random.normal(key, (generator.dim_z,)),
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents, labels),
        aux=referee.aux,
        ema=Ema(("G",), config.ema, stats="copy"),
        stages=stages,
    )


def _drift(round, rules, key):
    return drift(round.real_verdict.logits)


def _classified(round, rules, key):
    return class_cross_entropy(round.fake_verdict.answers["classes"], round.fake_labels)


def _both_classified(round, rules, key):
    real = class_cross_entropy(round.real_verdict.answers["classes"], round.real_labels)
    return real + _classified(round, rules, key)
