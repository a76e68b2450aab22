"""Evaluation while training goes on: the loop waits for the images and their features, not for the arithmetic."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from gan_jax import cluster
from gan_jax.best import Best
from gan_jax.engine import state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.errors import UserError
from gan_jax.evaluation import Evaluation
from gan_jax.report import atomic
from gan_jax.report.log import TrainingLog
from gan_jax.report.scores import in_words

Record = dict[str, Any]


class Scoring:
    """The evaluations of one training run, at most one of them unfinished.

    Args:
        evaluation: None where the config has no metrics.
        section: of the config; `best` names the score by which the best checkpoint is kept, "" for none.
    """

    def __init__(self, evaluation: Evaluation | None, workdir: Path, section: ConfigDict):
        self._evaluation, self._workdir, self._truncation = evaluation, workdir, section.truncation
        self._best = Best(workdir, section.best) if section.best else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scores")
        self._pending: Future[Record] | None = None

    def begin(self, current: state.State, log: TrainingLog, checkpoints: Checkpoints) -> None:
        """Begins to evaluate a state, and tells of the evaluation before."""
        if self._evaluation is None:
            return
        self.tell(log, checkpoints, wait=True)
        started = time.monotonic()
        position = (int(current.step), int(current.images))
        with told(log), recorded(self._workdir, *position):
            finish = self._evaluation.begin(current, self._truncation)
            sampling = time.monotonic() - started
            if cluster.is_first():
                self._pending = self._thread.submit(self._finish, finish, sampling, position)

    def tell(self, log: TrainingLog, checkpoints: Checkpoints, wait: bool = False) -> None:
        """Tells of the evaluation that was begun last once it is finished, or waits for it; keeps the best checkpoint.

        Raises:
            ConfigError: it lacks the score by which the best is kept.
            UserError: the checkpoint cannot be copied.
        """
        if self._pending is None or not (wait or self._pending.done()):
            return
        pending, self._pending, record = self._pending, None, None
        with told(log):
            record = pending.result()
            log.say(in_words(record, first_record(self._workdir, record)))
        if record and self._best and record["step"]:  # there is no checkpoint of the untrained generator
            checkpoints.wait()
            if sentence := self._best.offer(record["step"], record):
                log.say(sentence)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    def _finish(self, finish: Callable[[], Record], sampling: float, position: tuple[int, int]) -> Record:
        with recorded(self._workdir, *position):
            record = {**finish(), "sampling_seconds": round(sampling, 2)}
        write_record(self._workdir, record)
        return record


@contextlib.contextmanager
def told(log: TrainingLog) -> Iterator[None]:
    """Tells of an evaluation that fails in the block, which is no reason to end a training."""
    try:
        yield
    except UserError as error:
        log.say(f"the evaluation failed: {error}")


@contextlib.contextmanager
def recorded(workdir: Path, step: int, images: int, name: str = "") -> Iterator[None]:
    """Writes an evaluation that fails in the block down as such."""
    try:
        yield
    except UserError as error:
        if cluster.is_first():
            write_record(workdir, {"step": step, "images": images, "status": f"failed: {error}"}, name)
        raise


def write_record(workdir: Path, record: Record, name: str = "") -> Path:
    """Writes evaluations/IMAGES.json, or evaluations/IMAGES_NAME.json; returns its path.

    Raises:
        UserError: it cannot be written.
    """
    return atomic.replace(workdir / "evaluations" / f"{record['images']:010d}{name}.json", as_json(record))


def as_json(record: Any) -> bytes:
    """As evaluations are written."""
    return (json.dumps(record, indent=2) + "\n").encode()


def first_record(workdir: Path, otherwise: Record) -> Record:
    """The earliest evaluation of a workdir, if there is one."""
    plain = [path for path in (workdir / "evaluations").iterdir() if path.stem.isdecimal()]
    return json.loads(min(plain).read_text()) if plain else otherwise
