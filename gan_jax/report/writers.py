"""Metrics on disk: one JSON line per call in metrics.jsonl and, if wanted, TensorBoard events."""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from etils import epath

from gan_jax.errors import explained
from gan_jax.report import atomic

METRICS_FILE = "metrics.jsonl"


class MetricWriter:
    """Writes the metrics of a run; in a run of several processes only the first should have one.

    A line of metrics.jsonl is `{"step": int, "images": int, "time": seconds, name: number or null, ...}`. `time` is
    wall-clock time spent training: it goes on where the file ends, so the hours between an interruption and the
    resumption do not count. Infinite and undefined values are null, because JSON has no others.

    TensorBoard events go through `clu.metric_writers`, imported with TensorFlow (some seconds) in a thread of its
    own, which also does the writing: no call waits for it. Without these packages one sentence on stderr says so and
    metrics.jsonl is all there is.

    Args:
        workdir: made if missing.
        tensorboard: write events as well.
        clock: seconds, for tests.
    """

    def __init__(self, workdir: str | os.PathLike, tensorboard: bool, clock: Callable[[], float] = time.monotonic):
        self._path = epath.Path(workdir) / METRICS_FILE
        self._file = atomic.GrowingFile(self._path)
        self._clock = clock
        self._events = _Events(workdir) if tensorboard else None
        self._start_clock(read_metrics(workdir))

    def __enter__(self) -> "MetricWriter":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def truncate_after(self, step: int) -> None:
        """Drops the lines beyond `step`, and a last line torn by a crash: call it when a run resumes at `step`."""
        kept = [line for line in read_metrics(self._path.parent) if line["step"] <= step]
        if self._path.exists():
            atomic.replace(self._path, "".join(json.dumps(line) + "\n" for line in kept).encode())
            self._file = atomic.GrowingFile(self._path)
        self._start_clock(kept)

    def write(self, step: int, images: int, metrics: Mapping[str, Any]) -> None:
        """Appends one line: scalars (Python numbers or arrays of one element) after `images` seen.

        Raises:
            UserError: the file cannot be written, for instance because the disk is full.
        """
        values = {name: float(value) for name, value in metrics.items()}
        elapsed = round(self._earlier + self._clock() - self._started, 2)
        line = {"step": int(step), "images": int(images), "time": elapsed}
        line |= {name: _short(value) for name, value in values.items()}
        self._file.add(json.dumps(line) + "\n")
        if self._events:
            self._events.submit(lambda writer: writer.write_scalars(int(step), values))

    def write_images(self, step: int, name: str, grid: np.ndarray) -> None:
        """Sends a uint8 image [height, width, channels] to TensorBoard; nothing without it."""
        if self._events:
            self._events.submit(lambda writer: writer.write_images(int(step), {name: grid[None]}))

    def flush(self) -> None:
        """Uploads the lines that a bucket does not have yet; on disk they all are.

        Raises:
            UserError: they cannot be written.
        """
        self._file.flush()

    def close(self) -> None:
        """Waits until TensorBoard's events and all lines are written."""
        try:
            self._file.flush()
        finally:
            if self._events:
                self._events.close()

    def _start_clock(self, lines: list[dict[str, Any]]) -> None:
        self._earlier = lines[-1]["time"] if lines else 0.0
        self._started = self._clock()


def read_metrics(workdir: str | os.PathLike) -> list[dict[str, Any]]:
    """The lines of a workdir's metrics.jsonl in order; a line that is not whole (a crash, a copy) is left out."""
    path = epath.Path(workdir) / METRICS_FILE
    lines = []
    with explained(path, "cannot be read"):
        content = path.read_bytes() if path.exists() else b""
    for text in content.decode(errors="replace").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict) and all(
            isinstance(line.get(name), int | float) for name in ("step", "images", "time")
        ):
            lines.append(line)
    return lines


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


class _Events:
    """TensorBoard's event files, written by one background thread in the order of the calls."""

    def __init__(self, logdir: str | os.PathLike):
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tensorboard")
        self._writer = None
        self._thread.submit(self._open, str(logdir))

    def submit(self, write: Callable[[Any], None]) -> None:
        self._thread.submit(self._guarded, write)

    def close(self) -> None:
        self.submit(lambda writer: writer.close())
        self._thread.shutdown()

    def _open(self, logdir: str) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # it announces itself regardless of the level
        try:
            import tensorflow as tf
            from clu import metric_writers
        except ImportError as error:
            _say(
                f"TensorBoard events are not written, because {error.name} is missing: "
                "pip install 'gan-jax[tensorboard]', or set config.report.tensorboard to False."
            )
            return
        tf.config.set_visible_devices([], "GPU")  # TensorFlow would take the memory that training needs
        self._writer = metric_writers.SummaryWriter(logdir)

    def _guarded(self, write: Callable[[Any], None]) -> None:
        """Training goes on without events if they cannot be written."""
        if self._writer is None:
            return
        try:
            write(self._writer)
        except Exception as error:
            self._writer = None
            _say(f"TensorBoard events are not written any more: {error}")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
