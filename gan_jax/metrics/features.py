"""One pass over images: every extractor sees each batch once, and what the metrics need of its answers is kept.

The answers come to the host as float32 rows; moments are taken there in float64, over the same runs of 1,024 rows
whatever the batches and devices. A run costs 2 d^2 1,024 operations (0.15 s for d = 2,048 on two cores) and the device
has the next batch at work meanwhile.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import jax
import numpy as np
from jax.sharding import Sharding

from gan_jax.errors import UserError
from gan_jax.metrics.extractor import Extractor
from gan_jax.metrics.moments import Moments

RUN = 1024

# uint8 images [n, h, w, c] on the devices, the labels of those that count, and how many these are.
Batch = tuple[jax.Array, np.ndarray, int]


@dataclasses.dataclass(frozen=True)
class FeatureSet:
    """What an extractor says of a set of images.

    Attributes:
        moments: by output.
        rows: by output, float32 [n, d] in the order of the images; of those outputs whose rows were wanted.
        labels: of the images, int32 [n] (-1 for none) or float32 [n, k].
    """

    moments: Mapping[str, Moments]
    rows: Mapping[str, np.ndarray]
    labels: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """The class numbers int32 [n] of images that have one class each."""
        return self.labels.argmax(axis=1) if self.labels.ndim == 2 else self.labels


class Judge:
    """An extractor on the devices, and which of its outputs are wanted.

    Args:
        moments, rows: names of outputs of which the moments, or all rows, are wanted.
        everywhere: the sharding of what every device holds whole.
    """

    def __init__(self, extractor: Extractor, moments: Iterable[str], rows: Iterable[str], everywhere: Sharding):
        self.extractor = extractor
        self.moments, self.rows = tuple(sorted(set(moments))), tuple(sorted(set(rows)))
        outputs = sorted({*self.moments, *self.rows})
        self._variables = jax.device_put(extractor.variables, everywhere)

        def answers(variables, images):
            every = extractor.apply(variables, images)
            return {name: every[name] for name in outputs}

        self._answers = jax.jit(answers, out_shardings=everywhere)

    def __call__(self, images: jax.Array) -> dict[str, jax.Array]:
        """The wanted outputs of uint8 images [n, h, w, c], float32 [n, d] on every device."""
        return self._answers(self._variables, images)


def one_pass(batches: Iterable[Batch], judges: Sequence[Judge]) -> list[FeatureSet]:
    """Shows each batch to every judge; their feature sets in the same order.

    Raises:
        UserError: a feature is not finite.
    """
    collections, labels = [_Collection(judge) for judge in judges], []
    waiting: tuple[list[dict[str, jax.Array]], int] | None = None
    for images, batch_labels, count in batches:
        labels.append(batch_labels[:count])
        answers = [judge(images) for judge in judges]
        if waiting:  # only now, so that the devices are never idle
            _take(collections, *waiting)
        waiting = (answers, count)
    if waiting:
        _take(collections, *waiting)
    return [collection.finish(np.concatenate(labels)) for collection in collections]


class _Collection:
    """What is kept of the answers of one judge."""

    def __init__(self, judge: Judge):
        self._judge = judge
        self._rows: dict[str, list[np.ndarray]] = {name: [] for name in judge.rows}
        self._loose: dict[str, list[np.ndarray]] = {name: [] for name in judge.moments}
        self._moments: dict[str, Moments] = {}

    def add(self, name: str, rows: np.ndarray) -> None:
        if not np.isfinite(rows).all():
            raise UserError(
                f"{self._judge.extractor.name}: its output {name} holds NaN or infinite values: see the images"
            )
        if name in self._rows:
            self._rows[name].append(rows)
        if name in self._loose:
            loose = [*self._loose[name], rows]
            if sum(map(len, loose)) >= RUN:
                joined = np.concatenate(loose)
                whole = len(joined) // RUN * RUN
                self._merge(name, joined[:whole])
                loose = [joined[whole:]]
            self._loose[name] = loose

    def finish(self, labels: np.ndarray) -> FeatureSet:
        for name, loose in self._loose.items():
            self._merge(name, np.concatenate(loose))
        rows = {name: np.concatenate(parts) for name, parts in self._rows.items()}
        return FeatureSet(self._moments, rows, labels)

    def _merge(self, name: str, rows: np.ndarray) -> None:
        for start in range(0, len(rows), RUN):
            run = Moments.of(rows[start : start + RUN])
            self._moments[name] = self._moments[name].merge(run) if name in self._moments else run


def _take(collections: list[_Collection], answers: list[dict[str, jax.Array]], count: int) -> None:
    for collection, answer in zip(collections, answers, strict=True):
        for name, rows in answer.items():
            collection.add(name, np.asarray(rows)[:count])
