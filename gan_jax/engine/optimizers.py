"""Optax chains from the config: one per player.

A player's section names an optax transformation and its options, a learning rate and an optional schedule:

    players.generator = dict(transform="scale_by_adam", options=dict(b1=0.0, b2=0.999), learning_rate=5e-5)

Learning rates follow the images seen, not the optimiser's own count, which would run ahead in a phase with
repeats and in lazy phases.
"""

import jax
import optax

from gan_jax.engine.recipe import Player
from gan_jax.engine.schedule import Rate, learning_rate
from gan_jax.errors import ConfigError


def scale_by_rate(rate: Rate) -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by minus the rate at the images seen so far."""

    def update(updates, state, params=None, *, images, images_per_step, **_):
        del params
        scale = -rate(images, images_per_step)
        return jax.tree.map(lambda u: u * scale, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def build(player: Player) -> optax.GradientTransformationExtraArgs:
    """The transformation that `player.optimizer` stands for: itself, or the chain of a config section.

    Raises:
        ConfigError: optax has no such transformation, or it does not take these options.
    """
    section = player.optimizer
    if isinstance(section, optax.GradientTransformation):
        return optax.with_extra_args_support(section)
    make = getattr(optax, section.transform, None)
    if not callable(make):
        raise ConfigError(
            f"config.players: transform is {section.transform!r}, which optax does not have: "
            'expected a gradient transformation such as "scale_by_adam"'
        )
    share = player.lazy / (player.lazy + 1) if player.lazy else 1.0
    options = {name: value**share if name in ("b1", "b2") else value for name, value in section.options.items()}
    try:
        transform = make(**options)
    except TypeError as error:
        raise ConfigError(f"config.players: options of {section.transform} do not fit: {error}") from error
    rate = learning_rate(section)
    return optax.chain(transform, scale_by_rate(lambda images, size: share * rate(images, size)))
