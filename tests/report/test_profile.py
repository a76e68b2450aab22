"""Traces of chosen steps: which steps, what is written, and that a trace never harms the training."""

import gzip
import json
import re

import jax
import jax.numpy as jnp
import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.report.profile import Profile, chosen_steps

PLACE = "profile/plugins/profile"


@pytest.fixture(scope="module")
def step():
    jitted = jax.jit(lambda state, batch: (state + batch.sum(), {"loss": (batch @ batch).sum()}))
    return lambda state, batch: jitted(state, batch)


def train(profile, step, numbers, fail_at=None):
    """Runs steps as the training loop does."""
    state, batch = jnp.float32(0), jnp.ones((32, 32))
    for number in numbers:
        state, _ = profile.traced(step, number)(state, batch)
        if number == fail_at:
            raise OSError("something else")


def markers(path) -> list[int]:
    """Numbers of the steps in a trace for Perfetto."""
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    return [int(event["args"]["step_num"]) for event in events if event.get("name") == "train"]


@pytest.mark.parametrize(
    ("text", "steps"), [("", range(0)), ("0:1", range(1)), ("100:103", range(100, 103)), ("150:900", range(150, 200))]
)
def test_steps_are_a_pair_of_numbers(text, steps):
    assert chosen_steps(text, 200) == steps


@pytest.mark.parametrize("text", ["100", "3:3", "5:3", "-1:3", "a:b", "1:2:3", "1.5:2", "100 steps", ":", "1:"])
def test_anything_else_is_a_sentence(text):
    with pytest.raises(ConfigError, match=r"^config\.report\.profile is .*: expected FROM:TO with FROM below TO"):
        chosen_steps(text, 200)


def test_steps_after_the_end_are_a_sentence():
    with pytest.raises(ConfigError, match=r"is '200:210', but step 200 is the last: choose earlier steps"):
        chosen_steps("200:210", 200)


def test_the_chosen_steps_and_no_others_are_in_the_trace(tmp_path, step):
    said = []
    with Profile(tmp_path, range(2, 4), 0, said.append) as profile:
        train(profile, step, range(6))
    folder = tmp_path / PLACE / "steps_3-4"
    assert sorted(path.name for path in folder.iterdir()) == ["process0.perfetto.json.gz", "process0.xplane.pb"]
    assert markers(folder / "process0.perfetto.json.gz") == [3, 4]
    assert (folder / "process0.xplane.pb").stat().st_size > 1000
    (sentence,) = said
    assert (
        f"a trace of steps 3 to 4 is in {folder}: see it with tensorboard --logdir={tmp_path / 'profile'}" in sentence
    )


def test_the_trace_begins_and_ends_while_the_devices_wait(tmp_path, monkeypatch, step):
    calls = []
    monkeypatch.setattr("jax.block_until_ready", lambda tree: calls.append(("wait", len(tree))))
    monkeypatch.setattr("jax.profiler.start_trace", lambda *_, **__: calls.append("start"))
    monkeypatch.setattr("jax.profiler.stop_trace", lambda: calls.append("stop"))

    def noted(state, batch):
        calls.append("step")
        return step(state, batch)

    with Profile(tmp_path, range(1, 3), 0, lambda text: None) as profile:
        train(profile, noted, range(4))
    assert calls == ["step", ("wait", 2), "start", "step", "step", ("wait", 2), "stop", "step"]


def test_it_costs_nothing_where_nothing_is_chosen(tmp_path, step):
    with Profile(tmp_path, range(0), 0, pytest.fail) as profile:
        assert profile.traced(step, 0) is step
    with Profile(tmp_path, range(2, 4), 4, pytest.fail) as profile:  # resumed past the steps
        assert all(profile.traced(step, number) is step for number in range(6))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_resumes_among_the_steps_traces_the_rest(tmp_path, step):
    with Profile(tmp_path, range(2, 6), 4, lambda text: None) as profile:
        train(profile, step, range(4, 8))
    assert markers(tmp_path / PLACE / "steps_5-6/process0.perfetto.json.gz") == [5, 6]


def test_a_run_that_ends_or_fails_among_the_steps_ends_the_trace(tmp_path, step):
    said = []
    with Profile(tmp_path, range(1, 10), 0, said.append) as profile:
        train(profile, step, range(3))
    with pytest.raises(OSError, match="something else"), Profile(tmp_path, range(1, 10), 0, said.append) as profile:
        train(profile, step, range(4), fail_at=3)
    assert markers(tmp_path / PLACE / "steps_2-3/process0.perfetto.json.gz") == [2, 3]
    assert markers(tmp_path / PLACE / "steps_2-4/process0.perfetto.json.gz") == [2, 3, 4]
    assert [re.findall(r"steps (\d+ to \d+)", sentence) for sentence in said] == [["2 to 3"], ["2 to 4"]]


def test_a_place_that_cannot_be_written_is_a_sentence_before_training(tmp_path):
    (tmp_path / "profile").touch()
    with pytest.raises(UserError, match=r"profile cannot be written: File exists; free the place"):
        Profile(tmp_path, range(2, 4), 0, pytest.fail).__enter__()
    with Profile(tmp_path, range(2, 4), 4, pytest.fail):
        pass  # nothing will be written


@pytest.mark.parametrize("call", ["start_trace", "stop_trace"])
def test_training_goes_on_without_a_trace(tmp_path, monkeypatch, step, call):
    def failing(*_, **__):
        raise RuntimeError("the profiler\nis busy")

    for name in ("start_trace", "stop_trace"):
        monkeypatch.setattr(f"jax.profiler.{name}", failing if name == call else lambda *_, **__: None)
    said = []
    with Profile(tmp_path, range(2, 4), 0, said.append) as profile:
        train(profile, step, range(6))
    assert said == ["there is no trace of the chosen steps (RuntimeError: the profiler is busy); training goes on"]
