"""What a study has found so far: a record for every run that has ended, in the folder `records` of its workdir."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan_jax.errors import ConfigError, explained, is_remote
from gan_jax.report import atomic
from gan_jax.report.goodput import read_attempts, totals
from gan_jax.report.scores import scores_of
from gan_jax.report.writers import read_metrics
from gan_jax.study.definition import Run, Study, as_json, changes

DONE = "done"
STUDY = "study.json"


@dataclasses.dataclass(frozen=True)
class Record:
    """How a run ended.

    Attributes:
        status: "done", or why it failed.
        scores: of its last evaluation; none where it failed.
        seconds: that its trainings took, all attempts included, and what they evaluated; seeds that were trained at once have
            the whole of it each.
        overrides: with which it was made.
    """

    status: str
    scores: Mapping[str, float]
    seconds: float
    overrides: Sequence[str]


class Records:
    """Those of one study.

    Args:
        workdir: of the study.
    """

    def __init__(self, workdir: Path):
        self.workdir, self._known = Path(workdir), {}

    def of(self, run: Run) -> Record | None:
        """The record of a run, also one that another process has written by now; None where there is none."""
        if run.name not in self._known and (path := self._path(run)).exists():
            self._known[run.name] = Record(**json.loads(path.read_text()))
        return self._known.get(run.name)

    def add(self, run: Run, record: Record) -> None:
        """Writes the record of a run that has ended."""
        atomic.replace(self._path(run), (json.dumps(dataclasses.asdict(record), indent=2) + "\n").encode())
        self._known[run.name] = record

    def _path(self, run: Run) -> Path:
        return self.workdir / "records" / f"{run.name}.json"

    def score(self, run: Run, name: str) -> float | None:
        """A score of a run that has ended; None where it failed.

        Raises:
            ConfigError: it was evaluated, but not by this score.
        """
        record = self.of(run)
        if record is None or record.status != DONE:
            return None
        if name not in record.scores:
            raise ConfigError(
                f"the study compares {name!r}, which {run.name} does not have, only {', '.join(record.scores)}: choose one of "
                "them, or name its metric in config.evaluate.metrics"
            )
        return record.scores[name]


def begin(workdir: Path, study: Study) -> None:
    """Makes the workdir that of the study.

    Raises:
        ConfigError: it is that of another one, or of something else.
    """
    if is_remote(workdir):
        raise ConfigError(f"{workdir} is in a bucket: expected a local folder for a study")
    path, described = Path(workdir) / STUDY, as_json(study)
    with explained(workdir, "cannot be used", "choose another --workdir", ConfigError):
        if path.exists():
            if differing := changes(json.loads(path.read_text()), described):
                raise ConfigError(
                    f"{workdir} holds another study: {differing[0]}"
                    + (f", and {len(differing) - 1} differences more" if len(differing) > 1 else "")
                    + "; choose another --workdir"
                )
        elif path.parent.exists() and any(path.parent.iterdir()):
            raise ConfigError(f"{workdir} is not empty and holds no study: choose another --workdir")
        atomic.replace(path, (json.dumps(described, indent=2) + "\n").encode())


def judged(folder: Path, run: Run) -> Record | None:
    """The record of a run that was trained to the end; None where it was not evaluated there."""
    lines = read_metrics(folder)
    path = folder / "evaluations" / f"{lines[-1]['images']:010d}.json" if lines else folder
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    return Record(found.get("status", DONE), scores_of(found), seconds(folder), run.overrides)


def seconds(folder: Path) -> float:
    """That the attempts at a run took so far."""
    return round(math.fsum(totals(read_attempts(folder)).values()), 1)
