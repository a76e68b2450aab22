"""The best checkpoint of a run by one of its scores, in the folder `best` of the workdir, which is a workdir itself."""

import json
import shutil
from pathlib import Path
from typing import Any

from etils import epath

from gan_jax.errors import ConfigError, explained
from gan_jax.report import atomic
from gan_jax.report.scores import better, scores_of

RECORD = "score.json"


class Best:
    """Keeps a copy of the checkpoint whose score is the best so far.

    Args:
        workdir: of the run.
        name: of the score, one that is known to be better when it is lower, or higher.

    Raises:
        ConfigError: nobody knows which values of this score are better.
    """

    def __init__(self, workdir: epath.Path, name: str):
        if not better(name):
            raise ConfigError(
                f"config.evaluate.best is {name!r}: expected the name of a score of which less or more is better, such as fid"
            )
        self._workdir, self._name = epath.Path(workdir), name
        self._folder = self._workdir / "best"
        path = self._folder / RECORD
        with explained(path, "cannot be read"):
            self._value = json.loads(path.read_text())["value"] if path.exists() else None

    def offer(self, step: int, record: dict[str, Any]) -> str:
        """Copies the checkpoint of a step if this is the best evaluation so far; a sentence about it, "" if it is not.

        Raises:
            ConfigError: the evaluation lacks the score.
            UserError: the copy cannot be written.
        """
        if self._name not in record:
            raise ConfigError(f"config.evaluate.best is {self._name!r}, but the metrics give {_scores(record)}")
        value = record[self._name]
        if self._value is not None and (value >= self._value if better(self._name) == "↓" else value <= self._value):
            return ""
        source = self._workdir / "checkpoints" / str(step)
        if not source.exists():
            return f"{self._name} is best at step {step}, but its checkpoint has gone: raise config.train.keep"
        with explained(self._folder):
            self._copy(source, step)
        content = {"score": self._name, "value": value, "step": step, "images": record["images"]}
        atomic.replace(self._folder / RECORD, (json.dumps(content, indent=2) + "\n").encode())
        self._value = value
        return f"the best {self._name} so far is {value:.4g}: kept in {self._folder}"

    def _copy(self, source: epath.Path, step: int) -> None:
        """Puts the new checkpoint in its place whole, then removes the one before."""
        kept = self._folder / "checkpoints"
        partial = self._folder / f"{step}.partial"
        if partial.exists():
            partial.rmtree()
        copy_tree(source, partial)
        before = list(kept.iterdir()) if kept.exists() else []
        kept.mkdir(parents=True, exist_ok=True)
        partial.rename(kept / str(step))
        for other in before:
            if other.name != str(step):
                other.rmtree()
        for name in ("config.json", "environment.json"):
            (self._workdir / name).copy(self._folder / name, overwrite=True)


def copy_tree(source: epath.Path, target: epath.Path) -> None:
    """Copies a folder, on disk or in a bucket."""
    if isinstance(source, Path):
        shutil.copytree(source, target)
        return
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_dir():
            copy_tree(path, target / path.name)
        else:
            path.copy(target / path.name, overwrite=True)


def _scores(record: dict[str, Any]) -> str:
    return ", ".join(scores_of(record)) or "no score"
