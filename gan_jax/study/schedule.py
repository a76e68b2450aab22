"""The runs of a study, so many at once, each a `gan-jax train` of its own that a killed study finds again.

A run's workdir is runs/METHOD-SAMPLE-SEED of the study's, what it says goes to logs/METHOD-SAMPLE-SEED.txt. That file is
locked while a process of the run lives, so that a study that is started again, or a second one beside it, waits for
what is under way instead of beginning it twice.
"""

import contextlib
import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from gan_jax import processes
from gan_jax.errors import ConfigError, UserError
from gan_jax.study.definition import Run
from gan_jax.study.records import Record, Records, judged, seconds

STOPPED = 42
PAUSE = 0.05  # seconds between two looks at what is under way


@dataclasses.dataclass(frozen=True)
class _Job:
    """A process of a run."""

    run: Run
    command: str
    process: subprocess.Popen
    log: IO[str]


class Schedule:
    """Does runs that have no record yet, and gives them one.

    Args:
        records: of the study.
        at_once: how many runs; several share the cores, and each has the GPU of its number.
        stop: whether it is to stop.
        told: called with every run that has ended, and its record.
    """

    def __init__(self, records: Records, at_once: int, stop: Callable[[], bool], told: Callable[[Run, Record], None]):
        self._records, self._stop, self._told = records, stop, told
        self._slots: list[_Job | None] = [None] * at_once

    def do(self, runs: Sequence[Run]) -> bool:
        """Does the runs, in this order; False where it was stopped before.

        Raises:
            ConfigError: a run's config cannot be used.
            UserError: a run was killed.
        """
        waiting = [run for run in runs if self._records.of(run) is None]
        with self._ended():
            while waiting or any(self._slots):
                if self._stop() or not all(self._look(slot) for slot in range(len(self._slots))):
                    return False
                started = self._start_next(waiting) if None in self._slots else None
                if started is None:
                    time.sleep(PAUSE)
        return True

    def _start_next(self, waiting: list[Run]) -> Run | None:
        """Takes the first run that no other process is at, and begins it in a slot that is free."""
        for run in waiting:
            if log := self._locked(run):
                waiting.remove(run)
                if record := judged(self._folder(run), run):  # by a study that was killed, or one beside this
                    log.close()
                    self._record(run, record)
                else:
                    words = [f"--config={run.config}", *(f"--config.{override}" for override in run.overrides)]
                    self._start(self._slots.index(None), run, ["train", *words], log)
                return run
        return None

    def _locked(self, run: Run) -> IO[str] | None:
        """The log of a run, ours until all are done that have it; None where it is another's."""
        path = self._records.workdir / "logs" / f"{run.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("a")
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.close()
            return None
        return log

    def _start(self, slot: int, run: Run, words: Sequence[str], log: IO[str]) -> None:
        several = len(self._slots) > 1
        process = subprocess.Popen(
            [sys.executable, "-m", "gan_jax.main", *words, f"--workdir={self._folder(run)}"],
            env=processes.environment(range(slot, slot + 1)) if several else None,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the study, which hands it on
        )
        if several and hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(process.pid, _share(slot, len(self._slots)))  # before it has a thread
        self._slots[slot] = _Job(run, words[0], process, log)

    def _look(self, slot: int) -> bool:
        """Looks whether the process of a slot has ended, and what is to be done then; False where it was stopped."""
        job = self._slots[slot]
        if job is None or (code := job.process.poll()) is None:
            return True
        self._slots[slot] = None
        record = judged(self._folder(job.run), job.run) if code == 0 else None
        if code == 0 and record is None and job.command == "train":
            # It was killed between the end of its training and that of its evaluation.
            self._start(slot, job.run, ["evaluate"], job.log)
            return True
        job.log.close()
        if code == STOPPED:
            return False
        if code == ConfigError.exit_code:
            raise ConfigError(f"{job.run.name}: {self._last_words(job.run)}")
        if code not in (0, UserError.exit_code):
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise UserError(
                f"{job.run.name} was ended by {how}, which says nothing about its method: run the same command again"
            )
        self._record(job.run, record or self._failed(job.run))
        return True

    def _failed(self, run: Run) -> Record:
        return Record(f"failed: {self._last_words(run)}", {}, seconds(self._folder(run)), run.overrides)

    def _record(self, run: Run, record: Record) -> None:
        self._records.add(run, record)
        self._told(run, record)

    @contextlib.contextmanager
    def _ended(self) -> Iterator[None]:
        """Asks what is still under way at the end of the block to stop, and waits until it has saved."""
        try:
            yield
        finally:
            jobs = [job for job in self._slots if job]
            for job in jobs:
                job.process.send_signal(signal.SIGTERM)
            for job in jobs:
                job.process.wait()
                job.log.close()

    def _last_words(self, run: Run) -> str:
        text = (self._records.workdir / "logs" / f"{run.name}.txt").read_text(errors="replace")
        lines = text.strip().splitlines() or ["it said nothing"]
        said = [line.removeprefix("gan-jax: ") for line in lines if line.startswith("gan-jax: ")] or lines
        return said[-1][:400]

    def _folder(self, run: Run) -> Path:
        return self._records.workdir / "runs" / run.name


def _share(slot: int, slots: int) -> set[int]:
    """The cores of a slot: equal parts, or all where there are fewer cores than slots."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < slots:
        return set(cores)
    return set(cores[slot * len(cores) // slots : (slot + 1) * len(cores) // slots])
