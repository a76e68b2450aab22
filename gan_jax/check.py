"""`gan-jax check`: does a recipe keep the contract? For authors of new GANs; tiny random input, four devices."""

import math
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, compile_step
from gan_jax.errors import ConfigError, UserError
from gan_jax.params import count
from gan_jax.sampling import Options, Sampler, as_labels

DEVICES = 4
PER_DEVICE = 2
STEPS = 4
REPLICATED = 1.25  # FLOPs per device over those of one device with the same share, above which work is repeated


class Broken(Exception):
    """A check failed; the message says why and where to look."""


def check(config: ConfigDict) -> Iterator[tuple[str, bool, str]]:
    """Yields `(name, passed, text)` of every check; stops after a failure of one that the others need.

    Raises:
        ConfigError: the config cannot be used, or there are fewer than four devices.
    """
    subject = None

    def build() -> str:
        nonlocal subject
        subject = Subject(config)
        return ", ".join(f"{n}: {e['parameters']:,} parameters" for n, e in count(subject.recipe).items())

    for name, run in (
        ("networks", build),
        ("steps", lambda: subject.train()),
        ("gradients", lambda: subject.gradients()),
        ("sharding", lambda: subject.sharding()),
        ("donation", lambda: subject.donation()),
        ("resume", lambda: subject.resume()),
        ("sample", lambda: subject.sample()),
    ):
        try:
            yield name, True, run()
            continue
        except ConfigError:
            raise
        except (Broken, UserError) as error:
            yield name, False, str(error)
        except Exception:  # the author's code: show where it broke
            yield name, False, traceback.format_exc().rstrip()
        if name in ("networks", "steps"):
            return


class Subject:
    """A recipe and what its checks share: a mesh of four devices, compiled steps, states before and after training."""

    def __init__(self, config: ConfigDict):
        if jax.device_count() < DEVICES:
            raise ConfigError(
                f"gan-jax check needs {DEVICES} devices and has {jax.device_count()}: "
                f"set XLA_FLAGS=--xla_force_host_platform_device_count={DEVICES}"
            )
        self.config, self.recipe = config, load(config)
        self.mesh = sharding.data_mesh(DEVICES)
        self.target = state.abstract(self.recipe, self.mesh, config.mesh.rules)
        self.compiled = {}

    def train(self) -> str:
        """A few steps run, and every loss is finite."""
        self.before = self._born()
        self.after, losses = self._run(self._born(), range(STEPS))
        if bad := sorted(name for name, value in losses.items() if not math.isfinite(value)):
            raise Broken(f"after {STEPS} steps {bad[0]} is {losses[bad[0]]}")
        shown = ", ".join(f"{name} {value:.4g}" for name, value in losses.items() if "/loss" in name)
        return f"{STEPS} steps, {len(self.compiled)} compiled: {shown}"

    def gradients(self) -> str:
        """Every parameter that a player owns moves, or cancels out; what no player owns stays."""
        still, moved = [], []
        owned = {name for player in self.recipe.players.values() for name in player.networks}
        # A network that grows uses some of them in some stages only.
        others = [self._run(self._born(), range(STEPS), stage)[0] for stage in range(1, len(self.recipe.stages))]
        trained = [dict(jax.tree.leaves_with_path(jax.device_get(s.params))) for s in (self.after, *others)]
        for path, old in jax.tree.leaves_with_path(jax.device_get(self.before.params)):
            name = sharding.path_name(path)
            (still if all(np.array_equal(old, after[path]) for after in trained) else moved).append(name)
        if wrong := [name for name in moved if name.split("/")[0] not in owned]:
            raise Broken(f"{wrong[0]} changed, but no player owns its network")
        suspects = [name for name in still if name.split("/")[0] in owned]
        if stuck := [name for name in suspects if not self._cancels(name, moved)]:
            raise Broken(
                f"{len(stuck)} of {len(suspects) + len(moved)} tensors got no gradient in {STEPS} steps, {stuck[0]} "
                "first: is it used, and does the loss read it from the view?"
            )
        without = f", but {', '.join(suspects)}, whose gradient cancels out" if suspects else ""
        return f"{len(moved)} tensors move{without}"

    def sharding(self) -> str:
        """Work is split over devices: four devices cost each what one costs with a quarter of the batch."""
        alone = sharding.data_mesh(1)
        texts = []
        for (stage, active), compiled in self.compiled.items():
            one = self._compile(stage, active, alone, PER_DEVICE).cost_analysis()["flops"]
            ratio = compiled.cost_analysis()["flops"] / one
            if ratio > REPLICATED:
                raise Broken(
                    f"with {DEVICES} devices each does {ratio:.2f} times the work of its share: an array born in a loss "
                    "(latents, labels, masks) lacks view.shard or view.normal"
                )
            texts.append(f"{ratio:.2f}")
        return f"work per device over its share: {', '.join(texts)}"

    def donation(self) -> str:
        """The new state takes the memory of the old one."""
        size = sum(_bytes_per_device(leaf) for leaf in jax.tree.leaves(self.target))
        for compiled in self.compiled.values():
            aliased = compiled.memory_analysis().alias_size_in_bytes
            if aliased < size:
                raise Broken(f"only {aliased:,} of the state's {size:,} bytes are reused: some leaf changes its layout")
        return f"{size:,} bytes per device reused"

    def resume(self) -> str:
        """Through a checkpoint, training gives the same bits."""
        straight, _ = self._run(self._born(), range(2 * STEPS))
        with tempfile.TemporaryDirectory() as folder:
            with Checkpoints(Path(folder)) as checkpoints:
                checkpoints.save(self.after, STEPS)
            with Checkpoints(Path(folder)) as checkpoints:
                restored = checkpoints.restore(self.target, STEPS)
        resumed, _ = self._run(restored, range(STEPS, 2 * STEPS))
        resumed_leaves = dict(jax.tree.leaves_with_path(resumed))
        for path, leaf in jax.tree.leaves_with_path(straight):
            if not np.array_equal(leaf, resumed_leaves[path], equal_nan=True):
                raise Broken(f"{sharding.path_name(path)} differs after a resume: something lives outside the state")
        return f"{STEPS} + {STEPS} steps through a checkpoint equal {2 * STEPS} bit for bit"

    def sample(self) -> str:
        """Sampling gives images of the config's shape."""
        data = self.config.data
        sampler = Sampler(self.recipe, self.mesh, DEVICES, Options())
        labels = as_labels(np.zeros(DEVICES, np.int32), data)
        images = sampler.draw(state.variables(self.after, averaged=True), labels)
        expected = (DEVICES, data.resolution, data.resolution, data.channels)
        if images.shape != expected:
            raise Broken(f"sample gives images of shape {images.shape}: config.data says {expected}")
        return f"uint8 images {images.shape}"

    def _born(self) -> state.State:
        return state.born(self.recipe, self.target, self.config.seed)

    def _cancels(self, name: str, moved: list[str]) -> bool:
        """Whether a tensor that does not move does all the same what it should.

        What is added to all scores alike, as by a critic's last bias, leaves their differences as they are. So the rest
        of its layer moves, and the network's answer depends on it.
        """
        layer = name.rpartition("/")[0]
        if layer not in {other.rpartition("/")[0] for other in moved}:
            return False
        network = self.recipe.networks[name.split("/")[0]]
        params, stats = (tree[name.split("/")[0]] for tree in (self.before.params, self.before.stats))

        def answer(params):
            arguments = {"rngs": {"params": jax.random.key(0)}, "mutable": list(stats), **network.kwargs}
            return network.module.apply({"params": params, **stats}, *network.inputs(), **arguments)[0]

        def shift(path, x):
            return x + 1 if sharding.path_name(path) == name.partition("/")[2] else x

        pairs = zip(*(jax.tree.leaves(answer(p)) for p in (params, jax.tree.map_with_path(shift, params))), strict=True)
        return any(not np.array_equal(a, b) for a, b in pairs)

    def _batch(self, slices: int, size: int) -> dict[str, np.ndarray]:
        data, random = self.config.data, np.random.RandomState(0)
        shape = (slices, 1, size)
        images = random.randint(0, 256, (*shape, data.resolution, data.resolution, data.channels)).astype(np.uint8)
        classes = random.randint(0, data.num_classes or 1, shape).astype(np.int32)
        return {"image": images, "label": as_labels(classes, data)}

    def _compile(self, stage: int, active: schedule.Active, mesh, size: int) -> jax.stages.Compiled:
        target = state.abstract(self.recipe, mesh, self.config.mesh.rules)
        batch = abstract_batch(self._batch(schedule.slices(self.recipe, active), size), mesh)
        return compile_step(self.recipe, stage, mesh, active, target, batch, self.config.train.unroll)

    def _run(self, current: state.State, steps: range, stage: int = 0) -> tuple[state.State, dict[str, float]]:
        metrics: dict[str, Any] = {}
        for step in steps:
            active = schedule.due(self.recipe, step)
            if (stage, active) not in self.compiled:
                self.compiled[stage, active] = self._compile(stage, active, self.mesh, DEVICES * PER_DEVICE)
            batch = self._batch(schedule.slices(self.recipe, active), DEVICES * PER_DEVICE)
            current, new = self.compiled[stage, active](current, sharding.put(batch, self.mesh))
            metrics |= new
        return current, {name: float(value) for name, value in metrics.items()}


def _bytes_per_device(leaf: jax.ShapeDtypeStruct) -> int:
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
