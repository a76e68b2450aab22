"""`gan-jax plan`: what training a config takes on hardware that is not there.

The very step that `gan-jax train` would run is compiled for the target. Memory, collectives and traffic are the
compiler's; times are estimates of `gan_jax.estimate`. Of a GAN that grows, the stage with the dearest steps is
compiled, and the steps of the others are taken to be as fast for each operation.
"""

import collections
import dataclasses
import itertools
import math
import re
import time
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from gan_jax import estimate, flops, hardware, hlo, plan_report, topology
from gan_jax.collectives import Collective, by_kind, find, least
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import Recipe, load
from gan_jax.engine.step import abstract_batch, lower_step, make_step
from gan_jax.errors import ConfigError
from gan_jax.workdir import environment

Variant = tuple[int, schedule.Active]  # stage and due phases
Memory = dict[str, Any]
SHARDED = ((".*", "largest"),)
JAX_TAKES = 0.75  # of a GPU's memory, unless XLA_PYTHON_CLIENT_MEM_FRACTION says otherwise
JAX_CAN_TAKE = 0.95  # CUDA and its libraries need the rest
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def plan(config: ConfigDict, target: str, fit: bool = False, share: float = estimate.SHARE) -> tuple[dict, str]:
    """Compiles a config's step for a target.

    Args:
        config: with its number of classes; its data are not opened.
        target: see `gan_jax.topology`.
        fit: where the step does not fit, try twice the microbatches, and again.
        share: of the peak of the data sheet that the operations are assumed to run at.

    Returns:
        A JSON-ready record with sizes in bytes of one device, and the same for people.

    Raises:
        ConfigError: no such target, its compiler is not installed, or the config does not fit its devices.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"--share is {share}: expected a share of the peak, above 0 and at most 1")
    place = topology.open_target(target)
    recipe, mesh = load(config), sharding.make_mesh(config.mesh, place.devices)
    job = Job(config, recipe, mesh, config.train.microbatches)
    compiled, memory = _compile(job, place)
    tried = [{"microbatches": job.microbatches, **memory}]
    while fit and memory["fits"] is False and job.divides(2):
        job = Job(config, recipe, mesh, 2 * job.microbatches)
        compiled, memory = _compile(job, place)
        tried.append({"microbatches": job.microbatches, **memory})
    record = {
        "environment": environment(),
        "target": {"words": target, "devices": len(place.devices), **_figures(place.device)},
        "config": {
            "recipe": config.recipe,
            "batch_size": config.train.batch_size,
            "microbatches": job.microbatches,
            "mesh": dict(mesh.shape),
            "precision": config.precision.compute,
            "length": config.train.length,
        },
        "memory": memory,
        "tried": tried,
        "advice": _advice(job, place, memory),
        "work": _work(job, compiled),
        "time": _time(job, compiled, place, share),
    }
    return record, plan_report.as_text(record)


class Job:
    """The steps of a config: which there are, how often each is due, what each computes.

    Attributes:
        steps: how often each variant runs in the whole training.
        operations: of a variant, over all devices.
        variants: those of the dearest stage, the dearest first.
    """

    def __init__(self, config: ConfigDict, recipe: Recipe, mesh: Mesh, microbatches: int):
        self.config, self.recipe, self.mesh, self.microbatches = config, recipe, mesh, microbatches
        for stage in range(len(recipe.stages)):
            sharding.check_batch(self.batch_size(stage), microbatches, mesh)
        try:
            images = schedule.images_in(config.train.length, config.train.batch_size)
        except ConfigError as error:
            raise ConfigError(f"config.train.length: {error}") from error
        total = schedule.steps_until(recipe, config.train.batch_size, images)
        times = itertools.islice(schedule.timeline(recipe, config.train.batch_size), total)
        self.steps = collections.Counter((stage, schedule.due(recipe, n)) for n, (_, stage, _) in enumerate(times))
        self.operations = {variant: self._count(variant) for variant in self.steps}
        ordered = sorted(self.steps, key=lambda variant: -self.operations[variant])
        self.variants = [variant for variant in ordered if variant[0] == ordered[0][0]]

    @property
    def images(self) -> int:
        """Images of the whole training."""
        return sum(self.batch_size(stage) * steps for (stage, _), steps in self.steps.items())

    def batch_size(self, stage: int) -> int:
        return self.recipe.stages[stage].batch or self.config.train.batch_size

    def divides(self, times: int) -> bool:
        """Whether so many times the microbatches leave an image or more for every device."""
        parts = times * self.microbatches * sharding.batch_parts(self.mesh.shape)
        return not any(self.batch_size(stage) % parts for stage in range(len(self.recipe.stages)))

    def lower(self, variant: Variant) -> jax.stages.Lowered:
        """A variant for the target's devices, as training would lower it there."""
        target = state.abstract(self.recipe, self.mesh, self.config.mesh.rules)
        batch = self._batch(variant, self.mesh)
        return lower_step(self.recipe, variant[0], self.mesh, variant[1], target, batch, self.config.train.unroll)

    def state_bytes(self, rules: sharding.Rules) -> int:
        """Of the state on one device, split by these rules."""
        leaves = jax.tree.leaves(state.abstract(self.recipe, self.mesh, rules))
        return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves)

    def _batch(self, variant: Variant, mesh: Mesh) -> Any:
        stage, active = variant
        data, slices = self.config.data, schedule.slices(self.recipe, active)
        shape = (slices, self.microbatches, self.batch_size(stage) // self.microbatches)
        label = (np.float32(0), (data.num_classes,)) if data.labels == "vector" else (np.int32(0), ())
        image = (data.resolution, data.resolution, data.channels)
        example = {
            "image": np.broadcast_to(np.uint8(0), (*shape, *image)),
            "label": np.broadcast_to(label[0], (*shape, *label[1])),
        }
        return abstract_batch(example, mesh)

    def _count(self, variant: Variant) -> int:
        alone = sharding.data_mesh(1)
        step = make_step(self.recipe, variant[0], alone, variant[1], unroll=False)
        return flops.count(step, state.abstract(self.recipe, alone, ()), self._batch(variant, alone)).total


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What the compiler says of one variant on one device; loops are multiplied out, but in its own `operations`."""

    seconds: float
    operations: float | None
    traffic: int
    collectives: list[Collective]
    loops: list[int | None]


def _compile(job: Job, place: topology.Target) -> tuple[dict[Variant, Compiled], Memory]:
    """The variants of the dearest stage, and the memory of the one that needs most; no variants if one is too large."""
    compiled, memories = {}, []
    for variant in job.variants:
        started = time.perf_counter()
        try:
            program = job.lower(variant).compile()
        except jax.errors.JaxRuntimeError as error:
            if (memory := _refused(job, place, str(error))) is None:
                raise
            return {}, memory
        seconds = time.perf_counter() - started
        text = hlo.parse(program.as_text())
        operations = (program.cost_analysis() or {}).get("flops")
        found = find(text, len(place.devices), place.per_host)
        compiled[variant] = Compiled(seconds, operations, hlo.traffic(text), found, text.loops)
        sizes = program.memory_analysis()
        memories.append(
            _memory(
                place,
                arguments=sizes.argument_size_in_bytes,
                outputs=sizes.output_size_in_bytes,
                aliased=sizes.alias_size_in_bytes,
                temporaries=sizes.temp_size_in_bytes,
                code=sizes.generated_code_size_in_bytes,
            )
        )
    return compiled, max(memories, key=lambda memory: memory["needed"])


def _memory(place: topology.Target, arguments: int, outputs: int, aliased: int, temporaries: int, code: int) -> Memory:
    needed, capacity = arguments + outputs - aliased + temporaries + code, place.device.memory
    usable = capacity and int(capacity * (JAX_CAN_TAKE if place.platform == "gpu" else 1))
    return {
        "arguments": arguments,
        "outputs": outputs,
        "aliased": aliased,
        "temporaries": temporaries,
        "code": code,
        "needed": needed,
        "capacity": capacity,
        "usable": usable,
        "free_share": capacity and 1 - needed / capacity,
        "fits": usable and needed <= usable,
    }


def _figures(device: hardware.Device) -> dict[str, Any]:
    """What the table has of a device."""
    return {name: value for name, value in dataclasses.asdict(device).items() if name not in ("kinds", "gpu")}


def _refused(job: Job, place: topology.Target, message: str) -> Memory | None:
    """Memory of a program that the TPU compiler refuses as too large, from its message; None for other troubles."""
    match = re.search(r"(temporaries \(|Used )([\d.]+)([KMGT]?)", message)
    if "RESOURCE_EXHAUSTED" not in message or not match:
        return None
    size, arguments = int(float(match[2]) * 2 ** (10 * _POWERS[match[3]])), job.state_bytes(job.config.mesh.rules)
    temporaries = size - arguments if match[1] == "Used " else size
    memory = _memory(place, arguments, outputs=arguments, aliased=arguments, temporaries=temporaries, code=0)
    return {**memory, "fits": False}


def _advice(job: Job, place: topology.Target, memory: Memory) -> list[str]:
    """What might make it fit: sentences for people; none where it does."""
    if memory["fits"] is not False:
        if place.platform == "gpu" and memory["needed"] > JAX_TAKES * memory["capacity"]:
            return [
                f"JAX takes {JAX_TAKES:.0%} of a GPU's memory: set XLA_PYTHON_CLIENT_MEM_FRACTION={JAX_CAN_TAKE} to train "
                "this"
            ]
        return []
    advice = []
    fixed = memory["needed"] - memory["temporaries"]
    times = next((2**n for n in range(1, 21) if fixed + memory["temporaries"] / 2**n <= memory["usable"]), None)
    if times and job.divides(times):
        advice.append(
            f"--config.train.microbatches={times * job.microbatches} would, if temporaries shrink in proportion (--fit "
            "tries); batch normalisation then sees smaller batches"
        )
    whole, split = job.state_bytes(job.config.mesh.rules), job.state_bytes(SHARDED)
    if split < whole:
        rules = "\"--config.mesh.rules=(('.*', 'largest'),)\""
        advice.append(
            f"{rules} leaves {plan_report.size(split)} of the {plan_report.size(whole)} of the state on a device"
        )
    return [*advice, "on more devices each has a smaller share of the batch"]


def _work(job: Job, compiled: dict[Variant, Compiled]) -> dict[str, Any]:
    """Operations, and what the variants do, by variant and for the mean step."""
    total = sum(job.operations[variant] * steps for variant, steps in job.steps.items())
    own = [c.operations for c in compiled.values()]
    theirs = sum(c.operations * job.steps[v] for v, c in compiled.items()) if all(own) else 0
    ours = sum(job.operations[v] * job.steps[v] for v in compiled)
    return {
        "operations_per_image": total / job.images,
        "compiler_over_analytic": theirs * job.mesh.size / ours if theirs else None,
        "loops": max((len(c.loops) for c in compiled.values()), default=0),
        "loops_counted_once": max((c.loops.count(None) for c in compiled.values()), default=0),
        "collectives": _mean_collectives(job, compiled),
        "least": _least(job, compiled),
        "variants": [
            {
                "stage": stage,
                "phases": dict(active),
                "steps": steps,
                "operations": job.operations[stage, active],
                **(_of_one(compiled[stage, active]) if (stage, active) in compiled else {}),
            }
            for (stage, active), steps in job.steps.items()
        ],
    }


def _mean_collectives(job: Job, compiled: dict[Variant, Compiled]) -> dict[str, dict[str, float]]:
    """By kind, those of the mean step among the steps that were compiled."""
    steps = sum(job.steps[variant] for variant in compiled)
    table: dict[str, dict[str, float]] = {}
    for variant, of_one in compiled.items():
        for kind, entry in by_kind(of_one.collectives).items():
            mean = table.setdefault(kind, dict.fromkeys(entry, 0.0))
            for name, value in entry.items():
                mean[name] += value * job.steps[variant] / steps
    return table


def _least(job: Job, compiled: dict[Variant, Compiled]) -> dict[str, float] | None:
    """All-reduces that the mean step cannot do without; None on one device and where more than the batch is split."""
    splits_more = job.mesh.axis_names != ("data",) or job.state_bytes(job.config.mesh.rules) < job.state_bytes(())
    if splits_more or job.mesh.size == 1:
        return None
    target, dtype = state.abstract(job.recipe, job.mesh, ()), job.config.precision.compute
    steps = sum(job.steps[variant] for variant in compiled)
    each = {v: least(job.recipe, v[1], target, job.microbatches, dtype) for v in compiled}
    return {name: sum(e[name] * job.steps[v] for v, e in each.items()) / steps for name in ("count", "bytes") if steps}


def _of_one(compiled: Compiled) -> dict[str, Any]:
    return {
        "compile_seconds": compiled.seconds,
        "traffic": compiled.traffic,
        "collectives": by_kind(compiled.collectives),
    }


def _time(job: Job, compiled: dict[Variant, Compiled], place: topology.Target, share: float) -> dict[str, Any] | None:
    """Of the mean step, and of the whole training, each from where all overlaps to where nothing does."""
    dtype, devices = job.config.precision.compute, len(place.devices)
    if place.device.peak(dtype) is None or not compiled:
        return None
    each = {
        v: estimate.terms(place, dtype, job.operations[v] / devices, c.traffic, c.collectives, share)
        for v, c in compiled.items()
    }
    steps = sum(job.steps.values())
    here = sum(job.steps[v] for v in compiled)
    # Steps of other stages: as fast for each operation as those that were compiled.
    whole = sum(job.operations[v] * n for v, n in job.steps.items())
    scale = whole / sum(job.operations[v] * job.steps[v] for v in compiled)
    mean = sum((terms * (job.steps[v] * scale / steps) for v, terms in each.items()), estimate.Terms())
    bounds = [
        sum(getattr(terms, name) * job.steps[v] for v, terms in each.items()) * scale
        for name in ("overlapped", "serial")
    ]
    return {
        "terms": dataclasses.asdict(mean),
        "assumptions": estimate.assumptions(place, dtype, share),
        "share_of_steps_compiled": here / steps,
        "step_seconds": [total / steps for total in bounds],
        "images_per_second": [job.images / total for total in bounds],
        "days": [total / 86400 for total in bounds],
        "chip_hours": [total / 3600 * devices for total in bounds],
    }
