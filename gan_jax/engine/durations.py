"""Durations, and numbers of a config that change over training."""

import re
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError

_IMAGES_PER_UNIT = {"images": 1, "kimg": 1_000, "Mimg": 1_000_000}
_DURATION = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*(images|kimg|Mimg|steps|step|epochs|epoch)\s*")
_FIELDS = ("start", "end", "until")
_SHAPES = {"cosine": lambda progress: 0.5 - 0.5 * jnp.cos(jnp.pi * progress), "linear": lambda progress: progress}


def images_in(duration: str, images_per_step: int, images_per_epoch: int | None = None) -> int:
    """Length of a duration in images.

    Args:
        duration: such as "20000 steps" or "25 Mimg".
        images_per_step: the batch size.
        images_per_epoch: the size of the data set; needed for epochs only.

    Raises:
        ConfigError: the text is no duration, or counts epochs where the data set's size is not known.
    """
    match = _DURATION.fullmatch(str(duration))
    if not match:
        raise ConfigError(
            f'{duration!r} is no duration: expected a number and a unit, such as "1000 steps", "500 kimg", '
            '"25 Mimg", "50000 images" or "500 epochs"'
        )
    number, unit = float(match[1].replace("_", "")), match[2]
    if unit in _IMAGES_PER_UNIT:
        return round(number * _IMAGES_PER_UNIT[unit])
    if unit.startswith("step"):
        return round(number * images_per_step)
    if images_per_epoch is None:
        raise ConfigError(f"{duration!r} counts epochs, which this setting cannot: use images, kimg, Mimg or steps")
    return round(number * images_per_epoch)


def at(number: Any, images: jax.Array, images_per_step: int) -> Any:
    """A number of a config once `images` images were seen; durations count in images.

    Args:
        number: a number or a duration, which stay as they are, or a section with `start` and `end`, two of either, and
            the duration `until`: it goes from start to end, then stays. `shape` is its way: "cosine" if not given, half
            a wave (R3GAN, training_loop.py, cosine_decay_with_warmup), or "linear" (pylearn2, MomentumAdjustor).
        images: traced, or a number.
        images_per_step: the batch size.

    Raises:
        ConfigError: a section has other fields or another shape, or a text is no duration.
    """
    if isinstance(number, str):
        return images_in(number, images_per_step)
    if not hasattr(number, "keys"):
        return number
    if set(number) - {"shape"} != set(_FIELDS):
        raise ConfigError(f"a number that changes has the fields {sorted(number)}: expected {', '.join(_FIELDS)}")
    if (shape := number.get("shape", "cosine")) not in _SHAPES:
        raise ConfigError(f'the shape of a number that changes is {shape!r}: expected "cosine" or "linear"')
    start, end, until = (at(number[name], images, images_per_step) for name in _FIELDS)
    progress = jnp.clip(jnp.asarray(images, jnp.float32) / max(until, 1), 0, 1)
    return start + (end - start) * _SHAPES[shape](progress)
