"""Levers on memory and speed side by side: recomputation, microbatches, sharded state, smaller moments.

    python benchmarks/levers.py --config=configs/biggan_digits.py
    python benchmarks/levers.py --config=configs/biggan_imagenet128.py:64x1 --target=tpu:v5e:2x4

One table: what the compiler says of the dearest step's memory on one device, operations counted from the jaxpr, and on the
devices at hand the time of a step; with `--target` (the words of `gan-jax plan`) it compiles for hardware that is not
there, and nothing is timed. All variants take turns in one run, on one batch of noise that stays on the devices; on
GPUs and TPUs they must fit side by side, else name fewer by `--only`. Batch normalisation and spectral statistics are
those of a microbatch, so microbatches change the method; the other levers do not, but for a first moment in bfloat16
where b1 is not 0.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax import config as configs
from gan_jax import flops, topology
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, lower_step, make_step
from gan_jax.errors import ConfigError


def remat(word: str) -> Callable[[ConfigDict], None]:
    """The networks of the config that can recompute, do."""

    def change(config):
        for network in config.model.values():
            if isinstance(network, ConfigDict) and "remat" in network:
                network.remat = word

    return change


def microbatches(times: int) -> Callable[[ConfigDict], None]:
    def change(config):
        config.train.microbatches *= times

    return change


def sharded(config: ConfigDict) -> None:
    config.mesh.rules = ((".*", "largest"),)


def half_moment(config: ConfigDict) -> None:
    for player in config.players.values():
        player.options.mu_dtype = "bfloat16"


def one_moment(config: ConfigDict) -> None:
    """The same updates as Adam's with b1 = 0."""
    for player in config.players.values():
        if player.options.b1 != 0:
            raise ConfigError(f"b1 is {player.options.b1}: a first moment can be left out where it is 0 only")
        player.transform = "scale_by_rms"
        player.options = {
            "decay": player.options.b2,
            "eps": player.options.eps,
            "eps_in_sqrt": False,
            "bias_correction": True,
        }


LEVERS: dict[str, Callable[[ConfigDict], None]] = {
    "none": lambda config: None,
    "convolutions": remat("convolutions"),
    "blocks": remat("blocks"),
    "half": lambda config: remat(f"blocks:{config.data.resolution // 2}")(config),
    "microbatches2": microbatches(2),
    "microbatches4": microbatches(4),
    "sharded": sharded,
    "mu": half_moment,
    "no_mu": one_moment,
}
NAMES = {
    "none": "no lever",
    "convolutions": 'remat = "convolutions"',
    "blocks": 'remat = "blocks"',
    "half": 'remat = "blocks" at the two highest resolutions',
    "microbatches2": "twice the microbatches",
    "microbatches4": "four times the microbatches",
    "sharded": "state sharded over the devices",
    "mu": 'mu_dtype = "bfloat16"',
    "no_mu": "no first moment (scale_by_rms)",
}


@dataclasses.dataclass
class Variant:
    """One row of the table: a compiled step, what it costs, and where it is timed its state and batch."""

    lever: str
    compiled: jax.stages.Compiled
    operations: int  # of a step, over all devices
    compile_seconds: float
    current: Any = None
    batch: Any = None
    milliseconds: list[float] = dataclasses.field(default_factory=list)

    def step(self) -> None:
        started = time.perf_counter()
        self.current, metrics = self.compiled(self.current, self.batch)
        jax.block_until_ready((self.current, metrics))
        self.milliseconds.append(1e3 * (time.perf_counter() - started))


def build(lever: str, config: ConfigDict, devices: list[jax.Device] | None, timed: bool) -> Variant:
    """Compiles the step of a config, in which every phase is due that is due at step 0."""
    recipe, mesh = load(config), sharding.make_mesh(config.mesh, devices)
    target, active = state.abstract(recipe, mesh, config.mesh.rules), schedule.due(recipe, 0)
    sharding.check_batch(config.train.batch_size, config.train.microbatches, mesh)
    batch = noise(config, schedule.slices(recipe, active))
    shapes = abstract_batch(batch, mesh)
    operations = flops.count(make_step(recipe, 0, mesh, active, unroll=False), target, shapes).total
    started = time.perf_counter()
    compiled = lower_step(recipe, 0, mesh, active, target, shapes, config.train.unroll).compile()
    variant = Variant(lever, compiled, operations, time.perf_counter() - started)
    if timed:
        variant.current, variant.batch = state.born(recipe, target, config.seed), sharding.put(batch, mesh)
    return variant


def noise(config: ConfigDict, slices: int) -> dict[str, np.ndarray]:
    random, data = np.random.default_rng(0), config.data
    shape = (slices, config.train.microbatches, config.train.batch_size // config.train.microbatches)
    image = (*shape, data.resolution, data.resolution, data.channels)
    label = random.integers(0, max(data.num_classes, 1), shape, np.int32)
    return {
        "image": random.integers(0, 256, image, np.uint8),
        "label": np.eye(data.num_classes, dtype=np.float32)[label] if data.labels == "vector" else label,
    }


def row(variant: Variant, batch_size: int) -> str:
    sizes = variant.compiled.memory_analysis()
    cells = [
        NAMES[variant.lever],
        f"{sizes.argument_size_in_bytes / 1e6:,.1f}",
        f"{sizes.temp_size_in_bytes / 1e6:,.1f}",
        f"{variant.operations / batch_size / 1e9:,.3f}",
        f"{variant.compile_seconds:,.0f}",
        f"{statistics.median(variant.milliseconds):,.1f}" if variant.milliseconds else "-",
    ]
    return "| " + " | ".join(cells) + " |"


def rows(spec: str, overrides: list[str], levers: list[str], target: str, steps: int) -> Iterator[str]:
    """The rows of the table; at once where nothing is timed."""
    devices = topology.open_target(target).devices if target else None
    variants = []
    for lever in levers:
        config = configs.load(spec, overrides)
        config.unlock()
        LEVERS[lever](config)
        variant = build(lever, config, devices, timed=not target)
        if target:
            yield row(variant, config.train.batch_size)
        variants.append(variant)
    if target:
        return
    for _ in range(steps + 1):
        for variant in variants:
            variant.step()
    for variant in variants:
        del variant.milliseconds[0]  # a warm-up
        yield row(variant, config.train.batch_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", default=configs.DEFAULT)
    parser.add_argument("--set", nargs="*", default=[], help="overrides of the config, such as train.batch_size=64")
    parser.add_argument("--target", default="", help="such as tpu:v5e:16x16, see gan-jax plan; compiles only")
    parser.add_argument("--only", nargs="*", choices=list(LEVERS), default=list(LEVERS))
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each variant")
    options = parser.parse_args()
    print("| lever | arguments, MB | temporaries, MB | GFLOP per image | compile, s | ms a step |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for line in rows(options.config, options.set, options.only, options.target, options.steps):
        print(line, flush=True)


if __name__ == "__main__":
    main()
