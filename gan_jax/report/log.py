"""The log of a run: metrics to disk and to the eye, one step late so that the device never waits."""

import contextlib
import math
import sys
import time
from collections.abc import Mapping
from typing import Any

import jax
from etils import epath

from gan_jax.errors import DIVERGED, UserError
from gan_jax.report.atomic import GrowingFile
from gan_jax.report.goodput import Ledger, in_words
from gan_jax.report.progress import Progress
from gan_jax.report.watch import Alarm, Watch
from gan_jax.report.writers import MetricWriter


class TrainingLog:
    """Writes metrics.jsonl, TensorBoard events and log.txt, shows progress, and stops a run that diverged.

    An exception that leaves the block is noted in log.txt.

    Args:
        workdir: existing folder.
        first_step, total_steps: where this process takes over, and where training ends.
        every: steps between two lines of metrics.
        tensorboard: write events as well.
        patience: steps in a row with an update that was not finite, which end the run.
        writes: whether to write and to show anything, which of several processes one does; all stop what diverged.
        ledger: kept up to date where there is one; goodput is then among the metrics, and the last thing said.
        watch: sees the values of every line where there is one; `alarm` tells what it makes of them.
    """

    def __init__(
        self,
        workdir: epath.Path,
        first_step: int,
        total_steps: int,
        every: int,
        tensorboard: bool,
        patience: int,
        writes: bool = True,
        ledger: Ledger | None = None,
        watch: Watch | None = None,
    ):
        self._writer = MetricWriter(workdir, tensorboard) if writes else None
        self._words = GrowingFile(workdir / "log.txt") if writes else None
        self._ledger = ledger if writes else None
        if self._writer:
            self._writer.truncate_after(first_step)
        self._first, self._total, self._every, self._patience = first_step, total_steps, every, patience
        self._watch = watch
        self._alarm: Alarm | None = None
        self._step = 0  # the last that was dispatched, 0 before the first
        self._progress: Progress | None = None
        self._latest: Mapping[str, jax.Array] = {}
        self._added: Mapping[str, float] = {}
        self._pending: tuple[int, int, Mapping[str, jax.Array | float]] | None = None
        self._since: tuple[float, int] = (time.monotonic(), 0)

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, _: Any) -> None:
        if self._progress:
            self._progress.close()
        if self._writer is None:
            return
        # What went wrong first counts.
        with contextlib.suppress(UserError) if error else contextlib.nullcontext():
            self._writer.close()
        with contextlib.suppress(UserError) if error else contextlib.nullcontext():
            self._keep_ledger()
            if self._ledger and self._step:
                self.say(in_words(self._ledger.attempts(self._step)))
        with contextlib.suppress(UserError) if error else contextlib.nullcontext():
            if error:
                self._note(f"{kind.__name__}: {error}")
            self._words.flush()

    def say(self, text: str) -> None:
        """A line for people, on stderr and in log.txt.

        Raises:
            UserError: log.txt cannot be written.
        """
        if self._writer is None:
            return
        self._note(text)
        if self._progress:
            self._progress.message(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def start(self, images: int) -> None:
        """Starts the clocks, when everything is compiled."""
        self._progress = Progress(self._total, self._first, images) if self._writer else None
        self._since = (time.monotonic(), images)

    def add(self, **values: float) -> None:
        """Values that join the line of the step in hand if it has one, else the next line."""
        if self._pending:
            step, images, metrics = self._pending
            self._pending = (step, images, {**metrics, **values})
        else:
            self._added = values

    def alarm(self) -> Alarm | None:
        """What the watch has found since this was asked last; all processes find the same."""
        alarm, self._alarm = self._alarm, None
        return alarm

    def step(self, step: int, images: int, metrics: Mapping[str, jax.Array]) -> None:
        """Notes a step that was just dispatched; waits for the one before, and writes its metrics if they are due.

        So two steps at most are under way: a run stops soon when asked to, and batches do not pile up on the device. The
        metrics of phases that run only now and then are those of their last time.

        Raises:
            UserError: training has diverged.
        """
        self._step = step
        jax.block_until_ready(self._latest)
        self._write_due()
        self._latest = {**self._latest, **metrics}
        if step % self._every == 0 or step == self._total:
            self._pending, self._added = (step, images, {**self._latest, **self._added}), {}
        if self._progress:
            self._progress.update(step, images)

    def flush(self) -> None:
        """Waits for the metrics that are due and writes them; all that was said and written is in place then.

        Raises:
            UserError: training has diverged, or a file cannot be written.
        """
        self._write_due()
        if self._writer:
            self._writer.flush()
            self._words.flush()
            self._keep_ledger()

    def _keep_ledger(self) -> None:
        if self._ledger and self._step:
            self._ledger.flush(self._step)

    def _write_due(self) -> None:
        if self._pending is None:
            return
        (step, images, metrics), self._pending = self._pending, None
        values = self.values(step, metrics)
        if self._watch:
            self._alarm = self._watch.see(step, values) or self._alarm
        if self._writer is None:
            return
        if skipped := values.get("skipped"):
            self.say(f"step {step}: an update that was not finite was skipped, in {skipped} steps in a row so far")
        now, (then, before) = time.monotonic(), self._since
        self._since = (now, images)
        speed = {"images_per_second": (images - before) / max(now - then, 1e-9)}
        share = {"goodput": self._ledger.share(step)} if self._ledger else {}
        self._writer.write(step, images, {**values, **speed, **share})
        self._progress.update(step, images, values)

    def values(self, step: int, metrics: Mapping[str, jax.Array | float]) -> dict[str, float]:
        """The metrics as numbers; "skipped" is among them only while updates are skipped.

        Raises:
            UserError: too many steps in a row had an update that was not finite.
        """
        values = {name: float(value) for name, value in jax.device_get(dict(metrics)).items()}
        skipped = int(values.pop("skipped", 0))
        if skipped >= self._patience:
            names = [name for name, value in values.items() if not math.isfinite(value)]
            which = f" ({names[0]} is {values[names[0]]})" if names else ""
            raise UserError(
                f"step {step}: the updates of {skipped} steps in a row were not finite{which} and were skipped, as many as "
                f"config.train.max_skipped allows: {DIVERGED}; lower config.players.*.learning_rate, or go on "
                "from an earlier checkpoint with another config.seed"
            )
        return {**values, "skipped": skipped} if skipped else values

    def _note(self, text: str) -> None:
        self._words.add(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
