"""`gan-jax bench`: how fast a config trains here, what that costs, and what the hardware could do."""

import collections
import contextlib
import dataclasses
import datetime
import itertools
import resource
import statistics
import sys
import time
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from gan_jax import cluster, flops, hardware, regression
from gan_jax import config as configs
from gan_jax.data.source import open_source
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import Recipe, load
from gan_jax.engine.step import lower_step, make_step
from gan_jax.run import Run, Work, fit_to_data
from gan_jax.workdir import environment

WARM_UP = 3


def bench(
    config: ConfigDict, steps: int, data_only: bool = False, before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Times a config on this machine, or on those of the processes that have joined; one that grows, in its first stage.

    Args:
        steps: timed steps of each kind, after a warm-up.
        data_only: time the input pipeline alone.
        before: an earlier record, with which the new one will be compared.

    Returns:
        A JSON-ready record: `format`, `date` (UTC), `environment`, `config` (every field), `data_only`, `batch_size`, and
        with times in seconds, rates per second and sizes in bytes: `data` or else `compile`, `synthetic` (one batch that
        stays on the devices), `real` (the pipeline's batches), `loop_efficiency` (synthetic over real time), `flops`,
        `memory`.
        Each of several processes has its own times; `memory` is that of one device and one host.

    Raises:
        ConfigError: the earlier record is of another config or other devices; nothing is measured then.
    """
    source = open_source(config.data)
    config = fit_to_data(config, source)
    cluster.check_alike(config)
    recipe, mesh = _first_stage(load(config)), sharding.make_mesh(config.mesh)
    batch_size = recipe.stages[0].batch or config.train.batch_size
    record: dict[str, Any] = {
        "format": regression.FORMAT,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "environment": environment(),
        "config": configs.flat(config),
        "data_only": data_only,
        "batch_size": batch_size,
    }
    if before is not None:
        regression.check_comparable(before, record)
    with config.unlocked():
        config.train.length = f"{(2 * (steps + WARM_UP) + 1) * batch_size} images"
    run = Run(config, recipe, mesh, source)
    if data_only:
        return record | {"data": _input_rates(run, batch_size, WARM_UP + steps)}

    started = time.perf_counter()
    run.compile_ahead(0)
    record["compile"] = {"seconds": time.perf_counter() - started, "variants": len(run.variants)}

    current = state.born(recipe, run.target, config.seed)
    resident: dict[schedule.Active, Work] = {}
    with contextlib.closing(run.work(0)) as works:
        for work in itertools.islice(works, WARM_UP + steps):
            resident.setdefault(work.active, work)
    due = [schedule.due(recipe, step) for step in range(WARM_UP + steps)]
    synthetic, current = _train(run, current, (resident[active] for active in due))
    with contextlib.closing(run.work(0)) as works:
        real, current = _train(run, current, itertools.islice(works, len(due)))
    record["synthetic"] = _rates(synthetic, due, batch_size)
    record["real"] = _rates(real, due, batch_size)
    record["loop_efficiency"] = record["synthetic"]["step_seconds"] / record["real"]["step_seconds"]
    record["flops"] = _operations(run, due, batch_size, record["real"]["images_per_second"])
    record["memory"] = _memory(run)
    return record


def _first_stage(recipe: Recipe) -> Recipe:
    """A recipe that stays in its first stage, which may be shorter than what is timed."""
    return dataclasses.replace(recipe, stages=(dataclasses.replace(recipe.stages[0], until=None),))


def _input_rates(run: Run, batch_size: int, steps: int) -> dict[str, float]:
    """Of the input pipeline alone, up to batches on the devices; a step reads a batch for each of its repeats."""
    images = [batch_size * schedule.slices(run.recipe, schedule.due(run.recipe, step)) for step in range(steps)]
    with contextlib.closing(run.work(0)) as works:
        seconds = _intervals(jax.block_until_ready(work.batch) for work in itertools.islice(works, steps))
    return {
        "steps": steps - WARM_UP,
        "images_per_second": sum(images[WARM_UP:]) / sum(seconds[WARM_UP:]),
        "seconds_slowest": max(seconds[WARM_UP:]),
        "host_peak": _host_peak(),
    }


def _train(run: Run, current: state.State, batches: Iterable[Work]) -> tuple[list[float], state.State]:
    """Seconds of each step; a step is awaited only when the next one is under way, as in training."""

    def metrics():
        nonlocal current
        previous = None
        for work in batches:
            current, new = run.compiled(work.stage, work.active)(current, work.batch)
            if previous is not None:
                yield jax.block_until_ready(previous)
            previous = new
        yield jax.block_until_ready(previous)

    return _intervals(metrics()), current


def _intervals(items: Iterable) -> list[float]:
    """Seconds between the arrivals of items."""
    times = [time.perf_counter(), *(time.perf_counter() for _ in items)]
    return [after - before for before, after in itertools.pairwise(times)]


def _rates(seconds: list[float], due: list, batch_size: int) -> dict[str, Any]:
    """Rates from the median time of each kind of step, weighted by how often it is due; the warm-up is left out."""
    by_kind = collections.defaultdict(list)
    for interval, kind in list(zip(seconds, due, strict=True))[WARM_UP:]:
        by_kind[kind].append(interval)
    timed = len(seconds) - WARM_UP
    medians = {kind: statistics.median(times) for kind, times in by_kind.items()}
    step_seconds = sum(medians[kind] * len(times) for kind, times in by_kind.items()) / timed
    spread = [interval / medians[kind] for kind, times in by_kind.items() for interval in times]
    low, _, high = statistics.quantiles(spread, n=4, method="inclusive")
    return {
        "steps": timed,
        "step_seconds": step_seconds,
        "step_seconds_quartiles": [low * step_seconds, high * step_seconds],
        "step_seconds_fastest": min(seconds[WARM_UP:]),
        "step_seconds_slowest": max(seconds[WARM_UP:]),
        "steps_per_second": 1 / step_seconds,
        "images_per_second": batch_size / step_seconds,
    }


def _operations(run: Run, due: list[schedule.Active], batch_size: int, images_per_second: float) -> dict[str, Any]:
    """FLOPs per image, counted from the jaxpr and by the compiler, and what share of the peak they keep busy.

    The compiler counts the body of a loop once, so it is asked about the step with all loops written out, before it
    optimises; where there are no loops (CPU), also about the compiled step.
    """
    alone = sharding.data_mesh(1)
    target = state.abstract(run.recipe, alone, ())
    analytic, compiler = flops.Count(), 0.0
    for active, times in collections.Counter(due).items():
        batch = run.abstract_batch(0, active, alone)
        step = make_step(run.recipe, 0, alone, active, unroll=False)
        analytic += flops.count(step, target, batch) * times
        compiler += (
            lower_step(run.recipe, 0, alone, active, target, batch, unroll=True).cost_analysis()["flops"] * times
        )
    images = len(due) * batch_size
    on_cpu = jax.devices()[0].platform == "cpu"  # simulated devices share the cores, which this product has to itself
    dtype = run.config.precision.compute
    measured = measured_peak(jnp.dtype(dtype)) * (1 if on_cpu else run.mesh.size)
    nominal = _nominal_peak(dtype)
    nominal = nominal and nominal * run.mesh.size
    achieved = analytic.total / images * images_per_second
    return {
        "per_image": analytic.total / images,
        "per_image_by_kind": {kind: value / images for kind, value in dataclasses.asdict(analytic).items()},
        "per_image_compiler": compiler / images,
        "compiler_over_analytic": compiler / analytic.total,
        "achieved_per_second": achieved,
        "measured_matmul_peak": measured,
        "share_of_measured_peak": achieved / measured,
        "nominal_peak": nominal,
        "share_of_nominal_peak": achieved / nominal if nominal else None,
    }


def measured_peak(dtype: jnp.dtype) -> float:
    """FLOP/s of one device in a large matrix product of a dtype: the best of ten."""
    size = 1024 if jax.devices()[0].platform == "cpu" else 8192
    a = jnp.ones((size, size), dtype)
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(a))
    return 2 * size**3 / min(_intervals(jax.block_until_ready(product(a)) for _ in range(10)))


def _nominal_peak(dtype: str) -> float | None:
    """FLOP/s of one device by its data sheet, for networks that compute in a dtype; None where it is not known."""
    device = hardware.of_kind(jax.devices()[0].device_kind)
    return device.peak(dtype) if device else None


def _memory(run: Run) -> dict[str, int | None]:
    """Bytes on each device: the compiler's figures for the largest variant, and the peak where the device tells it."""
    analyses = [compiled.memory_analysis() for compiled in run.variants.values()]
    largest = max(analyses, key=lambda m: m.argument_size_in_bytes + m.temp_size_in_bytes)
    stats = jax.local_devices()[0].memory_stats() or {}
    return {
        "arguments": largest.argument_size_in_bytes,
        "temporaries": largest.temp_size_in_bytes,
        "aliased": largest.alias_size_in_bytes,
        "device_peak": stats.get("peak_bytes_in_use"),
        "host_peak": _host_peak(),
    }


def _host_peak() -> int:
    """Bytes of memory that this process took at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def as_text(record: dict[str, Any]) -> str:
    """The record for people, with what it was compared with, if it was."""
    text = _measured_text(record)
    return f"{text}\n{regression.as_text(record['against'])}" if "against" in record else text


def _measured_text(record: dict[str, Any]) -> str:
    env = record["environment"]
    lines = [f"{env['devices']} x {env['device']} ({env['cores']} cores), jax {env['packages']['jax']}"]
    if "data" in record:
        return "\n".join([*lines, f"input alone: {record['data']['images_per_second']:,.0f} images/s"])
    for name in ("synthetic", "real"):
        r = record[name]
        lines.append(
            f"{name:>9} input: {r['step_seconds'] * 1e3:,.1f} ms a step, {r['images_per_second']:,.1f} images/s"
        )
    work, memory = record["flops"], record["memory"]
    share = work["share_of_nominal_peak"]
    return "\n".join(
        [
            *lines,
            f"the real loop runs at {record['loop_efficiency']:.3f} of the speed of steps on one resident batch",
            f"compile time {record['compile']['seconds']:.1f} s (step variants: {record['compile']['variants']})",
            f"{work['per_image'] / 1e9:,.3f} GFLOP per image; the compiler counts {work['compiler_over_analytic']:.3f} of it",
            f"{work['achieved_per_second'] / 1e12:,.3f} TFLOP/s, {work['share_of_measured_peak']:.1%} of a matrix product"
            + (f", {share:.1%} of the data sheet" if share else ""),
            f"{memory['arguments'] / 1e6:,.1f} MB arguments + {memory['temporaries'] / 1e6:,.1f} MB temporaries a device",
        ]
    )
