"""Optax chains from the config: one per player.

A player's section names an optax transformation and its options, a learning rate and an optional schedule:

    players.generator = dict(transform="scale_by_adam", options=dict(b1=0.0, b2=0.999), learning_rate=5e-5)

Learning rates follow the images seen, not the optimiser's own count, which would run ahead in a phase with
repeats and in lazy phases. So do options that change, such as b2=dict(start=0.9, end=0.99, until="20 Mimg").

Memory: Adam keeps two float32 moments, 8 bytes a parameter. The option mu_dtype="bfloat16" keeps the first in two bytes;
with b1=0 that changes nothing, as the first moment is then the gradient at hand. With b1=0 it need not be kept at all:
"scale_by_rms" with options dict(decay=b2, eps=eps, eps_in_sqrt=False, bias_correction=True) is the same update with one
moment. The second moment stays float32: with b2=0.999 an update adds a thousandth, less than half a step of
bfloat16, so rounding to nearest would leave it where it is.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from gan_jax.engine import durations
from gan_jax.engine.recipe import Player
from gan_jax.engine.schedule import Rate, learning_rate
from gan_jax.errors import ConfigError

_DECAYS = ("b1", "b2", "decay")
_MU_DTYPES = (None, "float32", "bfloat16")


def scale_by_rate(rate: Rate) -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by minus the rate at the images seen so far."""

    def update(updates, state, params=None, *, images, images_per_step, **_):
        del params
        scale = -rate(images, images_per_step)
        return jax.tree.map(lambda u: u * scale, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def with_options_at(make: Callable[..., Any], options: Callable[..., dict]) -> optax.GradientTransformationExtraArgs:
    """The transformation `make(**options(images, images_per_step))` of the images seen so far, which keeps its state.

    With Adam's decays a moment is corrected by the present decay to the power of the count of updates, as PyTorch does.
    """

    def update(updates, state, params=None, *, images, images_per_step, **_):
        return make(**options(images, images_per_step)).update(updates, state, params)

    return optax.GradientTransformationExtraArgs(make(**options(0, 1)).init, update)


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
    if (mu_dtype := section.options.get("mu_dtype")) not in _MU_DTYPES:
        raise ConfigError(f'config.players: options.mu_dtype is {mu_dtype!r}: expected "float32" or "bfloat16"')
    share = player.lazy / (player.lazy + 1) if player.lazy else 1.0

    def options(images, images_per_step):
        values = {
            name: durations.at(value, images, images_per_step) if hasattr(value, "keys") else value
            for name, value in section.options.items()
        }
        return {name: value**share if name in _DECAYS else value for name, value in values.items()}

    try:
        transform = with_options_at(make, options)
    except TypeError as error:
        raise ConfigError(f"config.players: options of {section.transform} do not fit: {error}") from error
    rate = learning_rate(section)
    return optax.chain(transform, scale_by_rate(lambda images, size: share * rate(images, size)))
