"""StyleGAN (Karras, Laine and Aila 2019, arXiv 1812.04948): a style-based generator, grown as ProGAN's.

Source: NVlabs/stylegan, training/loss.py and training_loop.py. Non-saturating logistic loss with R1 in every step, the
discriminator first; styles of two latents mixed; weights of the generator averaged, its average of w copied.

As in `gan_jax.recipes.progan`, published gradients are those with respect to images of the full resolution, made of
pixels f times as large; the squared norm of the gradient with respect to the small images here is f^2 times as large.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, Styles, compute_dtype
from gan_jax.game import ranges
from gan_jax.layers.growth import detail
from gan_jax.layers.linear import rows
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.progan import Discriminator
from gan_jax.networks.stylegan1 import Generator
from gan_jax.recipes import growing
from gan_jax.recipes.stylegan import mixed


def build(config) -> Recipe:
    data, phases = config.data, config.phases
    ranges.check(phases, "gamma")
    stages = growing.stages(config)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, num_classes=data.num_classes, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given, outputs=max(data.num_classes, 1), blur=True)
    loss = adversarial("non_saturating")

    def generate(view, key, real_labels):
        key_y, key_z, key_other, key_mix, key_noise = jax.random.split(key, 5)
        labels = view.generated_labels(key_y, real_labels, data.num_classes, phases.generated_labels)
        shape = (len(real_labels), generator.dim_z)
        ws, net = view.net("G")(view.normal(key_z, shape), labels, method="map", update_average=True)
        others, _ = net(view.normal(key_other, shape), labels, method="map")
        images, net = net(
            mixed(key_mix, ws, others, phases.mixing, 2 * (view.stage.info.level + 1)),
            method="synthesize",
            noise=lambda layer, shape: view.normal(jax.random.fold_in(key_noise, layer), shape),
            level=view.stage.info.level,
            alpha=growing.alpha(view),
        )
        return images, labels, net

    def judge(view, images, labels):
        """Logits [n]: with classes, that of the label."""
        outputs, _ = view.net("D")(images, alpha=growing.alpha(view))
        return (outputs * rows(jnp.eye(data.num_classes), labels)).sum(-1) if data.num_classes else outputs[:, 0]

    def discriminator_loss(view, batch, key):
        real = growing.real_images(view, batch["image"])
        fake, labels, g = generate(view, key, batch["label"])
        real_logits, fake_logits = judge(view, real, batch["label"]), judge(view, fake, labels)
        squares = zero_centred_penalty(lambda images: judge(view, images, batch["label"]), real)
        penalty = squares / view.stage.info.factor**2
        adversarial_value = loss.discriminator(real_logits, fake_logits)
        metrics = {
            "adversarial": adversarial_value,
            "squared_gradient": penalty,
            "real_logit": jnp.mean(real_logits),
            "fake_logit": jnp.mean(fake_logits),
            "level": detail(view.stage.info.level, growing.alpha(view)),
        }
        return adversarial_value + phases.gamma / 2 * penalty, Out({"G": g.stats}, metrics=metrics)

    def generator_loss(view, batch, key):
        fake, labels, g = generate(view, key, batch["label"])
        return loss.generator(judge(view, fake, labels)), Out({"G": g.stats})

    def styles(variables, latents, labels, options):
        return generator.apply(variables["G"], latents, labels, truncation=options.get("truncation"), method="map")

    def synthesize(variables, ws):
        return generator.apply(variables["G"], ws, method="synthesize")

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
        sample=lambda variables, *inputs: synthesize(variables, styles(variables, *inputs)),
        truncates=True,
        ema=Ema(("G",), config.ema, stats="copy"),
        stages=stages,
        styles=Styles(styles, synthesize),
    )
