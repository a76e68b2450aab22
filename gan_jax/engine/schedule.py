"""When things happen: durations, what is due at a step, learning rates and EMA decays over training.

A duration in a config is text, a number and a unit: "20000 steps", "500 kimg", "25 Mimg", "50000 images",
"500 epochs". Inside the engine everything counts images, so that a rule keeps its meaning when the batch
size changes. With several repeats of a phase, `images` still advances by one batch per step.
"""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp

from gan_jax.engine.durations import at, images_in
from gan_jax.engine.recipe import Recipe
from gan_jax.errors import ConfigError

Active = tuple[tuple[str, int], ...]
Rate = Callable[[jax.Array, int], jax.Array]


def steps_in(duration: str, images_per_step: int, images_per_epoch: int | None = None) -> int:
    """Length of a duration in steps, at least 1."""
    return max(1, round(images_in(duration, images_per_step, images_per_epoch) / images_per_step))


def due(recipe: Recipe, step: int) -> Active:
    """The phases that run at a step, with their repeats: `((name, repeat), ...)` in the table's order."""

    def runs(every) -> bool:
        return every(step) if callable(every) else step % every == 0

    def times(repeat) -> int:
        return repeat(step) if callable(repeat) else repeat

    return tuple((phase.name, times(phase.repeat)) for phase in recipe.phases if runs(phase.every))


def slices(recipe: Recipe, active: Active) -> int:
    """How many batches a step with these due phases reads: up to the last slice that one of them wants, at least one."""
    phases = {phase.name: phase for phase in recipe.phases}
    return max((phases[name].first_slice + repeat * phases[name].batches for name, repeat in active), default=1)


def variants(recipe: Recipe, first_step: int, horizon: int = 1024) -> list[Active]:
    """The different sets of due phases among the next `horizon` steps, in order of appearance."""
    return list(dict.fromkeys(due(recipe, step) for step in range(first_step, first_step + horizon)))


def stage_at(recipe: Recipe, images: int) -> int:
    """Index of the stage that is due once `images` images were seen."""
    for index, stage in enumerate(recipe.stages):
        if stage.until is None or images < stage.until:
            return index
    return len(recipe.stages) - 1


def steps_until(recipe: Recipe, batch_size: int, images: int) -> int:
    """How many steps it takes until at least `images` images were seen."""
    steps = seen = 0
    for stage in recipe.stages:
        end = images if stage.until is None else min(stage.until, images)
        batch = stage.batch or batch_size
        steps_here = max(0, -(-(end - seen) // batch))
        steps, seen = steps + steps_here, seen + steps_here * batch
    return steps


def timeline(recipe: Recipe, batch_size: int) -> Iterator[tuple[int, int, int]]:
    """`(images, stage, position)` before step 0, 1, 2, ...; position counts the examples read so far.

    It is a function of the step alone, so a resumed run finds its place by skipping ahead.
    """
    step = images = position = 0
    while True:
        stage = stage_at(recipe, images)
        yield images, stage, position
        batch = recipe.stages[stage].batch or batch_size
        images += batch
        position += batch * slices(recipe, due(recipe, step))
        step += 1


def learning_rate(section) -> Rate:
    """Learning rate `(images, images_per_step) -> scalar` of a player's config section.

    `learning_rate` is the peak. The optional `schedule` has `warmup` (a duration of linear rise), `decay` ("linear",
    "cosine" or "exponential", by the same factor for every image), `start` and `end` of the decay (durations), and
    `final` (a fraction of the peak); with `stairs`, so many even steps in the place of a slope.

    Raises:
        ConfigError: another decay, or one that cannot reach its end.
    """
    peak = section.learning_rate
    schedule = section.get("schedule")
    if not schedule:
        return lambda images, images_per_step: jnp.float32(peak)
    if schedule.decay not in ("linear", "cosine", "exponential"):
        raise ConfigError(f'schedule.decay is {schedule.decay!r}: expected "linear", "cosine" or "exponential"')
    if schedule.decay == "exponential" and not schedule.final > 0:
        raise ConfigError(f"schedule.final is {schedule.final}: expected more than 0, which no factor reaches")
    stairs = schedule.get("stairs", 0)

    def rate(images: jax.Array, images_per_step: int) -> jax.Array:
        seen = images.astype(jnp.float32)
        warmup, start, end = (images_in(schedule[name], images_per_step) for name in ("warmup", "start", "end"))
        progress = jnp.clip((seen - start) / max(end - start, 1), 0.0, 1.0)
        if stairs:
            progress = jnp.floor(progress * stairs) / stairs
        if schedule.decay == "cosine":
            progress = 0.5 - 0.5 * jnp.cos(jnp.pi * progress)
        rise = jnp.minimum(1.0, (seen + images_per_step) / max(warmup, 1)) if warmup else 1.0
        if schedule.decay == "exponential":
            return peak * rise * schedule.final**progress
        return peak * rise * (1.0 - (1.0 - schedule.final) * progress)

    return rate


def ema_decay(section) -> Rate:
    """EMA decay per step `(images, images_per_step) -> scalar` from the config section `ema`.

    Either `decay` and `start`: the copy follows the weights until `start`, then averages with `decay`
    (BigGAN-PyTorch, utils.py `ema`). Or `half_life` and `ramp_up`: the half-life is a duration, which may change (see
    `durations.at`), at most `ramp_up` times the images seen (StyleGAN2-ADA, training_loop.py); `ramp_up` None is no
    ramp. A callable is taken as is.
    """
    if callable(section):
        return section
    if "half_life" not in section:

        def decay_from_start(images: jax.Array, images_per_step: int) -> jax.Array:
            start = images_in(section.start, images_per_step)
            return jnp.where(images + images_per_step < start, 0.0, section.decay)

        return decay_from_start

    def decay_by_half_life(images: jax.Array, images_per_step: int) -> jax.Array:
        half_life = jnp.float32(at(section.half_life, images, images_per_step))
        if section.get("ramp_up"):
            half_life = jnp.minimum(half_life, images.astype(jnp.float32) * section.ramp_up)
        return 0.5 ** (images_per_step / jnp.maximum(half_life, 1e-8))

    return decay_by_half_life
