"""The game that StyleGAN2 and StyleGAN3 share: non-saturating loss, lazy R1, augmentation, averaged generator.

Source: NVlabs/stylegan2-ada-pytorch, loss.py and training_loop.py; NVlabs/stylegan3, the same files. Every phase has
latents and labels of its own; the R1 phase sees the real images of the step. Its weight is called `phases.gamma` here.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Net, Network, Out, Phase, Player, Recipe, Stage, Styles, View, compute_dtype
from gan_jax.game import checks, terms
from gan_jax.game.referee import Referee
from gan_jax.game.round import Round
from gan_jax.game.rules import CommonRules
from gan_jax.layers.pixels import to_float
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.stylegan2_discriminator import Discriminator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones; the weight of R1 and how many steps there are from one to the next; `View.generated_labels`."""

    gamma: float = 10.0
    r1_every: int = 16
    generated_labels: str = "empirical"

    positive: ClassVar[tuple[str, ...]] = (*CommonRules.positive, "r1_every")
    penalties: ClassVar = ("gamma",)
    refused: ClassVar = {"r1": "that weight is config.phases.gamma here"}


Generate = Callable[[jax.Array, jax.Array], tuple[jax.Array, Net]]  # (z, labels) -> (images, advanced generator)


class Deal(Protocol):
    """`(view, key, n, player) -> (z [n, dim_z], generate)`: whatever else its images need is the same in every call.

    The player is "G" or "D", whose phase it is.
    """

    def __call__(self, view: View, key: jax.Array, n: int, player: str) -> tuple[jax.Array, Generate]: ...


def describe(
    config: Any,
    rules: Rules,
    generator: Any,
    deal: Deal,
    *,
    regularisation: tuple[Phase, ...] = (),
    generator_lazy: int | None = None,
    aux: dict[str, float] | None = None,
    prepare: Callable[[View, jax.Array], jax.Array] = lambda view, images: images,
    stages: tuple[Stage, ...] = (Stage(),),
) -> Recipe:
    """The recipe of a style-based generator.

    Args:
        rules: those of `config.phases`.
        generator: a linen module with `map` and `synthesize`.
        regularisation: phases of the generator behind its main one.
        generator_lazy: how often these come, see `Player.lazy`.
        aux: scalars of the recipe's own state and what they are at first.
        prepare: what happens to images on their way to the discriminator, before augmentation.
    """
    data, dim_z = config.data, config.model.dim_z
    discriminator = Discriminator(
        **config.model.D,
        resolution=data.resolution,
        num_classes=data.num_classes,
        head=terms.head(rules),
        dtype=compute_dtype(config),
    )

    def judged(view, key):
        """A `Round.judge` that prepares all images."""
        judge = referee.judge(view, key, lambda images, labels: view.net("D")(images, labels)[0])
        return lambda images, labels, augmented=True: judge(prepare(view, images), labels, augmented)

    def play(view, batch, key, player):
        """A player's main loss."""
        key_deal, key_fake, key_real, key_pseudo, key_round, key_terms = jax.random.split(key, 6)
        key_y, key_g = jax.random.split(key_deal)
        labels = view.generated_labels(key_y, batch["label"], data.num_classes, rules.generated_labels)
        z, generate = deal(view, key_g, len(labels), player)
        images, g = generate(z, labels)
        real = referee.real(view, key_pseudo, (to_float(batch["image"]), batch["label"]), (images, labels))
        judge, fake_verdict = judged(view, key_real), judged(view, key_fake)(images, labels)
        real_verdict = judge(*real) if player == "D" or referee.wants_real else None
        again = lambda z, labels: generate(z, labels)[0]  # noqa: E731
        round = Round(view, *real, images, labels, z, key_round, judge, again, real_verdict, fake_verdict)
        value, out = (referee.discriminator if player == "D" else referee.generator)(round, key_terms)
        return value, dataclasses.replace(out, stats={"G": g.stats})

    def r1_loss(view, batch, key):
        # The gradient is by the images before augmentation. XLA computes the logits once.
        real, judge = to_float(batch["image"]), judged(view, key)
        critic = lambda images: judge(images, batch["label"]).logits  # noqa: E731
        penalty = zero_centred_penalty(critic, real)
        value = rules.r1_every * rules.gamma / 2 * penalty
        return value, Out(aux=referee.observed(view, critic(real)), metrics={"squared_gradient": penalty})

    def to_ws(variables, latents, labels, options):
        return generator.apply(variables["G"], latents, labels, truncation=options.get("truncation"), method="map")

    def synthesize(variables, ws):
        return generator.apply(variables["G"], ws, method="synthesize")

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, dim_z)), label)),
        "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)), label)),
    }
    referee = Referee(config, rules, checks.collections(networks))
    return Recipe(
        networks=networks,
        players={
            "generator": Player(("G",), config.players.generator, lazy=generator_lazy),
            "discriminator": Player(("D",), config.players.discriminator, lazy=rules.r1_every),
        },
        phases=(
            Phase("generator", ("generator",), functools.partial(play, player="G")),
            *regularisation,
            Phase("discriminator", ("discriminator",), functools.partial(play, player="D")),
            Phase("r1", ("discriminator",), r1_loss, every=rules.r1_every),
            *referee.adaptations(),
        ),
        aux=lambda: {**referee.aux(), **{name: jnp.float32(value) for name, value in (aux or {}).items()}},
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
