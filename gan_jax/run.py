"""One run, resolved: its config fitted to the data, its compiled steps, its batches, its length."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from gan_jax.data.pipeline import Pipeline
from gan_jax.data.prefetch import prefetch
from gan_jax.data.source import Source
from gan_jax.data.workers import Workers, number_of_workers
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import Recipe
from gan_jax.engine.step import Step, abstract_batch, compile_step, enter_stage, make_step
from gan_jax.errors import ConfigError, UserError


class Work(NamedTuple):
    """What one step needs: its number, images seen after it, its stage and due phases, its batch on the devices.

    `damaged` has a sentence for every image that was found damaged since the step before.
    """

    step: int
    images: int
    stage: int
    active: schedule.Active
    batch: Any
    damaged: tuple[str, ...] = ()


class Run:
    """Compiled steps and batches of one training run; making it takes a small data set into memory.

    `variants` holds what was compiled so far, by (stage, due phases); `total_steps`, `log_every`, `samples_every`,
    `checkpoint_every` and `evaluate_every` are the config's durations in steps.

    Args:
        config: fitted to the data, see `fit_to_data`.
        recipe, mesh, source: what is trained, where, on what.

    Raises:
        ConfigError: the batch does not divide into microbatches and devices, or a duration makes no sense.
        UserError: the data are damaged.
    """

    def __init__(self, config: ConfigDict, recipe: Recipe, mesh: Mesh, source: Source):
        self.config, self.recipe, self.mesh = config, recipe, mesh
        self.batch_size, self.microbatches = config.train.batch_size, config.train.microbatches
        for stage in recipe.stages:
            sharding.check_batch(stage.batch or self.batch_size, self.microbatches, mesh)
        self.target = state.abstract(recipe, mesh, config.mesh.rules)
        self.examples = len(source)
        length = self._duration("train.length", schedule.images_in)
        self.total_steps = schedule.steps_until(recipe, self.batch_size, length)
        self.log_every = self._duration("report.every", schedule.steps_in)
        self.samples_every = self._duration("report.samples_every", schedule.steps_in)
        self.checkpoint_every = self._duration("train.checkpoint_every", schedule.steps_in)
        at_end = not config.evaluate.every
        self.evaluate_every = self.total_steps if at_end else self._duration("evaluate.every", schedule.steps_in)
        share = sharding.share(mesh)
        if share[1] != jax.process_count() and not source.exact:
            raise ConfigError(
                f"{source.name} is read as a stream, of which each process sees other images, but config.mesh splits images "
                "between processes: make the set exact by `gan-jax prepare`, or keep the axis space within a process"
            )
        self._pipeline = Pipeline(source, config.data, seed=config.seed, share=share)
        self._workers = number_of_workers(self._pipeline, config.data.workers)
        source.load()
        self._check_damage(source.damaged)
        self.variants: dict[tuple[int, schedule.Active], jax.stages.Compiled] = {}
        self._stage: int | None = None

    def compiled(self, stage: int, active: schedule.Active) -> Step:
        """The compiled step of a stage and a set of due phases; without jit (`--debug`) the plain one."""
        if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return make_step(self.recipe, stage, self.mesh, active, unroll=True)
        if (stage, active) not in self.variants:
            batch = self.abstract_batch(stage, active, self.mesh)
            self.variants[stage, active] = compile_step(
                self.recipe, stage, self.mesh, active, self.target, batch, self.config.train.unroll
            )
        return self.variants[stage, active]

    def abstract_batch(self, stage: int, active: schedule.Active, mesh: Mesh) -> Any:
        """Shapes and shardings of the batch of a step with these due phases."""
        shape = self._shape(stage, schedule.slices(self.recipe, active))
        return abstract_batch(self._pipeline.like(shape), mesh)

    def compile_ahead(self, step: int) -> None:
        """Compiles all variants that the stage in hand will need, so that training does not stall for a rare one."""
        _, stage, _ = next(islice(schedule.timeline(self.recipe, self.batch_size), step, None))
        for active in schedule.variants(self.recipe, step, min(1024, self.total_steps - step)):
            self.compiled(stage, active)

    def enter(self, current: state.State, stage: int) -> state.State:
        """The state in the stage that is due: the same, unless a stage begins."""
        if self._stage is None:
            self._stage = int(current.stage)
        if stage != self._stage:
            current, self._stage = enter_stage(self.recipe, stage, self.target)(current), stage
        return current

    def work(self, first_step: int) -> Iterator[Work]:
        """The steps from the first to the last, their batches read and placed ahead of time by a thread.

        Close the iterator where it is left early: it may hold worker processes.

        Raises:
            UserError: more images are damaged than `config.data.damaged_limit`, or no batch comes.
        """
        self._stage = None  # that of the state with which the steps begin
        workers = Workers(self._pipeline, self._workers) if self._workers else None
        reader = workers or self._pipeline
        known: set[int] = set()

        def read(step: int, images: int, stage: int, position: int) -> Work:
            active = schedule.due(self.recipe, step)
            shape = self._shape(stage, schedule.slices(self.recipe, active))
            batch = sharding.put(reader.read(position, shape), self.mesh)
            self._check_damage(reader.damaged)
            new = reader.damaged.keys() - known
            known.update(new)
            sentences = tuple(reader.damaged[index] for index in sorted(new))
            return Work(step, images + shape[1] * shape[2], stage, active, batch, sentences)

        times = islice(enumerate(schedule.timeline(self.recipe, self.batch_size)), first_step, self.total_steps)
        try:
            yield from prefetch(read, ((step, *time) for step, time in times), timeout=self.config.data.timeout)
        finally:
            if workers:
                workers.close()

    def _check_damage(self, damaged: dict[int, str]) -> None:
        limit = self.config.data.damaged_limit
        if len(damaged) > limit:
            some = "; ".join(damaged[index] for index in sorted(damaged)[:3])
            raise UserError(f"{len(damaged)} damaged images, more than config.data.damaged_limit = {limit}: {some}")

    def _duration(self, field: str, convert: Callable[[str, int, int], int]) -> int:
        section, name = field.split(".")
        try:
            return convert(self.config[section][name], self.batch_size, self.examples)
        except ConfigError as error:
            raise ConfigError(f"config.{field}: {error}") from error

    def _shape(self, stage: int, slices: int) -> tuple[int, int, int]:
        batch = self.recipe.stages[stage].batch or self.batch_size
        return slices, self.microbatches, batch // self.microbatches


def fit_to_data(config: ConfigDict, source: Source) -> ConfigDict:
    """The config with `data.identity`, and `data.num_classes` where it is None, filled in from the source.

    Raises:
        ConfigError: the config wants another number of classes than the data have.
    """
    wanted, found = config.data.num_classes, source.num_classes
    with config.unlocked():
        config.data.identity = source.identity
        if wanted is None:
            config.data.num_classes = found
    if wanted is None:
        return config
    if wanted > found or (wanted and wanted != found):
        have = f"has {found} classes" if found else "has no labels"
        raise ConfigError(
            f"config.data.num_classes is {wanted}, but {source.name} {have}: set it to {found}"
            + ("" if found else " to train without classes, or label the data by one subfolder per class")
        )
    return config
