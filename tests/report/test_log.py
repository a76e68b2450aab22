"""The log of a run: metrics one step late, words for people, and an end when training diverges."""

import contextlib
import json
import re

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.report.clock import Clock
from gan_jax.report.goodput import Ledger, read_attempts
from gan_jax.report.log import TrainingLog


def lines(workdir) -> list[dict]:
    path = workdir / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def make_log(workdir, first_step=0, total_steps=10, every=2) -> TrainingLog:
    return TrainingLog(workdir, first_step, total_steps, every, tensorboard=False, patience=5)


def make_ledger_log(workdir, clock, writes=True) -> TrainingLog:
    return TrainingLog(workdir, 0, 10, 2, False, 5, writes, Ledger(workdir, 0, clock))


def run(log, steps, value=lambda step: 0.5 * step, skipped=None):
    log.start(0)
    for step in steps:
        more = {"skipped": jnp.int32(skipped(step))} if skipped else {}
        log.step(step, 8 * step, {"generator/loss": jnp.float32(value(step)), **more})


def test_metrics_are_written_when_due_and_one_step_late(tmp_path):
    with make_log(tmp_path) as log:
        run(log, range(1, 3))
        assert lines(tmp_path) == []  # step 2 is due, and still under way on the device
        log.step(3, 24, {"generator/loss": jnp.float32(9)})
        (line,) = lines(tmp_path)
        assert (line["step"], line["images"], line["generator/loss"]) == (2, 16, 1.0)
        assert line["images_per_second"] > 0
        log.flush()
        assert len(lines(tmp_path)) == 1  # step 3 is not due


def test_the_last_step_is_written_though_it_is_not_due(tmp_path):
    with make_log(tmp_path, total_steps=5) as log:
        run(log, range(1, 6))
        log.flush()
        log.flush()
    assert [line["step"] for line in lines(tmp_path)] == [2, 4, 5]


def test_phases_that_run_now_and_then_keep_their_last_metrics(tmp_path):
    with make_log(tmp_path) as log:
        log.start(0)
        log.step(1, 8, {"penalty": jnp.float32(3), "generator/loss": jnp.float32(1)})
        log.step(2, 16, {"generator/loss": jnp.float32(2)})
        log.flush()
    (line,) = lines(tmp_path)
    assert (line["penalty"], line["generator/loss"]) == (3, 2)


def test_two_steps_at_most_are_under_way(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(
        "jax.block_until_ready", lambda metrics: waited.append({k: float(v) for k, v in metrics.items()})
    )
    with make_log(tmp_path) as log:
        run(log, range(1, 4), value=float)
    assert waited == [{}, {"generator/loss": 1.0}, {"generator/loss": 2.0}]


def test_a_resumed_run_drops_the_lines_beyond_its_checkpoint(tmp_path):
    with make_log(tmp_path, every=1) as log:
        run(log, range(1, 7))
        log.flush()
    with make_log(tmp_path, first_step=4, every=1) as log:
        run(log, range(5, 7), value=lambda step: 100.0)
        log.flush()
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert [line["generator/loss"] for line in lines(tmp_path)] == [0.5, 1.0, 1.5, 2.0, 100.0, 100.0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_too_many_skipped_updates_end_the_run_with_a_sentence_in_the_log_too(tmp_path, value):
    with (
        pytest.raises(
            UserError, match=rf"step 6: the updates of 6 steps in a row .*generator/loss is {value}.*learning_rate"
        ),
        make_log(tmp_path) as log,
    ):
        run(log, range(1, 9), value=lambda step: value, skipped=lambda step: step)
    assert [(line["step"], line["generator/loss"], line["skipped"]) for line in lines(tmp_path)] == [
        (2, None, 2),
        (4, None, 4),
    ]
    text = (tmp_path / "log.txt").read_text()
    assert "step 4: an update that was not finite was skipped, in 4 steps in a row so far" in text
    assert "UserError: step 6" in text


def test_skipped_updates_are_told_only_where_there_are_some(tmp_path):
    with make_log(tmp_path) as log:
        assert log.values(1, {"a": jnp.float32(1), "skipped": jnp.int32(0)}) == {"a": 1.0}
        assert log.values(1, {"a": jnp.float32(1), "skipped": jnp.int32(4)}) == {"a": 1.0, "skipped": 4}
        with pytest.raises(UserError, match="step 1: the updates of 5 steps"):
            log.values(1, {"skipped": jnp.int32(5)})


def test_words_go_to_the_eye_and_with_the_time_to_the_log(tmp_path, capsys):
    with make_log(tmp_path) as log:
        log.say("before the clocks start")
        log.start(0)
        log.say("two\nlines")
    error = capsys.readouterr().err
    assert "before the clocks start\n" in error
    assert "two\nlines\n" in error
    text = (tmp_path / "log.txt").read_text()
    assert re.fullmatch(r"[\d-]{10} [\d:]{8} before the clocks start\n[\d-]{10} [\d:]{8} two\nlines\n", text)
    with make_log(tmp_path) as log:
        log.say("again")
    assert (tmp_path / "log.txt").read_text().startswith(text)


def test_the_ledger_is_kept_and_goodput_told_at_the_end(tmp_path, capsys):
    clock = Clock()
    step = clock.counted(lambda metrics: (None, metrics))
    with make_ledger_log(tmp_path, clock) as log:
        log.start(0)
        for number in range(1, 4):
            log.step(number, 8 * number, step({"generator/loss": jnp.float32(1)})[1])
        log.flush()
        assert [(entry["first"], entry["step"]) for entry in read_attempts(tmp_path)] == [(0, 3)]
    (line,) = lines(tmp_path)
    assert 0 < line["goodput"] < 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"goodput \d+\.\d %: steps 0s, compile 0s, input 0s, save 0s, evaluate 0s, other 0s", said)
    assert (tmp_path / "log.txt").read_text().splitlines()[-1].endswith(said)


def test_an_attempt_without_a_step_and_other_processes_leave_no_ledger(tmp_path):
    with make_ledger_log(tmp_path, Clock()) as log:
        log.start(0)
        log.flush()
    with make_ledger_log(tmp_path, Clock(), writes=False) as log:
        run(log, range(1, 4))
        log.flush()
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_cannot_be_written_hides_no_other_error(tmp_path):
    (tmp_path / "goodput.json").mkdir()
    with pytest.raises(UserError, match="goodput.json cannot be written"), make_ledger_log(tmp_path, Clock()) as log:
        run(log, range(1, 2))
    with contextlib.suppress(ValueError), make_ledger_log(tmp_path, Clock()) as log:
        run(log, range(1, 2))
        raise ValueError("first")
    assert (tmp_path / "log.txt").read_text().endswith("ValueError: first\n")


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "log.txt").mkdir()
    with pytest.raises(UserError, match="log.txt cannot be written"), make_log(tmp_path) as log:
        log.say("hello")
    with pytest.raises(UserError, match="diverged"), make_log(tmp_path) as log:  # what went wrong first counts
        log.values(1, {"skipped": jnp.int32(5)})
