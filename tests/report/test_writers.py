import importlib.util
import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.report.writers import MetricWriter, read_metrics


class Clock:
    """Seconds that pass only when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_metrics_come_back_as_written(tmp_path):
    clock = Clock()
    with MetricWriter(tmp_path / "run", tensorboard=False, clock=clock) as writer:
        clock.now += 2.5
        writer.write(1, 64, {"generator/loss": jnp.float32(0.1), "discriminator/loss": np.float64(1 / 3)})
        writer.write(np.int64(2), 128, {"generator/loss": 2})
    assert read_metrics(tmp_path / "run") == [
        {"step": 1, "images": 64, "time": 2.5, "generator/loss": 0.1, "discriminator/loss": 0.333333},
        {"step": 2, "images": 128, "time": 2.5, "generator/loss": 2.0},
    ]


def test_values_that_json_has_not_are_null(tmp_path):
    with MetricWriter(tmp_path, tensorboard=False) as writer:
        writer.write(1, 64, {"nan": float("nan"), "infinite": -np.inf})

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert line["nan"] is None
    assert line["infinite"] is None


def test_resuming_drops_later_and_torn_lines_and_goes_on_in_time(tmp_path):
    clock = Clock()
    writer = MetricWriter(tmp_path, tensorboard=False, clock=clock)
    for step in range(1, 6):
        clock.now += 10
        writer.write(step, step * 64, {"loss": step})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "ima')  # the machine went down while writing

    clock.now += 5000  # time that nobody trained
    writer = MetricWriter(tmp_path, tensorboard=False, clock=clock)
    writer.truncate_after(3)
    clock.now += 10
    writer.write(4, 256, {"loss": 40})
    lines = read_metrics(tmp_path)
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 1), (2, 2), (3, 3), (4, 40)]
    assert lines[-1]["time"] == 40
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_nothing_to_drop_in_a_new_folder(tmp_path):
    MetricWriter(tmp_path / "new", tensorboard=False).truncate_after(0)
    assert read_metrics(tmp_path / "new") == []


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"metrics\.jsonl cannot be written"):
        MetricWriter(tmp_path / "file", tensorboard=False).write(1, 1, {})


@pytest.mark.parametrize("missing", ["clu", "tensorflow"])
def test_without_tensorboard_one_sentence_says_so_and_metrics_are_written(tmp_path, monkeypatch, capsys, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "clu":
        monkeypatch.setitem(sys.modules, "tensorflow", object())  # its import takes seconds
    with MetricWriter(tmp_path, tensorboard=True) as writer:
        for step in range(3):
            writer.write(step, step, {"loss": 1.0})
            writer.write_images(step, "samples", np.zeros((8, 8, 3), np.uint8))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"because {missing} is missing" in said
    assert len(read_metrics(tmp_path)) == 3


def test_training_goes_on_when_events_cannot_be_written(tmp_path, monkeypatch, capsys):
    class Broken:
        def write_scalars(self, step, values):
            raise OSError("disk full")

    monkeypatch.setattr("gan_jax.report.writers._Events._open", lambda self, logdir: setattr(self, "_writer", Broken()))
    with MetricWriter(tmp_path, tensorboard=True) as writer:
        for step in range(3):
            writer.write(step, step, {"loss": 1.0})
    assert capsys.readouterr().err == "TensorBoard events are not written any more: disk full\n"


@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("clu", "tensorflow", "tensorboard")),
    reason="the extra `tensorboard` is not installed",
)
def test_tensorboard_gets_scalars_and_images_without_noise_and_without_waiting(tmp_path):
    program = """
import sys, time
import numpy as np
from gan_jax.report.writers import MetricWriter
with MetricWriter(sys.argv[1], tensorboard=True) as writer:
    start = time.monotonic()
    writer.write(7, 448, {"generator/loss": 0.25})
    writer.write_images(7, "samples", np.zeros((8, 8, 1), np.uint8))
    assert time.monotonic() - start < 1.0, "a call waited for TensorFlow"
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    events = b"".join(path.read_bytes() for path in tmp_path.glob("events.out.tfevents.*"))
    assert b"generator/loss" in events
    assert b"samples" in events
