"""What BigGAN's step costs on four simulated devices: work is split, collectives are few, the state is donated."""

import functools
import re
import warnings
from collections import Counter

import jax
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, compile_step

MICROBATCHES, MICROBATCH = 2, 16
NORMS = 5  # batch normalisations of the generator: two in each of two blocks, one at the end
PHASES = ("discriminator", "generator")


def make_config(*overrides):
    config = configs.load("configs/biggan_digits.py", list(overrides))
    with config.unlocked():  # plain gradient descent: Adam would blow rounding noise up to full steps
        for player in PHASES:
            config.players[player] = {"transform": "identity", "options": {}, "learning_rate": 0.01}
    return config


def batch():
    random = np.random.RandomState(0)
    shape = (1, MICROBATCHES, MICROBATCH)
    return {
        "image": random.randint(0, 256, (*shape, 16, 16, 1)).astype(np.uint8),
        "label": random.randint(0, 10, shape).astype(np.int32),
    }


@functools.cache
def initial_state():
    """Made once: compiling the orthogonal initialisers takes longer than the step."""
    recipe = load(make_config())
    return jax.device_get(jax.jit(lambda: state.init(recipe, 0))())


class Compiled:
    """One phase of BigGAN on a number of devices."""

    def __init__(self, phase, devices, *overrides):
        config = make_config(*overrides)
        self.recipe = load(config)
        self.mesh = sharding.data_mesh(devices)
        self.target = state.abstract(self.recipe, self.mesh, config.mesh.rules)
        shapes = abstract_batch(batch(), self.mesh)
        with warnings.catch_warnings(record=True) as self.warnings:
            warnings.simplefilter("always")
            self.step = compile_step(self.recipe, 0, self.mesh, ((phase, 1),), self.target, shapes)

    def run(self):
        born = jax.device_put(initial_state(), state.shardings_of(self.target))
        return jax.device_get(self.step(born, sharding.put(batch(), self.mesh))[0])

    def collectives(self):
        kinds = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
        return Counter(re.findall(rf"= .* ({kinds})(?:-start)?\(", self.step.as_text()))


@pytest.fixture(scope="module", params=PHASES)
def one_and_four(request):
    return request.param, Compiled(request.param, 1), Compiled(request.param, 4)


def test_work_is_split_over_the_devices(one_and_four):
    _, one, four = one_and_four
    ratio = 4 * four.step.cost_analysis()["flops"] / one.step.cost_analysis()["flops"]
    assert 0.9 < ratio < 1.1


def test_collectives_are_the_gradients_and_the_batch_statistics(one_and_four):
    """The moments of each batch normalisation, forward and (for the generator) backward, and once the gradients."""
    phase, _, four = one_and_four
    passes = {"discriminator": 1, "generator": 2}[phase]
    assert set(four.collectives()) == {"all-reduce"}
    assert four.collectives()["all-reduce"] <= passes * NORMS * MICROBATCHES + 1


def test_the_whole_state_is_donated(one_and_four):
    _, _, four = one_and_four
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(four.target))
    assert four.step.memory_analysis().alias_size_in_bytes >= size
    assert not [w for w in four.warnings if "donat" in str(w.message)]


def test_four_devices_compute_what_one_does(one_and_four):
    _, one, four = one_and_four
    a, b = one.run(), four.run()
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), a.params, b.params)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), a.stats, b.stats)


@pytest.mark.slow
def test_a_sharded_state_holds_a_quarter_and_computes_the_same():
    replicated = Compiled("generator", 4)
    sharded = Compiled("generator", 4, "mesh.rules=(('.*', 'largest'),)")
    arguments = [c.step.memory_analysis().argument_size_in_bytes for c in (replicated, sharded)]
    assert arguments[1] < 0.35 * arguments[0]
    ratio = sharded.step.cost_analysis()["flops"] / replicated.step.cost_analysis()["flops"]
    assert ratio < 1.1
    a, b = replicated.run(), sharded.run()
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), a.params, b.params)
