"""What `gan-jax bench` measures, and that the count of operations explains the compiler's."""

import copy
import dataclasses
import datetime
import json

import jax
import jax.numpy as jnp
import pytest

from gan_jax import bench, flops, hardware, main
from gan_jax import config as configs
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, lower_step, make_step
from gan_jax.errors import ConfigError
from gan_jax.run import Run

OVERRIDES = ("mesh.shape=(4,)", "train.microbatches=2", "train.compilation_cache=none")


PEAKS = {"bfloat16": 4e12, "float32": 1e12}


@pytest.fixture(scope="module")
def record():
    """With a data sheet for the CPU."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(hardware.DEVICES, "cpu", dataclasses.replace(hardware.DEVICES["cpu"], **PEAKS))
        return bench.bench(configs.load("configs/biggan_digits.py:quick", OVERRIDES), steps=4)


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


def test_a_record_says_what_its_figures_depend_on(record):
    assert (record["format"], record["data_only"], record["batch_size"]) == (1, False, 16)
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(record["date"])
    assert datetime.timedelta(0) <= age < datetime.timedelta(hours=1)
    assert (record["config"]["train.microbatches"], record["config"]["mesh.shape"]) == (2, [4])
    assert record["config"]["data.identity"]
    assert "xla_force_host_platform_device_count" in record["environment"]["flags"]["XLA_FLAGS"]
    low, high = record["real"]["step_seconds_quartiles"]
    assert low <= record["real"]["step_seconds"] <= high


def test_quartiles_are_those_of_steps_of_one_kind():
    """A step with a rare phase takes longer, and that is no noise."""
    kinds = [(("D", 1),), (("D", 1), ("R", 1))]
    due = [kinds[step % 4 == 0] for step in range(bench.WARM_UP + 40)]
    rates = bench._rates([2.0 if kind == kinds[1] else 1.0 for kind in due], due, batch_size=8)
    rare = sum(kind == kinds[1] for kind in due[bench.WARM_UP :]) / 40
    assert rates["step_seconds"] == pytest.approx(1 + rare)
    assert rates["step_seconds_quartiles"] == pytest.approx([1 + rare, 1 + rare])
    assert rates["images_per_second"] == pytest.approx(8 / (1 + rare))


def test_an_earlier_record_of_something_else_is_refused_before_anything_is_measured(record):
    other = {**record, "environment": {**record["environment"], "devices": 8}, "batch_size": 32}
    with pytest.raises(ConfigError, match="devices 8 there and 4 here, batch_size 32 there and 16 here"):
        bench.bench(configs.load("configs/biggan_digits.py:quick", OVERRIDES), 4, before=other)


@pytest.mark.parametrize(("times", "tolerance", "code"), [(1.2, "0.1", 1), (1.2, "0.3", 0), (0.5, "0.1", 0)])
def test_the_exit_code_tells_of_a_regression(record, monkeypatch, capsys, tmp_path, times, tolerance, code):
    (tmp_path / "before.json").write_text(json.dumps(record))
    slower = copy.deepcopy(record)
    slower["compile"]["seconds"] *= times
    monkeypatch.setattr(bench, "bench", lambda config, steps, data_only, before: copy.deepcopy(slower))
    words = ["bench", "--config=configs/biggan_digits.py:quick", f"--against={tmp_path}/before.json"]
    assert main.main([*words, f"--tolerance={tolerance}"]) == code
    assert ("worse by more than 10% and the noise: compiling, s" in capsys.readouterr().out) == (code == 1)
    assert main.main([*words, f"--tolerance={tolerance}", "--json"]) == code
    against = json.loads(capsys.readouterr().out)["against"]
    assert against["regressions"] == (["compiling, s"] if code else [])


def test_the_count_explains_the_compiler_s_with_loops_multiplied_out(record):
    """Two discriminator steps and two microbatches: a loop body counted once would be off by a factor of 3 or 4."""
    assert record["flops"]["compiler_over_analytic"] == pytest.approx(1, abs=0.02)


GROWING = ("train.growth.batches=(16, 8, 8)", "train.growth.stable_kimg=0.032", "train.batch_size=4")


@pytest.mark.slow
def test_a_config_that_grows_is_timed_in_its_first_stage(monkeypatch):
    """Which has a batch of its own, and is over here after two steps."""
    stages = set()

    class Watched(Run):
        def compiled(self, stage, active):
            stages.add(stage)
            return super().compiled(stage, active)

    monkeypatch.setattr(bench, "Run", Watched)
    overrides = (*GROWING, "train.microbatches=1", "train.compilation_cache=none")
    record = bench.bench(configs.load("configs/progan_digits.py:quick", overrides), steps=2)
    assert record["batch_size"] == 16
    assert stages == {0}
    for kind in ("synthetic", "real"):
        assert record[kind]["steps"] == 2
        assert record[kind]["images_per_second"] == pytest.approx(16 / record[kind]["step_seconds"])


def test_the_input_of_a_config_that_grows(monkeypatch):
    """As many batches come as are counted, each of the stage's size."""
    monkeypatch.setattr(bench, "_intervals", lambda batches: [0.5 for _ in batches])
    record = bench.bench(configs.load("configs/progan_digits.py:quick", GROWING), steps=4, data_only=True)
    assert (record["batch_size"], record["data"]["steps"]) == (16, 4)
    assert record["data"]["images_per_second"] == 16 / 0.5


def test_the_data_sheet_s_peak_is_that_of_the_precision(record):
    """In float32 on four devices."""
    work = record["flops"]
    assert work["nominal_peak"] == 4 * PEAKS["float32"]
    assert work["share_of_nominal_peak"] == work["achieved_per_second"] / work["nominal_peak"]
    assert "of the data sheet" in bench.as_text(record)


def test_the_input_pipeline_alone():
    record = bench.bench(configs.load("configs/biggan_digits.py:quick"), steps=4, data_only=True)
    assert record["data"]["images_per_second"] > 0
    assert "real" not in record
    assert "input alone" in bench.as_text(record)


@pytest.mark.slow
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
