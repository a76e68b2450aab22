"""Evaluation beside training: the loop goes on while scores are computed, each is told once, the best one is kept."""

import json
import threading
from types import SimpleNamespace

from ml_collections import ConfigDict

from gan_jax.errors import UserError
from gan_jax.scoring import Scoring


class Log:
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


class Slow:
    """An evaluation whose arithmetic waits for leave."""

    def __init__(self, *scores):
        self.scores, self.leave, self.began = list(scores), threading.Event(), []

    def begin(self, current, truncation):
        self.began.append((current.step, truncation))
        score = self.scores.pop(0)

        def finish():
            assert self.leave.wait(10)
            if isinstance(score, Exception):
                raise score
            head = {"step": current.step, "images": current.images, "samples": 9, "seed": 0, "truncation": truncation}
            return {**head, "fid": score, "protocol": {}}

        return finish


CHECKPOINTS = SimpleNamespace(wait=lambda: None)


def state(step):
    return SimpleNamespace(step=step, images=16 * step)


def section(best=""):
    return ConfigDict({"best": best, "truncation": 0.5})


def test_the_loop_goes_on_while_scores_are_computed(tmp_path):
    evaluation, log = Slow(3.0), Log()
    scoring = Scoring(evaluation, tmp_path, section())
    scoring.begin(state(1), log, CHECKPOINTS)
    scoring.tell(log, CHECKPOINTS)  # returns at once, with nothing to tell
    assert log.said == []
    assert not (tmp_path / "evaluations").exists()
    evaluation.leave.set()
    scoring.tell(log, CHECKPOINTS, wait=True)
    scoring.tell(log, CHECKPOINTS, wait=True)
    assert len(log.said) == 1
    assert "fid" in log.said[0]
    record = json.loads((tmp_path / "evaluations" / "0000000016.json").read_text())
    assert (record["fid"], record["truncation"]) == (3.0, 0.5)
    assert record["sampling_seconds"] >= 0
    scoring.close()


def test_evaluations_are_told_in_order_and_the_best_checkpoint_stays(tmp_path):
    for step in (1, 2, 3):
        (tmp_path / "checkpoints" / str(step)).mkdir(parents=True)
    for name in ("config.json", "environment.json"):
        (tmp_path / name).write_text("{}")
    evaluation, log = Slow(9.0, 9.0, 4.0, 6.0), Log()
    evaluation.leave.set()
    scoring = Scoring(evaluation, tmp_path, section("fid"))
    for step in range(4):
        scoring.begin(state(step), log, CHECKPOINTS)
    scoring.tell(log, CHECKPOINTS, wait=True)
    assert [step for step, _ in evaluation.began] == [0, 1, 2, 3]
    assert [line.split(" ")[1] for line in log.said if line.startswith("after")] == ["0", "16", "32", "48"]
    assert [path.name for path in (tmp_path / "best" / "checkpoints").iterdir()] == ["2"]


def test_a_failure_is_written_down_and_told_and_training_goes_on(tmp_path):
    evaluation, log = Slow(UserError("too few images"), 3.0), Log()
    evaluation.leave.set()
    scoring = Scoring(evaluation, tmp_path, section("fid"))
    for step in (0, 1):
        scoring.begin(state(step), log, CHECKPOINTS)
    record = json.loads((tmp_path / "evaluations" / "0000000000.json").read_text())
    assert record == {"step": 0, "images": 0, "status": "failed: too few images"}
    assert log.said == ["the evaluation failed: too few images"]
    scoring.tell(log, CHECKPOINTS, wait=True)
    assert "after 16 images" in log.said[1]


def test_images_that_cannot_be_made_fail_the_evaluation_too(tmp_path):
    def begin(current, truncation):
        raise UserError("the generator makes NaN")

    log = Log()
    Scoring(SimpleNamespace(begin=begin), tmp_path, section()).begin(state(1), log, CHECKPOINTS)
    assert log.said == ["the evaluation failed: the generator makes NaN"]
    assert "failed" in (tmp_path / "evaluations" / "0000000016.json").read_text()


def test_without_metrics_nothing_happens(tmp_path):
    scoring = Scoring(None, tmp_path, section())
    scoring.begin(state(1), Log(), CHECKPOINTS)
    scoring.tell(Log(), CHECKPOINTS, wait=True)
    assert not list(tmp_path.iterdir())
