"""Feature sets of real images, kept in files that say what they are of.

A file holds one output of one extractor on one set of images: its moments, or all its rows. Its name is a digest of
that description, which it also holds: data, count, extractor, weights and resizing. Whatever differs makes another
file; a file whose description is not that of its name is refused.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from gan_jax.data import whole
from gan_jax.errors import UserError, explained
from gan_jax.metrics.features import Batch, FeatureSet, Judge, one_pass
from gan_jax.metrics.moments import Moments

FORMAT = 1

Description = dict[str, Any]


class References:
    """The feature sets of one set of real images.

    Args:
        data: tells the images from others: `data` (what set it is), `identity` (of its content), `count`.
        batches: reads the images: `() -> batches`, see `metrics.features`.
        folder: where files are looked for and put, by the first of several processes.
    """

    def __init__(
        self,
        data: Description,
        batches: Callable[[], Iterable[Batch]],
        folder: str | Path,
    ):
        self.data, self._batches = data, batches
        self._first = jax.process_index() == 0
        self._folder = Path(folder).expanduser()

    def of(self, judges: Sequence[Judge]) -> list[FeatureSet | None]:
        """The feature set for each judge: from files, and what they lack from one pass over the images.

        All processes take part in the pass, those but the first get None for what lies in files.

        Raises:
            UserError: a file is damaged or of something else, or images cannot be read.
        """
        found = [self._found(judge) if self._first else None for judge in judges]
        places = np.flatnonzero(_agreed([features is None for features in found]))
        if len(places):
            missing = [judges[place] for place in places]
            for place, judge, features in zip(places, missing, one_pass(self._batches(), missing), strict=True):
                found[place] = features
                if self._first:
                    self._keep(judge, features)
        return found

    def _found(self, judge: Judge) -> FeatureSet | None:
        moments, rows, labels = {}, {}, None
        for kind, names in (("moments", judge.moments), ("rows", judge.rows)):
            for name in names:
                description = self.describe(judge, name, kind)
                if not (path := self._place(description)).is_file():
                    return None
                arrays = read(path, description)
                labels = arrays["labels"]
                if kind == "rows":
                    rows[name] = arrays["rows"]
                else:
                    moments[name] = Moments(int(arrays["count"]), arrays["mean"], arrays["scatter"])
        return FeatureSet(moments, rows, labels)

    def _keep(self, judge: Judge, features: FeatureSet) -> None:
        for name, rows in features.rows.items():
            description = self.describe(judge, name, "rows")
            write(self._place(description), description, {"rows": rows, "labels": features.labels})
        for name, moments in features.moments.items():
            description = self.describe(judge, name, "moments")
            arrays = {"count": np.int64(moments.count), "mean": moments.mean, "scatter": moments.scatter}
            write(self._place(description), description, {**arrays, "labels": features.labels})

    def describe(self, judge: Judge, output: str, kind: str) -> Description:
        """What a file is of."""
        extractor = judge.extractor
        network = {"extractor": extractor.name, "weights": extractor.sha256, "resize": extractor.resize}
        return {"format": FORMAT, **self.data, **network, "output": output, "kind": kind}

    def _place(self, description: Description) -> Path:
        digest = hashlib.sha256(_as_text(description).encode()).hexdigest()[:16]
        return self._folder / f"{description['extractor']}-{description['output']}-{description['kind']}-{digest}.npz"


def _agreed(flags: Sequence[bool]) -> np.ndarray:
    """Those of the first process, in all of them."""
    return np.asarray(flags if jax.process_count() == 1 else multihost_utils.broadcast_one_to_all(np.asarray(flags)))


def write(path: Path, description: Description, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays and what they are of, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole.partial(path) as local:
            with local.open("wb") as file:
                np.savez(file, description=np.array(_as_text(description)), **arrays)
            whole.put(local, path)


def read(path: Path, expected: Description) -> dict[str, np.ndarray]:
    """The arrays of a file that is of what is expected.

    Raises:
        UserError: it is damaged, or of something else: the first field that differs is named.
    """
    with explained(path, "cannot be read", "see that it may be read"):
        content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        description = json.loads(str(arrays.pop("description")))
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged or holds no reference statistics ({error}): remove it") from error
    for name in expected.keys() | description.keys():
        if description.get(name) != expected.get(name):
            raise UserError(
                f"{path} holds statistics of another protocol: its {name} is {description.get(name)!r}, expected "
                f"{expected.get(name)!r}; remove it, and it is made again"
            )
    return arrays


def _as_text(description: Description) -> str:
    return json.dumps(description, sort_keys=True)
