"""Training from end to end: what a run writes, how it stops, how it goes on, what it refuses."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax import stopping
from gan_jax import train as training
from gan_jax import workdir as workdirs
from gan_jax.data.digits import digits
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError, UserError
from gan_jax.report import goodput
from gan_jax.run import Run
from gan_jax.train import train

ROOT = Path(__file__).resolve().parent.parent
QUICK = "configs/biggan_digits.py:quick"
PLAIN = ("report.tensorboard=False", "train.compilation_cache=")


def config_of(*overrides):
    return configs.load(QUICK, [*PLAIN, *overrides])


def metrics_of(workdir) -> list[dict]:
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def state_of(workdir) -> state.State:
    """The newest state of a run, on the host."""
    config = configs.read(workdir)
    return jax.device_get(workdirs.restore(workdir, state.abstract(load(config), sharding.data_mesh(1), ())))


def content(folder) -> dict:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---- whole runs in this process ----


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A complete run of two steps on four devices."""
    workdir = tmp_path_factory.mktemp("train") / "run"
    assert train(config_of("evaluate.batch=100", "evaluate.standing=2", "report.profile=0:1"), workdir) == 0
    return workdir


def test_a_run_writes_what_it_should(trained):
    names = {path.name for path in trained.iterdir()}
    assert names == {
        *("config.json", "environment.json", "checkpoints", "metrics.jsonl"),
        *("samples", "evaluations", "report.html", "log.txt", "goodput.json", "profile"),
    }
    assert sorted(os.listdir(trained / "samples")) == ["0000000000.png", "0000000032.png"]
    assert sorted(os.listdir(trained / "evaluations")) == ["0000000000.json", "0000000032.json"]
    assert os.listdir(trained / "checkpoints") == ["2"]
    assert [(line["step"], line["images"]) for line in metrics_of(trained)] == [(1, 16), (2, 32)]
    assert {"discriminator/loss", "generator/loss", "images_per_second", "time"} <= metrics_of(trained)[0].keys()
    assert os.listdir(trained / "profile/plugins/profile") == ["steps_1-1"]
    log = (trained / "log.txt").read_text()
    assert "share recognised as the class asked for" in log
    assert "training is complete" in log
    assert configs.changes(configs.read(trained), config_of(f"data.identity={digits(16).identity}")) == []
    final = state_of(trained)
    assert (final.step, final.images, final.seed) == (2, 32, 0)
    record = json.loads((trained / "evaluations" / "0000000032.json").read_text())
    assert (record["step"], record["samples"]) == (2, 100)
    assert 0 <= record["recognised_digits"] <= 1
    assert record["recognised_real_digits"] > 0.98
    assert record["protocol"]["frechet_digits"]["reference_count"] == 1797


def test_the_same_command_on_a_finished_run_changes_nothing_of_it(trained):
    before = content(trained)
    assert train(configs.read(trained), trained) == 0
    after = content(trained)
    for name in before:
        if name not in ("log.txt", "report.html"):
            assert after[name] == before[name], name
    assert after.keys() == before.keys()
    shorter = configs.read(trained, ["train.length=1 step"])
    assert train(shorter, trained) == 0
    assert workdirs.latest(trained) == 2


def test_a_changed_config_is_refused_and_an_accepted_one_must_still_fit(trained):
    before = content(trained)
    slower = config_of("players.generator.learning_rate=1e-5")
    with pytest.raises(ConfigError, match="players.generator.learning_rate is 1e-05 but 0.0005 in the workdir"):
        train(slower, trained)
    wider = config_of("model.G.channels=4")
    with pytest.raises(UserError, match="does not fit this config and recipe"):
        train(wider, trained, accept_changes=True)
    assert content(trained) == before
    assert train(slower, trained, accept_changes=True) == 0
    assert configs.read(trained).players.generator.learning_rate == 1e-5
    assert train(config_of(), trained, accept_changes=True) == 0


# ---- the loop itself, with steps that compute nothing ----


@pytest.fixture
def hollow(monkeypatch):
    """Steps that only count, and no pictures: the loop without what it costs. Yields the metrics that a step returns."""
    metrics = {"generator/loss": 1.0}

    def compiled(run, stage, active):
        def step(current, batch):
            images = jnp.uint32(current.images + run.batch_size)
            values = {name: jnp.float32(v(current.step + 1) if callable(v) else v) for name, v in metrics.items()}
            return dataclasses.replace(current, step=current.step + 1, images=images), values

        return step

    monkeypatch.setattr(Run, "compiled", compiled)
    monkeypatch.setattr(state, "born", born_cheaply)
    monkeypatch.setattr(training, "picture", lambda *_: 0.0)
    monkeypatch.setattr(training, "write_report", lambda workdir: None)
    return metrics


def born_cheaply(recipe, target, seed):
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), target)
    return jax.device_put(dataclasses.replace(zeros, seed=np.uint32(seed)), state.shardings_of(target))


def stopping_after(calls: int):
    """Stands for `stop_requests`: a signal arrives after so many questions whether one did."""

    @contextlib.contextmanager
    def signals():
        asked = iter(range(10**6))
        yield lambda: next(asked) >= calls

    return signals


UNSCORED = ("evaluate.metrics=()", "report.every=1 step")


def test_checkpoints_come_when_due_and_at_the_end(hollow, tmp_path):
    config = config_of(*UNSCORED, "train.length=11 steps", "train.checkpoint_every=64 images", "train.keep=2")
    assert train(config, tmp_path) == 0
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["11", "8"]
    assert [line["step"] for line in metrics_of(tmp_path)] == list(range(1, 12))


@pytest.mark.parametrize("calls", [0, 1, 2, 3])
def test_a_stop_at_any_moment_saves_the_step_it_names(hollow, tmp_path, monkeypatch, capsys, calls):
    config = config_of(*UNSCORED, "train.length=9 steps", "train.checkpoint_every=100 steps")
    monkeypatch.setattr(training, "stop_requests", stopping_after(calls))
    assert train(config, tmp_path) == 42
    step = workdirs.latest(tmp_path)
    assert 1 <= step <= calls + 1
    assert f"stopped at step {step} of 9, saved; the same command goes on from there" in capsys.readouterr().err
    assert [line["step"] for line in metrics_of(tmp_path)] == list(range(1, step + 1))
    monkeypatch.undo()


def test_a_stop_at_the_last_step_is_the_end(hollow, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "stop_requests", stopping_after(2))
    assert train(config_of(*UNSCORED, "train.length=3 steps"), tmp_path) == 0
    assert workdirs.latest(tmp_path) == 3


def test_a_longer_length_goes_on_and_so_do_the_metrics(hollow, tmp_path):
    assert train(config_of(*UNSCORED, "train.length=3 steps"), tmp_path) == 0
    assert train(config_of(*UNSCORED, "train.length=80 images", "mesh.rules=(('.*', 'largest'),)"), tmp_path) == 0
    assert workdirs.latest(tmp_path) == 5
    assert [line["images"] for line in metrics_of(tmp_path)] == [16, 32, 48, 64, 80]


@pytest.mark.parametrize(("bad_step", "kept"), [(2, 3), (5, 6), (8, 9)])
def test_a_run_that_diverges_ends_and_keeps_the_checkpoints_before(hollow, tmp_path, bad_step, kept):
    hollow["generator/loss"] = lambda step: jnp.where(step >= bad_step, jnp.nan, 1.0)
    hollow["skipped"] = lambda step: jnp.maximum(step - bad_step + 1, 0)
    words = ("report.every=4 steps", "train.length=20 steps", "train.checkpoint_every=3 steps", "train.max_skipped=4")
    with pytest.raises(UserError, match=r"in a row were not finite \(generator/loss is nan\) and were skipped"):
        train(config_of("evaluate.metrics=()", *words), tmp_path)
    assert workdirs.latest(tmp_path) == kept
    assert "UserError: step" in (tmp_path / "log.txt").read_text()


def test_a_disk_that_fills_up_is_a_sentence_and_not_called_saved(hollow, tmp_path, monkeypatch):
    def full(checkpoints):
        if (tmp_path / "metrics.jsonl").exists():
            raise UserError("no space")

    monkeypatch.setattr(training.Checkpoints, "wait", full)
    monkeypatch.setattr(training, "stop_requests", stopping_after(0))
    with pytest.raises(UserError, match="no space"):
        train(config_of(*UNSCORED, "train.length=9 steps"), tmp_path)
    assert "saved" not in (tmp_path / "log.txt").read_text()


def test_the_time_of_all_attempts_is_booked_and_steps_that_were_lost_are_redone(hollow, tmp_path, monkeypatch):
    words = (*UNSCORED, "train.length=9 steps", "train.checkpoint_every=3 steps", "report.profile=1:3")
    steps = iter(range(1, 10**6))

    def losing(checkpoints):
        if next(steps) == 5:
            raise UserError("the machine goes down")

    began = time.monotonic()
    check = training.Checkpoints.check
    monkeypatch.setattr(training.Checkpoints, "check", losing)
    with pytest.raises(UserError, match="goes down"):
        train(config_of(*words), tmp_path, since=began - 100)
    monkeypatch.setattr(training.Checkpoints, "check", check)
    middle = time.monotonic()
    assert train(config_of(*words), tmp_path) == 0
    end = time.monotonic()
    attempts = goodput.read_attempts(tmp_path)
    assert [(attempt["first"], attempt["step"]) for attempt in attempts] == [(0, 5), (3, 9)]
    for attempt, wall in zip(attempts, (middle - began + 100, end - middle), strict=True):
        assert wall - 2 < sum(attempt["seconds"].values()) < wall
        assert all(attempt["seconds"][name] > 0 for name in ("steps", "input", "save"))
    seconds = goodput.totals(attempts)
    assert seconds["redone"] == pytest.approx(2 / 5 * attempts[0]["seconds"]["steps"])
    shares = [float(share) for share in re.findall(r"flex-grow:([\d.]+)", goodput.bar(attempts))]
    assert sum(shares) == pytest.approx(1000, abs=0.1)
    assert metrics_of(tmp_path)[-1]["goodput"] == pytest.approx(goodput.goodput(seconds), abs=0.05)
    assert (tmp_path / "log.txt").read_text().splitlines()[-1].endswith("; 2 attempts")
    assert os.listdir(tmp_path / "profile/plugins/profile") == ["steps_2-3"]


@pytest.mark.parametrize("value", ["3", "5:2", "9:12"])
def test_a_profile_that_makes_no_sense_is_refused_before_anything_is_written(tmp_path, value):
    with pytest.raises(ConfigError, match=r"config\.report\.profile is"):
        train(config_of(*UNSCORED, "train.length=9 steps", f"report.profile={value}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_metrics_nothing_is_evaluated(hollow, tmp_path):
    assert train(config_of(*UNSCORED, "evaluate.at_start=True", "train.length=2 steps"), tmp_path) == 0
    assert not (tmp_path / "evaluations").exists()


def test_signals_only_raise_a_flag_until_the_second():
    before = signal.getsignal(signal.SIGTERM)
    with stopping.stop_signals() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


# ---- processes ----


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts `gan-jax train` on the quick digits in a process with one device; they share their compiled programs."""
    cache = tmp_path_factory.mktemp("compiled")
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}

    def run(workdir, length: str) -> subprocess.Popen:
        overrides = [*UNSCORED, "report.tensorboard=False", "evaluate.standing=0", f"train.compilation_cache={cache}"]
        words = [
            f"--config.{text}" for text in (*overrides, f"train.length={length}", "train.checkpoint_every=7 steps")
        ]
        command = [sys.executable, "-m", "gan_jax.main", "train", f"--config={QUICK}", f"--workdir={workdir}", *words]
        return subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    return run


def test_twenty_steps_are_ten_and_another_ten_bit_for_bit(start, tmp_path):
    for workdir, lengths in ((tmp_path / "straight", [20]), (tmp_path / "parts", [10, 20])):
        for length in lengths:
            process = start(workdir, f"{length} steps")
            error = process.communicate()[1]
            assert process.returncode == 0, error
            assert workdirs.latest(workdir) == length
    straight, parts = state_of(tmp_path / "straight"), state_of(tmp_path / "parts")
    assert straight.step == 20
    assert len(jax.tree.leaves(straight)) > 100
    jax.tree.map(np.testing.assert_array_equal, straight, parts)
    others = ("time", "images_per_second", "goodput", "diversity")  # clocks, and pictures, which every end has
    lines = [
        [{name: value for name, value in line.items() if name not in others} for line in metrics_of(tmp_path / name)]
        for name in ("straight", "parts")
    ]
    assert len(lines[0]) == 20
    assert lines[0] == lines[1]
    assert content(tmp_path / "straight" / "samples").items() <= content(tmp_path / "parts" / "samples").items()


def test_a_terminated_run_saves_exits_with_42_and_goes_on(start, tmp_path):
    process = start(tmp_path / "run", "100000 steps")
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and len(metrics.read_text().splitlines()) > 3):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 42, error
    step = workdirs.latest(tmp_path / "run")
    assert f"stopped at step {step} of 100000, saved" in error
    assert f"stopped at step {step} of 100000, saved" in (tmp_path / "run" / "log.txt").read_text()
    assert "Traceback" not in error
    process = start(tmp_path / "run", f"{step + 2} steps")
    assert process.communicate()[1].count("compiling the training step") == 1
    assert process.returncode == 0
    assert [line["step"] for line in metrics_of(tmp_path / "run")] == list(range(1, step + 3))
