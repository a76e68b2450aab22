"""ProGAN (Karras et al. 2018, arXiv 1710.10196): progressive growing with WGAN-GP, in the form of the published code.

Source: tkarras/progressive_growing_of_gans, loss.py and train.py. The critic moves first, then the generator. The
critic minimises the Wasserstein loss, 10 times the gradient penalty and 0.001 times the drift; with classes, both
players also minimise the cross-entropy of an auxiliary classifier. Weights of the generator are averaged.

The published networks take and make images of the full resolution at every level, with larger pixels, and hold the
norm of the gradient with respect to *those* at 1. Of f x f equal pixels each gets 1/f^2 of the gradient of the one
pixel that they stand for, so with respect to the small images of this code the same norm is f.

The gradient of one image's score is taken from the sum of all scores; the minibatch standard deviation couples the
images of a group, which this, as published, leaves aside.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game import ranges
from gan_jax.layers.growth import detail
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.auxiliary import class_cross_entropy
from gan_jax.losses.penalties import drift, gradient_penalty
from gan_jax.networks.progan import Discriminator, Generator
from gan_jax.recipes import growing


def build(config) -> Recipe:
    data, phases = config.data, config.phases
    ranges.check(phases, "penalty", "drift", "auxiliary")
    stages = growing.stages(config)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, num_classes=data.num_classes, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given, outputs=1 + data.num_classes)
    loss = adversarial("wasserstein")

    def generate(view, key, real_labels):
        key_z, key_y = jax.random.split(key)
        z = view.normal(key_z, (len(real_labels), generator.dim_z))
        labels = view.generated_labels(key_y, real_labels, data.num_classes, phases.generated_labels)
        images, net = view.net("G")(z, labels, level=view.stage.info.level, alpha=growing.alpha(view))
        return images, labels, net

    def judge(view, images):
        """Scores [n] and class logits [n, num_classes]."""
        outputs, _ = view.net("D")(images, alpha=growing.alpha(view))
        return outputs[:, 0], outputs[:, 1:]

    def discriminator_loss(view, batch, key):
        key_fake, key_mix = jax.random.split(key)
        real = growing.real_images(view, batch["image"])
        fake, labels, g = generate(view, key_fake, batch["label"])
        (real_scores, real_classes), (fake_scores, fake_classes) = judge(view, real), judge(view, fake)
        mix = view.shard(jax.random.uniform(key_mix, (len(real),)))
        target = view.stage.info.factor
        penalty = gradient_penalty(lambda images: judge(view, images)[0], real, fake, mix, target)
        wasserstein = loss.discriminator(real_scores, fake_scores)
        value = wasserstein + phases.penalty * penalty + phases.drift * drift(real_scores)
        metrics = {
            "wasserstein_estimate": -wasserstein,
            "gradient_penalty": penalty,
            "real_score": jnp.mean(real_scores),
            "level": detail(view.stage.info.level, growing.alpha(view)),
        }
        if data.num_classes:
            auxiliary = class_cross_entropy(real_classes, batch["label"]) + class_cross_entropy(fake_classes, labels)
            value += phases.auxiliary * auxiliary
            metrics["auxiliary"] = auxiliary
        return value, Out({"G": g.stats}, metrics=metrics)

    def generator_loss(view, batch, key):
        fake, labels, _ = generate(view, key, batch["label"])
        scores, classes = judge(view, fake)
        value = loss.generator(scores)
        if data.num_classes:
            value += phases.auxiliary * class_cross_entropy(classes, labels)
        return value, Out()

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    return Recipe(
        networks={
            "G": Network(generator, lambda: (jnp.zeros((1, generator.dim_z)), label), {"level": stages[0].info.level}),
            "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)),)),
        },
        players={
            "generator": Player(("G",), config.players.generator, reset_at_stage=True),
            "discriminator": Player(("D",), config.players.discriminator, reset_at_stage=True),
        },
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss),
        ),
        prior=lambda key, options: jax.random.normal(key, (generator.dim_z,)),
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents, labels),
        ema=Ema(("G",), config.ema, stats="copy"),
        stages=stages,
    )
