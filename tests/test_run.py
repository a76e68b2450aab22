"""A run's compiled steps and batches."""

import jax
import numpy as np

from gan_jax import config as configs
from gan_jax.data.source import open_source
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.run import Run


def make_run():
    overrides = ["mesh.shape=(4,)", "train.batch_size=4", "phases.critic_steps=1", "model.channels=2"]
    config = configs.load("configs/wgan_gp_polygons.py:quick", overrides)
    with config.unlocked():
        config.data.count = 16
    return Run(config, load(config), sharding.make_mesh(config.mesh), open_source(config.data))


def test_without_jit_a_step_computes_the_same():
    run = make_run()
    initial = jax.device_get(state.born(run.recipe, run.target, 0))
    work = next(run.work(0))

    def step():
        current = jax.device_put(initial, state.shardings_of(run.target))
        return jax.device_get(run.compiled(work.stage, work.active)(current, work.batch))

    compiled = step()
    with jax.disable_jit():
        plain = step()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), compiled, plain)
    assert len(run.variants) == 1


def test_work_goes_on_at_the_same_example():
    run = make_run()
    with run.config.unlocked():
        run.config.train.length = "6 steps"
    run = Run(run.config, run.recipe, run.mesh, open_source(run.config.data))
    straight, resumed = list(run.work(0)), list(run.work(4))
    assert [work.step for work in straight] == list(range(6))
    assert [work.images for work in straight] == [4, 8, 12, 16, 20, 24]
    assert [work.step for work in resumed] == [4, 5]
    for a, b in zip(straight[4:], resumed, strict=True):
        np.testing.assert_array_equal(a.batch["image"], b.batch["image"])
