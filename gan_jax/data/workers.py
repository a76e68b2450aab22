"""Worker processes that decode large data sets, by grain."""

import copy
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator

import numpy as np

from gan_jax.data.pipeline import Pipeline
from gan_jax.data.source import Batch
from gan_jax.errors import ConfigError, UserError

PIECE = 64  # examples that a worker decodes at a time, at most
AHEAD = 2  # finished pieces that a worker keeps, beside the one it works on
_NAME = "grain-process-prefetch"  # what grain calls its processes


def number_of_workers(pipeline: Pipeline, wanted: int | None) -> int:
    """How many worker processes to use: `wanted` (`config.data.workers`), or what suits source and machine.

    Sources that only copy pixels need none. Others get one for every core.

    Raises:
        ConfigError: the number is negative or not whole.
    """
    if wanted is not None and (type(wanted) is not int or wanted < 0):
        raise ConfigError(f"config.data.workers is {wanted!r}: expected 0 (threads of this process) or more")
    if wanted is not None:
        return wanted
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores if pipeline.source.decodes else 0


class Workers:
    """Reads a pipeline with worker processes: the same examples in the same places as `pipeline.read` gives.

    Reading goes on from where the last batch ended; at another position or batch size the workers start anew, which
    takes some seconds. Each worker takes some 300 MB beside its pieces.

    Attributes:
        damaged: index -> sentence of the examples that any worker found damaged.
    """

    def __init__(self, pipeline: Pipeline, count: int):
        self._pipeline, self._count = copy.copy(pipeline), count
        self._pipeline.source = copy.copy(pipeline.source)
        self._pipeline.source.threaded = False
        self._next: tuple[int, int] | None = None  # position and batch size that `_pieces` go on with
        self._pieces: Iterator[tuple[Batch, dict[int, str]]] = iter(())
        self.damaged: dict[int, str] = {}

    def read(self, position: int, shape: tuple[int, int, int]) -> Batch:
        """As `Pipeline.read`.

        Raises:
            UserError: besides, a worker was killed.
        """
        repeats, microbatches, batch = shape
        if self._next != (position, batch):
            self.close()
            self._pieces = iter(_pieces(self._pipeline, position, batch, self._count))
        self._next = (position + repeats * microbatches * batch, batch)
        like = self._pipeline.like(self._pipeline.own(shape))
        out = {leaf: np.empty(zeros.shape, zeros.dtype) for leaf, zeros in like.items()}
        rows = {leaf: values.reshape(-1, *values.shape[2:]) for leaf, values in out.items()}
        for row in range(repeats * microbatches):
            self._fill({leaf: values[row] for leaf, values in rows.items()})
        return out

    def close(self) -> None:
        """Ends the processes, stuck ones too."""
        self._next, self._pieces = None, iter(())
        for process in multiprocessing.active_children():
            if process.name.startswith(_NAME):
                process.kill()
                process.join()

    def _fill(self, row: Batch) -> None:
        done = 0
        while done < len(row["label"]):
            try:
                piece, damaged = next(self._pieces)
            except RuntimeError as error:
                raise UserError(
                    f"a data worker has died ({error}): if the machine ran out of memory, lower config.data.workers; "
                    "then run the same command again"
                ) from error
            self.damaged |= damaged
            size = len(piece["label"])
            for leaf, values in row.items():
                values[done : done + size] = piece[leaf]
            done += size


def _pieces(pipeline: Pipeline, position: int, batch: int, workers: int):
    """The endless stream of pieces from a position on, as a grain dataset read by worker processes.

    Every row of `batch` examples gives this process's share of it, in equal pieces of at most `PIECE` examples.
    """
    import grain  # Imported here: it takes a second, and most runs need no workers.
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # grain asks absl, whose command line is not ours
    share = pipeline.share(batch)
    length = share.stop - share.start
    parts = next(parts for parts in range(-(-length // PIECE), length + 1) if length % parts == 0)
    read = _Piece(pipeline, position + share.start, batch, length // parts, parts)
    pieces = grain.MapDataset.range(2**62).map(read).to_iter_dataset(grain.ReadOptions(num_threads=0))
    return pieces.mp_prefetch(grain.MultiprocessingOptions(workers, AHEAD), worker_init_fn=_begin)


class _Piece:
    """Reads piece number n: part n % parts of row n // parts."""

    def __init__(self, pipeline: Pipeline, first: int, stride: int, size: int, parts: int):
        self._pipeline, self._first, self._stride, self._size, self._parts = pipeline, first, stride, size, parts

    def __call__(self, number: int) -> tuple[Batch, dict[int, str]]:
        row, part = divmod(int(number), self._parts)
        first = self._first + row * self._stride + part * self._size
        batch = self._pipeline.examples(np.arange(first, first + self._size))
        return batch, dict(self._pipeline.source.damaged)


def _begin(index: int, count: int) -> None:
    """Sets a worker up: signals are the main process's business, and without it a worker has none."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def leave_with_parent() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
