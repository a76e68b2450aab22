"""The runs of a study, so many at once, each a `gan-jax train` of its own that a killed study finds again.

A run's workdir is runs/METHOD-SAMPLE-SEED of the study's, what it says goes to logs/METHOD-SAMPLE-SEED.txt. That file is
locked while a process of the run lives, so that a study that is started again, or a second one beside it, waits for
what is under way instead of beginning it twice. With several devices the seeds of one setting may be trained at once
(`study.together`), which leaves their evaluation.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from gan_jax import processes
from gan_jax.errors import DIVERGED, ConfigError, UserError
from gan_jax.stopping import STOPPED
from gan_jax.study.definition import Run
from gan_jax.study.records import Record, Records, judged, seconds

PAUSE = 0.05  # seconds between two looks at what is under way


@dataclasses.dataclass(frozen=True)
class _Job:
    """A process of a run, or of several that are trained at once."""

    command: str
    runs: Sequence[Run]
    process: subprocess.Popen
    logs: Sequence[IO[str]]
    begin: int  # of what this process says in the first of them

    def said(self) -> str:
        """The sentence with which it ended; "" where it did not end with one."""
        with open(self.logs[0].name, errors="replace") as file:
            file.seek(self.begin)
            return processes.said(file.read())[:400]

    def close(self) -> None:
        for log in self.logs:
            log.close()


class Schedule:
    """Does runs that have no record yet, and gives them one.

    Args:
        records: of the study.
        at_once: how many processes; several share the cores, and each has the GPUs of its number.
        devices: of each process; so many seeds of a setting are trained at once.
        stop: whether it is to stop.
        told: called with every run that has ended, and its record.
    """

    def __init__(
        self,
        records: Records,
        at_once: int,
        devices: int,
        stop: Callable[[], bool],
        told: Callable[[Run, Record], None],
    ):
        self._records, self._devices, self._stop, self._told = records, devices, stop, told
        self._slots: list[_Job | None] = [None] * at_once
        self._next: dict[Run, str] = {}  # what comes next for a run that was trained with others

    def do(self, runs: Sequence[Run]) -> bool:
        """Does the runs, in this order; False where it was stopped before.

        Raises:
            ConfigError: a run's config cannot be used.
            UserError: a run was killed.
        """
        waiting = [run for run in runs if self._records.of(run) is None]
        with self._ended():
            while waiting or any(self._slots):
                if self._stop() or not all(self._look(slot, waiting) for slot in range(len(self._slots))):
                    return False
                if None not in self._slots or not self._start_next(waiting):
                    time.sleep(PAUSE)
        return True

    def _start_next(self, waiting: list[Run]) -> bool:
        """Takes the first run that no other process is at, and begins it in a slot that is free."""
        for run in waiting:
            if not (log := self._locked(run)):
                continue
            if record := self._records.of(run):  # by a study beside this one
                log.close()
                waiting.remove(run)
                self._told(run, record)
                return True
            locked = {run: log, **self._companions(run, waiting)}
            for taken in locked:
                waiting.remove(taken)
            self._start(
                self._slots.index(None), locked, "together" if len(locked) > 1 else self._next.get(run, "train")
            )
            return True
        return False

    def _companions(self, run: Run, waiting: Sequence[Run]) -> dict[Run, IO[str]]:
        """Other seeds of the run's setting that may be trained with it, and their logs."""
        found: dict[Run, IO[str]] = {}
        for other in waiting:
            alike = (other.method, other.sample) == (run.method, run.sample) and other != run
            fresh = run not in self._next and other not in self._next
            if alike and fresh and len(found) + 1 < self._devices and (log := self._locked(other)):
                if self._records.of(other):
                    log.close()
                else:
                    found[other] = log
        return found

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

    def _start(self, slot: int, locked: Mapping[Run, IO[str]], command: str) -> None:
        several, log = len(self._slots) > 1, next(iter(locked.values()))
        begin, first = log.tell(), slot * self._devices
        process = subprocess.Popen(
            [sys.executable, "-m", *self._words(list(locked), command)],
            env=processes.environment(range(first, first + len(locked))) if several or self._devices > 1 else None,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[other.fileno() for other in locked.values()],  # the locks are theirs too
            start_new_session=True,  # Ctrl-C is for the study, which hands it on
        )
        if several and hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(process.pid, _share(slot, len(self._slots)))  # before it has a thread
        self._slots[slot] = _Job(command, list(locked), process, list(locked.values()), begin)

    def _words(self, runs: Sequence[Run], command: str) -> list[str]:
        if command == "together":
            described = [
                {"config": run.config, "overrides": run.overrides, "workdir": str(self._folder(run))} for run in runs
            ]
            path = self._records.workdir / "logs" / f"{runs[0].name}-together.json"
            path.write_text(json.dumps(described, indent=2))
            return ["gan_jax.study.together", str(path)]
        (run,) = runs
        words = [f"--config={run.config}", *(f"--config.{override}" for override in run.overrides)]
        return ["gan_jax.main", command, *(words if command == "train" else []), f"--workdir={self._folder(run)}"]

    def _look(self, slot: int, waiting: list[Run]) -> bool:
        """Looks whether the process of a slot has ended, and what is to be done then; False where it was stopped."""
        job = self._slots[slot]
        if job is None or (code := job.process.poll()) is None:
            return True
        self._slots[slot] = None
        try:
            return self._settled(job, code, waiting)
        finally:
            job.close()  # when the record is there: until then nobody else may take the run

    def _settled(self, job: _Job, code: int, waiting: list[Run]) -> bool:
        """Gives the runs of a process that has ended their record, or puts them back; False where it was stopped."""
        run, said = job.runs[0], job.said()
        if code == STOPPED:
            return False
        if code == ConfigError.exit_code:
            raise ConfigError(f"{run.name}: {said}")
        if job.command == "together" and (code == 0 or (code == UserError.exit_code and said)):
            self._next |= dict.fromkeys(job.runs, "train" if code else "evaluate")
            waiting[:0] = job.runs
            return True
        if (code == 0 or job.command == "evaluate") and (record := judged(self._folder(run), run)):
            self._record(run, record)
        elif code == 0 and job.command == "train":
            # It was killed between the end of its training and that of its evaluation.
            self._next[run] = "evaluate"
            waiting.insert(0, run)
        elif code == UserError.exit_code and DIVERGED in said:
            self._record(run, Record(f"failed: {said}", {}, seconds(self._folder(run)), run.overrides))
        else:
            ended = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise UserError(
                f"{run.name} was ended by {ended}, which says nothing about its method"
                f"{f' ({said})' if said else ''}: see {job.logs[0].name}, and run the same command again"
            )
        return True

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
                job.close()

    def _folder(self, run: Run) -> Path:
        return self._records.workdir / "runs" / run.name


def _share(slot: int, slots: int) -> set[int]:
    """The cores of a slot: equal parts, or all where there are fewer cores than slots."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < slots:
        return set(cores)
    return set(cores[slot * len(cores) // slots : (slot + 1) * len(cores) // slots])
