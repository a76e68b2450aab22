"""Durations, due phases, timeline, learning rates, EMA decays."""

from itertools import islice

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from gan_jax.engine import schedule
from gan_jax.engine.recipe import Phase, Stage
from gan_jax.errors import ConfigError
from tests.engine.games import regression, two_against_two


def test_due_follows_numbers_and_functions():
    phases = two_against_two().phases
    game = two_against_two(
        phases=(
            *phases[:2],
            Phase("late", ("generators",), phases[1].loss, every=lambda step: step >= 2, repeat=lambda step: step),
        )
    )
    assert schedule.due(game, 0) == (("discriminators", 1), ("generators", 1))
    assert schedule.due(game, 3) == (("discriminators", 1), ("generators", 1), ("late", 3))
    assert [schedule.slices(game, schedule.due(game, step)) for step in range(4)] == [1, 1, 2, 3]
    assert schedule.variants(two_against_two(), 0) == [
        schedule.due(two_against_two(), 0),
        schedule.due(two_against_two(), 1),
    ]


def test_a_step_reads_up_to_the_last_slice_that_a_due_phase_wants():
    loss = two_against_two().phases[1].loss
    game = two_against_two(
        phases=(
            Phase("now", ("generators",), loss, repeat=2),
            Phase("later", ("generators",), loss, every=3, repeat=2, first_slice=2),
        )
    )
    assert [schedule.slices(game, schedule.due(game, step)) for step in range(4)] == [4, 2, 2, 4]
    positions = [position for _, _, position in islice(schedule.timeline(game, 10), 5)]
    assert positions == [0, 40, 60, 80, 120]


def test_an_update_on_several_batches_reads_as_many_slices():
    loss = two_against_two().phases[1].loss
    game = two_against_two(
        phases=(
            Phase("now", ("generators",), loss, repeat=2, batches=2),
            Phase("later", ("generators",), loss, every=2, first_slice=3, batches=3),
        )
    )
    assert [schedule.slices(game, schedule.due(game, step)) for step in range(2)] == [6, 4]


def test_the_timeline_counts_images_stages_and_examples_read():
    import dataclasses

    game = dataclasses.replace(regression(repeat=2), stages=(Stage(until=20, batch=10), Stage()))
    assert list(islice(schedule.timeline(game, 4), 5)) == [
        (0, 0, 0),
        (10, 0, 20),
        (20, 1, 40),
        (24, 1, 48),
        (28, 1, 56),
    ]


def test_learning_rate_warms_up_and_decays():
    section = ConfigDict(
        {
            "learning_rate": 2.0,
            "schedule": {"decay": "linear", "warmup": "4 steps", "start": "10 steps", "end": "20 steps", "final": 0.5},
        }
    )
    rate = schedule.learning_rate(section)
    values = [float(rate(jnp.uint32(step * 8), 8)) for step in (0, 1, 3, 10, 15, 20, 99)]
    np.testing.assert_allclose(values, [0.5, 1.0, 2.0, 2.0, 1.5, 1.0, 1.0])
    constant = schedule.learning_rate(ConfigDict({"learning_rate": 0.1}))
    assert float(constant(jnp.uint32(5), 8)) == np.float32(0.1)


def rates(steps, **schedule_section):
    """Rates of a peak of 2 before these steps of 8 images."""
    section = ConfigDict(
        {"learning_rate": 2.0, "schedule": {"warmup": "0 steps", "start": "0 steps", **schedule_section}}
    )
    rate = schedule.learning_rate(section)
    return [float(rate(jnp.uint32(step * 8), 8)) for step in steps]


def test_an_exponential_rate_falls_by_the_same_factor_in_every_step():
    """pylearn2's ExponentialDecay divides by 1.000004 after every update, down to its least rate."""
    end = np.log(1e5) / np.log(1.000004)
    found = rates((0, 1000, 250_000, 10**7), decay="exponential", end=f"{round(end)} steps", final=1e-5)
    np.testing.assert_allclose(found, [2, 2 / 1.000004**1000, 2 / 1.000004**250_000, 2e-5], rtol=1e-4)
    with pytest.raises(ConfigError, match="final is 0.0: expected more than 0"):
        rates((0,), decay="exponential", end="4 steps", final=0.0)


def test_a_rate_may_fall_in_stairs():
    halved_twice = {"decay": "exponential", "end": "10 steps", "final": 0.25, "stairs": 2}
    np.testing.assert_allclose(rates((0, 4, 5, 9, 10, 99), **halved_twice), [2, 2, 1, 1, 0.5, 0.5], rtol=1e-6)
    with pytest.raises(ConfigError, match='decay is \'steps\': expected "linear", "cosine" or "exponential"'):
        rates((0,), decay="steps", end="4 steps", final=0.5)


def test_ema_overwrites_until_its_start_then_averages():
    decay = schedule.ema_decay(ConfigDict({"decay": 0.9, "start": "3 steps"}))
    # Iterations count from 1 in BigGAN-PyTorch: the copy is overwritten while iteration < start.
    np.testing.assert_allclose([float(decay(jnp.uint32(8 * step), 8)) for step in range(4)], [0, 0, 0.9, 0.9])


def test_ema_half_life_ramps_up():
    decay = schedule.ema_decay(ConfigDict({"half_life": "1 kimg", "ramp_up": 0.05}))
    assert float(decay(jnp.uint32(0), 10)) == 0.0
    np.testing.assert_allclose(float(decay(jnp.uint32(2000), 10)), 0.5 ** (10 / 100), rtol=1e-6)
    np.testing.assert_allclose(float(decay(jnp.uint32(10**6), 10)), 0.5 ** (10 / 1000), rtol=1e-6)


def test_ema_half_life_follows_a_schedule():
    half_life = {"start": "0 images", "end": "1 kimg", "until": "10 kimg"}
    decay = schedule.ema_decay(ConfigDict({"half_life": half_life, "ramp_up": None}))
    assert float(decay(jnp.uint32(0), 10)) == 0.0
    np.testing.assert_allclose(float(decay(jnp.uint32(5000), 10)), 0.5 ** (10 / 500), rtol=1e-6)
    np.testing.assert_allclose(float(decay(jnp.uint32(99_000), 10)), 0.5 ** (10 / 1000), rtol=1e-6)
