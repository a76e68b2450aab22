"""R3GAN (arXiv 2501.05441): a relativistic loss with both zero-centred gradient penalties in every step.

The form is that of brownvc/R3GAN (R3GAN/Trainer.py, training/training_loop.py): the discriminator first, on other real
images than the generator; generated images have the labels of the real ones that they are paired with; real and
generated images are augmented apart, within the penalties too. `phases.gamma` may change over training, see
`engine.durations`.
"""

import jax
import jax.numpy as jnp

from gan_jax.augment.augmentation import build as build_augmentation
from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game import ranges
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.r3gan import Discriminator, Generator


def build(config) -> Recipe:
    data, phases, dim_z = config.data, config.phases, config.model.dim_z
    ranges.check(phases, "gamma")
    given = {"resolution": data.resolution, "num_classes": data.num_classes, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given)
    augmentation = build_augmentation(phases.augment)
    contest = adversarial("relativistic")

    def critic(view, key, labels):
        """Images to logits, augmented on the way in one and the same manner whenever it is called."""
        state = view.aux["augment"]
        return lambda images: view.net("D")(augmentation.apply(state, key, images, view.images), labels)[0]

    def opponents(view, batch, key):
        """Real and generated images of the same classes, and the critic of either."""
        key_z, key_real, key_fake = jax.random.split(key, 3)
        labels = batch["label"]
        fake, _ = view.net("G")(view.normal(key_z, (len(labels), dim_z)), labels)
        return (to_float(batch["image"]), critic(view, key_real, labels)), (fake, critic(view, key_fake, labels))

    def discriminator_loss(view, batch, key):
        (real, critic_of_real), (fake, critic_of_fake) = opponents(view, batch, key)
        real_logits, fake_logits = critic_of_real(real), critic_of_fake(fake)
        loss = contest.discriminator(real_logits, fake_logits)
        r1, r2 = zero_centred_penalty(critic_of_real, real), zero_centred_penalty(critic_of_fake, fake)
        gamma = view.at_present(phases.gamma)
        metrics = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
        metrics |= {"adversarial": loss, "r1": r1, "r2": r2, "gamma": jnp.float32(gamma)}
        seen = augmentation.observe(view.aux["augment"], real_logits)
        return loss + gamma / 2 * (r1 + r2), Out(aux={"augment": seen}, metrics=metrics)

    def generator_loss(view, batch, key):
        (real, critic_of_real), (fake, critic_of_fake) = opponents(view, batch, key)
        return contest.generator(critic_of_fake(fake), critic_of_real(real)), Out()

    table = [
        Phase("discriminator", ("discriminator",), discriminator_loss),
        Phase("generator", ("generator",), generator_loss, first_slice=1),
    ]
    if augmentation.adapt:
        every, adapted = augmentation.adapt

        def adapt(view, batch, key):
            return {}, Out(aux={"augment": adapted(view.aux["augment"], view.images_per_step)})

        table.append(Phase("augment", (), adapt, every=every))

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
        phases=tuple(table),
        prior=lambda key, options: jax.random.normal(key, (dim_z,)),
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents, labels),
        aux=lambda: {"augment": augmentation.aux()},
        ema=Ema(("G",), config.ema),
    )
