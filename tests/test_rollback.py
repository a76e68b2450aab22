"""A training that collapses: a checkpoint from before is kept, and training goes back to it where the config says so."""

import json

import jax
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.errors import UserError
from gan_jax.report.watch import Alarm, Watch
from gan_jax.train import train

WORDS = ["train.length=24 steps", "train.checkpoint_every=4 steps", "train.compilation_cache=", "mesh.shape=(-1,)"]


def run(workdir, monkeypatch, alarms, *overrides):
    """Trains while a watch finds the first of the steps of `alarms`, then at its next look the second, and so on."""
    remaining = list(alarms)

    def see(self, step, values):
        if remaining and step == remaining[0]:
            return Alarm(since=remaining.pop(0) - 2, signs=("the gap is 9, usually 1",))
        return None

    monkeypatch.setattr(Watch, "see", see)
    config = configs.load("tests/faults/tiny.py", [*WORDS, *overrides])
    return train(config, workdir)


def seed_of(workdir) -> int:
    config = configs.read(workdir)
    target = state.abstract(load(config), sharding.make_mesh(config.mesh), ())
    return int(workdirs.restore(workdir, target).seed)


def folders(workdir) -> set[str]:
    return {path.name for path in (workdir / "checkpoints").iterdir()}


def test_a_warning_keeps_the_checkpoint_from_before_in_a_workdir_of_its_own(tmp_path, monkeypatch, capsys):
    assert run(tmp_path, monkeypatch, [15]) == 0
    told = "training may be collapsing: the gap is 9, usually 1. The checkpoint of step 12, from before, is kept in"
    assert told in capsys.readouterr().err
    assert told in (tmp_path / "log.txt").read_text()
    kept = tmp_path / "before_collapse"
    assert folders(kept) == {"12"}
    assert workdirs.latest(kept) == 12
    assert seed_of(tmp_path) == 0
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 25))
    assert all(line["spectral_norm/G"] > 0 for line in lines)
    assert [line["step"] for line in lines if "diversity" in line] == [24]  # where there was a picture
    (collapse,) = json.loads((tmp_path / "collapses.json").read_text())
    assert (collapse["back_to"], collapse["signs"]) == (None, ["the gap is 9, usually 1"])

    # The way back by hand: the kept folder goes on as a run of its own, with another seed.
    monkeypatch.undo()
    config = configs.read(kept, ["seed=7", "train.length=14 steps"])
    assert train(config, kept, accept_changes=True) == 0
    assert seed_of(kept) == 7


def test_training_goes_back_and_takes_another_way(tmp_path, monkeypatch, capsys):
    assert run(tmp_path / "back", monkeypatch, [15], "train.collapse.action=roll back") == 0
    assert run(tmp_path / "straight", monkeypatch, []) == 0
    assert "Back to step 12, with another seed" in capsys.readouterr().err
    back, straight = (
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("back", "straight")
    )
    assert [line["step"] for line in back] == list(range(1, 25))
    alike = [np.isclose(a["discriminator/loss"], b["discriminator/loss"]) for a, b in zip(back, straight, strict=True)]
    assert all(alike[:12])
    assert not any(alike[12:])
    assert seed_of(tmp_path / "back") == 1_000_003
    assert folders(tmp_path / "back") == {"16", "20", "24"}


def test_checkpoints_from_after_the_signs_are_set_aside(tmp_path, monkeypatch):
    assert run(tmp_path, monkeypatch, [13, 13], "train.collapse.action=roll back", "train.collapse.rollbacks=2") == 0
    # The signs of step 13 began after 11: the checkpoint of 12 is no longer trusted, in either attempt.
    assert {name for name in folders(tmp_path) if not name.isdecimal()} == {"collapsed-12", "collapsed-12-2"}
    assert seed_of(tmp_path) == 2 * 1_000_003


def test_signs_in_the_last_line_are_heeded(tmp_path, monkeypatch, capsys):
    assert run(tmp_path, monkeypatch, [24]) == 0
    assert (
        "step 24: training may be collapsing: the gap is 9, usually 1. The checkpoint of step 20"
        in capsys.readouterr().err
    )
    assert folders(tmp_path / "before_collapse") == {"20"}


def test_what_was_logged_before_a_stop_or_a_rollback_is_the_past(tmp_path, monkeypatch):
    recalled = []
    monkeypatch.setattr(Watch, "recall", lambda self, lines: recalled.append([line["step"] for line in lines]))
    assert run(tmp_path, monkeypatch, [], "train.length=12 steps") == 0
    assert run(tmp_path, monkeypatch, [18], "train.collapse.action=roll back") == 0
    assert recalled == [[], list(range(1, 13)), list(range(1, 17))]


def test_it_goes_back_only_so_often(tmp_path, monkeypatch):
    words = ("train.collapse.action=roll back", "train.collapse.rollbacks=1")
    with pytest.raises(UserError, match="It has gone back as often as config.train.collapse.rollbacks = 1 allows"):
        run(tmp_path, monkeypatch, [15, 15], *words)
    assert json.loads((tmp_path / "collapses.json").read_text())[0]["back_to"] == 12


def test_where_no_checkpoint_is_from_before_training_goes_on(tmp_path, monkeypatch, capsys):
    assert run(tmp_path, monkeypatch, [3], "train.collapse.action=roll back") == 0
    assert "No checkpoint from before it is left: lower config.train.checkpoint_every" in capsys.readouterr().err
    assert jax.process_count() == 1
