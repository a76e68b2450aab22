"""The best checkpoint is kept, whatever comes after it, in a folder that is a workdir itself."""

import json

import pytest

from gan_jax.best import Best
from gan_jax.errors import ConfigError


def run(workdir, *steps):
    (workdir / "config.json").write_text("{}")
    (workdir / "environment.json").write_text("{}")
    for step in steps:
        folder = workdir / "checkpoints" / str(step) / "state"
        folder.mkdir(parents=True)
        (folder / "array").write_text(f"weights of step {step}")


def kept(workdir) -> dict[str, str]:
    return {path.name: (path / "state" / "array").read_text() for path in (workdir / "best" / "checkpoints").iterdir()}


def test_only_a_better_score_replaces_the_checkpoint(tmp_path):
    run(tmp_path, 1, 2, 3)
    best = Best(tmp_path, "fid")
    assert "the best fid so far is 9" in best.offer(1, {"images": 16, "fid": 9.0})
    assert best.offer(2, {"images": 32, "fid": 9.5}) == ""
    assert kept(tmp_path) == {"1": "weights of step 1"}
    best.offer(3, {"images": 48, "fid": 4.0})
    assert kept(tmp_path) == {"3": "weights of step 3"}
    names = {path.name for path in (tmp_path / "best").iterdir()}
    assert names == {"checkpoints", "config.json", "environment.json", "score.json"}
    assert json.loads((tmp_path / "best" / "score.json").read_text()) == {
        "score": "fid", "value": 4.0, "step": 3, "images": 48,
    }  # fmt: skip


def test_of_some_scores_more_is_better(tmp_path):
    run(tmp_path, 1, 2)
    best = Best(tmp_path, "recognised_digits")
    best.offer(1, {"images": 16, "recognised_digits": 0.5})
    best.offer(2, {"images": 32, "recognised_digits": 0.4})
    assert kept(tmp_path).keys() == {"1"}


def test_a_resumed_run_knows_its_best(tmp_path):
    run(tmp_path, 1, 2)
    Best(tmp_path, "fid").offer(1, {"images": 16, "fid": 9.0})
    assert Best(tmp_path, "fid").offer(2, {"images": 32, "fid": 9.5}) == ""


def test_a_copy_that_was_cut_short_is_made_anew(tmp_path):
    run(tmp_path, 1)
    (tmp_path / "best" / "1.partial" / "state").mkdir(parents=True)
    Best(tmp_path, "fid").offer(1, {"images": 16, "fid": 9.0})
    assert kept(tmp_path) == {"1": "weights of step 1"}


def test_a_checkpoint_that_has_gone_is_a_sentence_and_the_old_best_stays(tmp_path):
    run(tmp_path, 1)
    best = Best(tmp_path, "fid")
    best.offer(1, {"images": 16, "fid": 9.0})
    assert "raise config.train.keep" in best.offer(2, {"images": 32, "fid": 1.0})
    assert kept(tmp_path).keys() == {"1"}


def test_scores_that_nobody_can_rank_or_that_are_missing_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"evaluate.best is 'seed': expected the name of a score"):
        Best(tmp_path, "seed")
    with pytest.raises(ConfigError, match="is 'fid', but the metrics give frechet_digits"):
        Best(tmp_path, "fid").offer(1, {"images": 1, "frechet_digits": 2.0})
