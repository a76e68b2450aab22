"""The game that StyleGAN2 and StyleGAN3 share: non-saturating loss, lazy R1, augmentation, averaged generator.

Source: NVlabs/stylegan2-ada-pytorch, loss.py and training_loop.py; NVlabs/stylegan3, the same files. Every phase has
latents and labels of its own; the R1 phase sees the real images of the step.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from gan_jax.augment import augmentation
from gan_jax.engine.recipe import Ema, Net, Network, Out, Phase, Player, Recipe, Stage, Styles, View, compute_dtype
from gan_jax.game import ranges
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.stylegan2_discriminator import Discriminator


class Generate(Protocol):
    """Draws images `(view, key, labels, player) -> (images, advanced generator)`; player: whose phase it is."""

    def __call__(self, view: View, key: jax.Array, labels: jax.Array, player: str) -> tuple[jax.Array, Net]: ...


def describe(
    config: Any,
    generator: Any,
    generate: Generate,
    *,
    regularisation: tuple[Phase, ...] = (),
    generator_lazy: int | None = None,
    aux: dict[str, float] | None = None,
    prepare: Callable[[View, jax.Array], jax.Array] = lambda view, images: images,
    stages: tuple[Stage, ...] = (Stage(),),
) -> Recipe:
    """The recipe of a style-based generator.

    Args:
        generator: a linen module with `map` and `synthesize`.
        regularisation: phases of the generator behind its main one.
        generator_lazy: how often these come, see `Player.lazy`.
        aux: scalars of the recipe's own state and what they are at first.
        prepare: what happens to images on their way to the discriminator, before augmentation.
    """
    data, phases, dim_z = config.data, config.phases, config.model.dim_z
    ranges.check(phases, "gamma")
    ranges.check(phases, "r1_every", least=1, whole=True)
    discriminator = Discriminator(
        **config.model.D, resolution=data.resolution, num_classes=data.num_classes, dtype=compute_dtype(config)
    )
    augment = augmentation.build(phases.augment)
    loss = adversarial("non_saturating")

    def judge(view, key, images, labels):
        images = augment.apply(view.aux["augment"], key, prepare(view, images), view.images)
        return view.net("D")(images, labels)[0]

    def draw(view, key, batch, player):
        key_y, key_g = jax.random.split(key)
        labels = view.generated_labels(key_y, batch["label"], data.num_classes, phases.generated_labels)
        images, g = generate(view, key_g, labels, player)
        return images, labels, g

    def observed(view, real_logits):
        return {"augment": augment.observe(view.aux["augment"], real_logits)}

    def generator_loss(view, batch, key):
        key_g, key_a = jax.random.split(key)
        images, labels, g = draw(view, key_g, batch, "generator")
        return loss.generator(judge(view, key_a, images, labels)), Out({"G": g.stats})

    def discriminator_loss(view, batch, key):
        key_g, key_a, key_b = jax.random.split(key, 3)
        images, labels, g = draw(view, key_g, batch, "discriminator")
        fake_logits = judge(view, key_a, images, labels)
        real_logits = judge(view, key_b, to_float(batch["image"]), batch["label"])
        metrics = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
        value = loss.discriminator(real_logits, fake_logits)
        return value, Out({"G": g.stats}, observed(view, real_logits), metrics)

    def r1_loss(view, batch, key):
        # The gradient is by the images before augmentation. XLA computes the logits once.
        real = to_float(batch["image"])
        critic = lambda images: judge(view, key, images, batch["label"])  # noqa: E731
        penalty = zero_centred_penalty(critic, real)
        value = phases.r1_every * phases.gamma / 2 * penalty
        return value, Out(aux=observed(view, critic(real)), metrics={"squared_gradient": penalty})

    def adapt_loss(view, batch, key):
        adapted = augment.adapt[1](view.aux["augment"], view.images_per_step)
        return {}, Out(aux={"augment": adapted}, metrics={"p": adapted["p"]})

    def to_ws(variables, latents, labels, options):
        return generator.apply(variables["G"], latents, labels, truncation=options.get("truncation"), method="map")

    def synthesize(variables, ws):
        return generator.apply(variables["G"], ws, method="synthesize")

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    return Recipe(
        networks={
            "G": Network(generator, lambda: (jnp.zeros((1, dim_z)), label)),
            "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)), label)),
        },
        players={
            "generator": Player(("G",), config.players.generator, lazy=generator_lazy),
            "discriminator": Player(("D",), config.players.discriminator, lazy=phases.r1_every),
        },
        phases=(
            Phase("generator", ("generator",), generator_loss),
            *regularisation,
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("r1", ("discriminator",), r1_loss, every=phases.r1_every),
            *([Phase("augment", (), adapt_loss, every=augment.adapt[0])] if augment.adapt else []),
        ),
        aux=lambda: {"augment": augment.aux(), **{name: jnp.float32(value) for name, value in (aux or {}).items()}},
        prior=lambda key, options: jax.random.normal(key, (dim_z,)),
        truncates=True,
        sample=lambda variables, latents, labels, options: synthesize(
            variables, to_ws(variables, latents, labels, options)
        ),
        styles=Styles(to_ws, synthesize),
        ema=Ema(("G",), config.ema, stats="copy"),
        stages=stages,
    )


def mixed(key: jax.Array, ws: jax.Array, others: jax.Array, probability: float, layers: int) -> jax.Array:
    """Styles ws [n, all, d] up to a cutoff and others behind it, one cutoff for the batch.

    With `probability` it is uniform in [1, layers), else there is none: the number of layers in use is `layers`.
    """
    key_mix, key_cutoff = jax.random.split(key)
    drawn = jax.random.randint(key_cutoff, (), 1, layers)
    cutoff = jnp.where(jax.random.uniform(key_mix) < probability, drawn, layers)
    return jnp.where(jnp.arange(ws.shape[1])[:, None] < cutoff, ws, others)
