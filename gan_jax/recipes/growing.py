"""Progressive growing (ProGAN, arXiv 1710.10196): the schedule, the real images and the game that its recipes share.

Section `train.growth` of the config:

    start           resolution at which training begins; the full one for no growing at all
    fade_kimg       thousand images while each further resolution fades in
    stable_kimg     thousand images at each resolution after that; the last one stays until the end
    batches         images per step at each resolution, from `start` to the full one
    rates           what the players' learning rates are multiplied by at each resolution

Every resolution but the first is a stage of fading and a stage of standing, and the optimisers start afresh in each, as
in train.py of tkarras/progressive_growing_of_gans, which resets Adam whenever floor or ceiling of the level changes.
Published code looks at the schedule in every fourth step only, to spare the building of feeds; here the share of a new
level follows the images seen in every step.

Real images come in full resolution and are averaged down on the device: the published code reads them from files of
each resolution, so the first stages here move more bytes than they need.

The discriminator moves first, then the generator, whose weights are averaged. The published networks take and make images
of the full resolution at every level, with larger pixels, and penalties are on gradients with respect to *those*, see
`Round.critic`.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Net, Network, Out, Phase, Recipe, Stage, View
from gan_jax.errors import ConfigError
from gan_jax.game import checks
from gan_jax.game.opponents import opponents
from gan_jax.game.referee import Referee
from gan_jax.game.round import Round
from gan_jax.game.rules import CommonRules
from gan_jax.game.terms import Weighed
from gan_jax.layers.growth import detail, faded, sides
from gan_jax.layers.heads import Verdict
from gan_jax.layers.pixels import to_float
from gan_jax.layers.resample import average_pool2, upsample2


@dataclasses.dataclass(frozen=True)
class Span:
    """What a stage of growing is: its `Stage.info`.

    Attributes:
        level: 0 for 4 x 4 pixels, and so on.
        factor: side of a full image over that of the stage's.
        fade: images seen when the level begins to fade in and when it has, None where it stands.
    """

    level: int
    factor: int
    fade: tuple[int, int] | None = None


def stages(config) -> tuple[Stage, ...]:
    """The stages of a config.

    Raises:
        ConfigError: the start is no resolution on the way to the full one, or a list has not one entry for each.
    """
    growth, all_sides = config.train.growth, sides(config.data.resolution)
    if growth.start not in all_sides:
        raise ConfigError(f"config.train.growth.start is {growth.start}: expected one of {list(all_sides)}")
    grown = all_sides[all_sides.index(growth.start) :]
    for name in ("batches", "rates"):
        if len(growth[name]) != len(grown):
            raise ConfigError(
                f"config.train.growth.{name} has {len(growth[name])} entries: expected one for each of the "
                f"resolutions {list(grown)}"
            )
    fading, standing = round(growth.fade_kimg * 1000), round(growth.stable_kimg * 1000)
    spans, seen = [], 0
    for side, batch, rate in zip(grown, growth.batches, growth.rates, strict=True):
        span = Span(all_sides.index(side), all_sides[-1] // side)
        if side != growth.start:
            fade = dataclasses.replace(span, fade=(seen, seen + fading))
            seen += fading
            spans.append(Stage(seen, batch, fade, rate))
        seen += standing
        spans.append(Stage(None if side == grown[-1] else seen, batch, span, rate))
    return tuple(spans)


def alpha(view: View) -> jax.Array | None:
    """How far the stage's level has faded in, a scalar in [0, 1); None where it stands."""
    if view.stage.info.fade is None:
        return None
    begin, end = view.stage.info.fade
    return (view.images - jnp.uint32(begin)).astype(jnp.float32) / (end - begin)


def real_images(view: View, images: jax.Array) -> jax.Array:
    """uint8 [n, r, r, c] in full resolution -> float32 [n, s, s, c] in [-1, 1], as the stage's discriminator sees them.

    Means over the pixels that become one; while a level fades in, mixed with themselves at half the resolution.
    """
    n, full, _, channels = images.shape
    factor = view.stage.info.factor
    cells = images.reshape(n, full // factor, factor, full // factor, factor, channels)
    small = to_float(cells.astype(jnp.float32).mean((2, 4)))
    share = alpha(view)
    return small if share is None else faded(upsample2(average_pool2(small)), small, share)


def describe(
    config: Any,
    rules: CommonRules,
    generator: Any,
    discriminator: Any,
    see: Callable[[View, Net, jax.Array, jax.Array], tuple[Verdict, Net]],
    generate: Callable[[View, jax.Array, jax.Array, jax.Array], tuple[jax.Array, Net]],
    penalty: Callable[[Round, jax.Array], tuple[jax.Array, dict[str, jax.Array]]],
    *,
    terms: Mapping[str, Sequence[Weighed]] = MappingProxyType({}),
    **more: Any,
) -> Recipe:
    """The recipe of a GAN that grows.

    Args:
        rules: those of `config.phases`, with `generated_labels`.
        see: `(view, d, images, labels) -> (verdict, advanced d)`, images of the stage's resolution.
        generate: `(view, key, z, labels) -> (images, advanced generator)`.
        penalty: `(round, key) -> (cost, metrics)`, the discriminator's own.
        terms: further ones of the "discriminator" and of the "generator", see `Referee`.
        more: further attributes of the recipe.
    """
    data, grown = config.data, stages(config)

    def deal(view, batch, key, player):
        """A judged round, the generator with its statistics advanced, and the key of the round's terms."""
        key_z, key_y, key_g, key_round, key_terms = jax.random.split(key, 5)
        real = (real_images(view, batch["image"]), batch["label"])
        z = view.normal(key_z, (len(batch["label"]), generator.dim_z))
        labels = view.generated_labels(key_y, batch["label"], data.num_classes, rules.generated_labels)
        made = lambda z, labels: generate(view, key_g, z, labels)  # noqa: E731
        images, g = made(z, labels)
        players = (functools.partial(see, view), lambda z, labels: made(z, labels)[0])
        fake, pixel = (images, labels), view.stage.info.factor
        return referee.round(view, key_round, player, real, fake, z, *players, pixel=pixel)[0], g, key_terms

    def discriminator_loss(view, batch, key):
        key_round, key_penalty = jax.random.split(key)
        round, g, key_terms = deal(view, batch, key_round, "D")
        value, out = referee.discriminator(round, key_terms)
        cost, metrics = penalty(round, key_penalty)
        level = detail(view.stage.info.level, alpha(view))
        return value + cost, Out({"G": g.stats}, out.aux, {**out.metrics, **metrics, "level": level})

    def generator_loss(view, batch, key):
        round, g, key_terms = deal(view, batch, key, "G")
        value, out = referee.generator(round, key_terms)
        return value, dataclasses.replace(out, stats={"G": g.stats})

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, generator.dim_z)), label), {"level": grown[0].info.level}),
        "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)),)),
    }
    referee = Referee(config, rules, checks.collections(networks), **terms)
    return Recipe(
        networks=networks,
        players=opponents(config, reset_at_stage=True),
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss),
            *referee.adaptations(),
        ),
        prior=lambda key, options: jax.random.normal(key, (generator.dim_z,)),
        aux=referee.aux,
        ema=Ema(("G",), config.ema, stats="copy"),
        stages=grown,
        **more,
    )
