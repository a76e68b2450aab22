"""What `gan-jax bench` measures, and that the count of operations explains the compiler's."""

import json

import jax
import jax.numpy as jnp
import pytest

from gan_jax import bench, flops
from gan_jax import config as configs
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, lower_step, make_step


@pytest.fixture(scope="module")
def record():
    overrides = ["mesh.shape=(4,)", "train.microbatches=2", "train.compilation_cache=none"]
    return bench.bench(configs.load("configs/biggan_digits.py:quick", overrides), steps=4)


def test_a_record_is_json_and_adds_up(record):
    assert json.loads(json.dumps(record)) == record
    real = record["real"]
    assert real["steps"] == 4
    assert real["images_per_second"] == pytest.approx(record["batch_size"] / real["step_seconds"])
    assert real["step_seconds_fastest"] <= real["step_seconds"] <= real["step_seconds_slowest"]
    assert record["loop_efficiency"] == pytest.approx(record["synthetic"]["step_seconds"] / real["step_seconds"])
    work = record["flops"]
    assert work["achieved_per_second"] == pytest.approx(work["per_image"] * real["images_per_second"])
    assert record["memory"]["aliased"] <= record["memory"]["arguments"]
    assert record["compile"]["variants"] == 1
    assert "images/s" in bench.as_text(record)


def test_the_count_explains_the_compiler_s_with_loops_multiplied_out(record):
    """Two discriminator steps and two microbatches: a loop body counted once would be off by a factor of 3 or 4."""
    assert record["flops"]["compiler_over_analytic"] == pytest.approx(1, abs=0.02)


def test_the_input_pipeline_alone():
    record = bench.bench(configs.load("configs/biggan_digits.py:quick"), steps=4, data_only=True)
    assert record["data"]["images_per_second"] > 0
    assert "real" not in record
    assert "input alone" in bench.as_text(record)


def test_the_count_explains_the_compiler_s_for_biggan_128():
    config = configs.load("configs/biggan_imagenet128.py")
    recipe, mesh = load(config), sharding.data_mesh(1)
    target, active = state.abstract(recipe, mesh, ()), schedule.due(recipe, 0)
    shapes = {
        "image": jax.ShapeDtypeStruct((1, 1, 2, 128, 128, 3), jnp.uint8),
        "label": jax.ShapeDtypeStruct((1, 1, 2), jnp.int32),
    }
    batch = abstract_batch(shapes, mesh)
    ours = flops.count(make_step(recipe, 0, mesh, active, unroll=True), target, batch)
    compiler = lower_step(recipe, 0, mesh, active, target, batch, unroll=True).cost_analysis()["flops"]
    assert compiler == pytest.approx(ours.total, rel=0.02)
    # The plain network is about 323 GFLOP per image; shortcuts on the small side save some 12 of them.
    assert 300e9 < (ours.convolution + ours.matmul) / 2 < 325e9
