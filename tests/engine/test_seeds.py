"""Several seeds at once: the numbers of each are those of its run alone, bit for bit, and nothing is sent."""

import jax
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.collectives import KINDS
from gan_jax.engine import recipe as recipes
from gan_jax.engine import schedule, seeds, sharding, state
from gan_jax.engine.step import abstract_batch, compile_step
from gan_jax.errors import ConfigError
from tests.engine.games import two_against_two

SEEDS = (3, 7, 8, 2**32 - 1)


def alone(recipe, seed: int, batches):
    """State and last metrics of a seed by itself, on one device."""
    mesh = sharding.data_mesh(1)
    target = state.abstract(recipe, mesh, ())
    current, steps, metrics = state.born(recipe, target, seed), {}, {}
    for index, batch in enumerate(batches):
        active = schedule.due(recipe, index)
        if active not in steps:
            steps[active] = compile_step(recipe, 0, mesh, active, target, abstract_batch(batch, mesh))
        current, metrics = steps[active](current, sharding.put(batch, mesh))
    return jax.device_get((current, metrics))


def together(recipe, batches):
    """The same of all seeds, and the texts of the programs."""
    mesh = seeds.make_mesh(len(SEEDS))
    current, steps, metrics = seeds.born(recipe, SEEDS, mesh), {}, {}
    for index, of_seeds in enumerate(zip(*batches, strict=True)):
        active, batch = schedule.due(recipe, index), seeds.stack(of_seeds, mesh)
        if active not in steps:
            steps[active] = seeds.compile_step(recipe, 0, mesh, active, current, batch)
        current, metrics = steps[active](current, batch)
    return seeds.unstack((current, metrics)), [step.as_text() for step in steps.values()]


def check(recipe, make_batch, steps: int):
    batches = [[make_batch(np.random.RandomState(10 * seed % 1000 + i)) for i in range(steps)] for seed in SEEDS]
    found, texts = together(recipe, batches)
    for of_seed, seed, own in zip(found, SEEDS, batches, strict=True):
        jax.tree.map(np.testing.assert_array_equal, jax.device_get(of_seed), alone(recipe, seed, own))
    assert texts
    assert not [kind for kind in KINDS for text in texts if kind in text]
    return found


def test_every_seed_is_as_if_alone():
    def batch(random):
        return {"image": random.normal(size=(1, 2, 8, 8)).astype(np.float32)}

    found = check(two_against_two(), batch, steps=4)
    first, second = (jax.device_get(of_seed[0].params) for of_seed in found[:2])
    assert not np.array_equal(first["toA"]["Dense_0"]["kernel"], second["toA"]["Dense_0"]["kernel"])


@pytest.mark.slow
@pytest.mark.parametrize("config", ["dcgan_polygons", "wgan_gp_polygons"])
def test_so_it_is_with_convolutions_batch_statistics_and_penalties(config):
    recipe = recipes.load(configs.load(f"configs/{config}.py:quick"))

    def batch(random):
        image = random.randint(0, 256, (5, 1, 8, 28, 28, 1)).astype(np.uint8)
        return {"image": image, "label": np.full((5, 1, 8), -1, np.int32)}

    check(recipe, batch, steps=2)


def test_stacks_come_apart_again_each_on_its_device():
    mesh = seeds.make_mesh(3)
    trees = [{"a": np.arange(4.0) + i, "b": np.float32(i)} for i in range(3)]
    apart = seeds.unstack(seeds.stack(trees, mesh))
    for tree, back, device in zip(trees, apart, mesh.devices, strict=True):
        assert back["a"].devices() == {device}
        jax.tree.map(np.testing.assert_array_equal, back, jax.tree.map(np.float32, tree))


def test_more_seeds_than_devices_are_a_sentence():
    with pytest.raises(ConfigError, match="5 seeds at once were asked for on 4 devices"):
        seeds.make_mesh(5)
