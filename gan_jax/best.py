"""The best checkpoint of a run by one of its scores, in the folder `best` of the workdir, which is a workdir itself."""

import json
from typing import Any

from etils import epath

from gan_jax.errors import ConfigError, explained
from gan_jax.kept import keep
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
        if not keep(self._workdir, step, self._folder):
            return f"{self._name} is best at step {step}, but its checkpoint has gone: raise config.train.keep"
        content = {"score": self._name, "value": value, "step": step, "images": record["images"]}
        atomic.replace(self._folder / RECORD, (json.dumps(content, indent=2) + "\n").encode())
        self._value = value
        return f"the best {self._name} so far is {value:.4g}: kept in {self._folder}"


def _scores(record: dict[str, Any]) -> str:
    return ", ".join(scores_of(record)) or "no score"
