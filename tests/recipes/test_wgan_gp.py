"""WGAN-GP: who moves when, what the penalty does, and that nothing is averaged."""

import jax
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.data.source import open_source
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.run import Run
from gan_jax.sampling import Options, Sampler

STEPS = 16


def config_of(*overrides):
    tiny = ("model.G.channels=2", "model.D.channels=2", "train.unroll=False")
    config = configs.load("configs/wgan_gp_polygons.py:quick", [*tiny, *overrides])
    with config.unlocked():
        config.data.count = 64
    return config


@pytest.fixture(scope="module")
def training():
    """The states before each step and after the last, and the metrics of each."""
    config = config_of(f"train.length={STEPS} steps", "players.discriminator.learning_rate=3e-3")
    run = Run(config, load(config), sharding.make_mesh(config.mesh), open_source(config.data))
    current = state.born(run.recipe, run.target, 0)
    states, metrics = [jax.device_get(current)], []
    for work in run.work(0):
        current, new = run.compiled(work.stage, work.active)(current, work.batch)
        states.append(jax.device_get(current))
        metrics.append(jax.device_get(new))
    return states, metrics


def moved(before, after) -> bool:
    return any(not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True))


def estimate(metrics):
    """Of the Wasserstein distance."""
    return metrics["discriminator/real_logit"] - metrics["discriminator/fake_logit"]


def test_five_critic_steps_to_one_of_the_generator_which_sits_out_the_first():
    recipe = load(configs.load("configs/wgan_gp_polygons.py"))
    assert schedule.due(recipe, 0) == (("discriminator", 5),)
    assert schedule.due(recipe, 1) == schedule.due(recipe, 1000) == (("generator", 1), ("discriminator", 5))


def test_the_players_move_when_they_should(training):
    states, metrics = training
    assert not moved(states[0].params["G"], states[1].params["G"])
    assert moved(states[0].params["D"], states[1].params["D"])
    assert moved(states[1].params["G"], states[2].params["G"])
    updates = {name: int(adam[0].count) for name, adam in states[-1].opt.items()}
    assert updates == {"discriminator": 5 * STEPS, "generator": STEPS - 1}
    assert "generator/loss" not in metrics[0]
    assert "generator/loss" in metrics[1]
    assert states[-1].images == 8 * STEPS  # one batch per step, though the critic saw five


def test_nothing_is_averaged(training):
    states, _ = training
    assert states[-1].ema == {}
    assert all(stats == {} for stats in states[-1].stats.values())
    assert state.variables(states[-1], averaged=True)["G"]["params"] is states[-1].params["G"]


def test_the_penalty_holds_the_norms_of_gradients_where_it_should(training):
    """A critic that gains nothing by a larger scale has d/ds (10 (s n - 1)^2 - s W) = 0 at s = 1, so W = 20 n (n - 1).

    Without the penalty the norm n passes a thousand within these steps.
    """
    _, metrics = training
    norm, distance = 1 + np.sqrt(metrics[-1]["discriminator/gradient_penalty"]), estimate(metrics[-1])
    np.testing.assert_allclose(distance, 20 * norm * (norm - 1), rtol=0.1)
    penalty = 10 * metrics[0]["discriminator/gradient_penalty"]
    np.testing.assert_allclose(metrics[0]["discriminator/loss"], penalty - estimate(metrics[0]), rtol=1e-5)


def test_samples_are_pictures_whatever_the_labels(training):
    states, _ = training
    recipe = load(config_of())
    sampler = Sampler(recipe, sharding.data_mesh(1), 4, Options())
    variables = state.variables(states[-1], averaged=True)
    images = sampler.draw(variables, np.zeros(4, np.int32))
    assert (images.shape, images.dtype) == ((4, 28, 28, 1), np.uint8)
    np.testing.assert_array_equal(images, sampler.draw(variables, np.full(4, 7, np.int32)))
    with pytest.raises(ConfigError, match="standing statistics were asked for"):
        Sampler(recipe, sharding.data_mesh(1), 4, Options(standing=2))


def test_another_resolution_is_a_sentence():
    with pytest.raises(ConfigError, match=r"config\.data\.resolution is 32: the networks of wgan_gp make 28 pixels"):
        load(config_of("data.resolution=32"))
