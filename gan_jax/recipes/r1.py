"""R1 (Mescheder, Geiger and Nowozin 2018, arXiv 1801.04406): non-saturating logistic loss and a penalty at real images.

The form is that of LMescheder/GAN_stability: the discriminator first, generated images with the labels of the batch,
a moving average of the generator. R1 is gamma/2 |gradient|^2 at real images, as in the paper; the code leaves out the
half, so its `reg_param: 10` is a gamma of 20 here.

With `phases.r1_every` above 1 the penalty is lazy (StyleGAN2, arXiv 1912.04958, appendix B): computed in every so many
steps, so many times as strong. It joins the loss of that step instead of making an update of its own, so Adam takes
one step as ever and its rates need no correction.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game import ranges
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.resnet import Discriminator, Generator


def build(config) -> Recipe:
    data, phases, dim_z = config.data, config.phases, config.model.dim_z
    ranges.check(phases, "gamma")
    ranges.check(phases, "r1_every", least=1, whole=True)
    given = {"resolution": data.resolution, "num_classes": data.num_classes, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given)
    loss = adversarial("non_saturating")

    def generate(view, key, real_labels):
        key_z, key_y = jax.random.split(key)
        labels = view.generated_labels(key_y, real_labels, data.num_classes, phases.generated_labels)
        return view.net("G")(view.normal(key_z, (len(real_labels), dim_z)), labels)[0], labels

    def discriminator_loss(view, batch, key):
        fake_logits, _ = view.net("D")(*generate(view, key, batch["label"]))
        real_logits, _ = view.net("D")(to_float(batch["image"]), batch["label"])
        metrics = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
        return loss.discriminator(real_logits, fake_logits), Out(metrics=metrics)

    def penalised_loss(view, batch, key):
        value, out = discriminator_loss(view, batch, key)
        critic = lambda images: view.net("D")(images, batch["label"])[0]  # noqa: E731
        penalty = zero_centred_penalty(critic, to_float(batch["image"]))
        metrics = {**out.metrics, "adversarial": value, "squared_gradient": penalty}
        return value + phases.r1_every * phases.gamma / 2 * penalty, Out(metrics=metrics)

    def generator_loss(view, batch, key):
        return loss.generator(view.net("D")(*generate(view, key, batch["label"]))[0]), Out()

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    return Recipe(
        networks={
            "G": Network(generator, lambda: (jnp.zeros((1, dim_z)), label)),
            "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)), label)),
        },
        players={
            "generator": Player(("G",), config.players.generator),
            "discriminator": Player(("D",), config.players.discriminator),
        },
        phases=(
            Phase("discriminator_r1", ("discriminator",), penalised_loss, every=phases.r1_every),
            Phase("discriminator", ("discriminator",), discriminator_loss, every=lambda s: s % phases.r1_every != 0),
            Phase("generator", ("generator",), generator_loss),
        ),
        prior=lambda key, options: jax.random.normal(key, (dim_z,)),
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents, labels),
        ema=Ema(("G",), config.ema) if config.ema else None,
    )
