"""Where the wall time of a training goes: to its steps, or to what kept the devices from them."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import jax

T = TypeVar("T")
ACCOUNTS = ("steps", "compile", "input", "save", "evaluate", "other")


class Clock:
    """Books every second since the start on one of `ACCOUNTS`, so that they add up to the wall time.

    A moment counts as "steps" while a step is under way, from its dispatch until the devices are done with it; else as
    what the training loop does in that moment, "other" where it does not say. So a wait for input or for a checkpoint
    that the devices spend at work is no loss, and one that leaves them idle is. What a step waits for within itself,
    such as other processes, belongs to the step.

    Nothing is read from the devices: a thread waits for the metrics of each step.

    Args:
        since: a value of `now` from which time counts; this moment unless told.
        now: seconds, for tests.
    """

    def __init__(self, since: float | None = None, now: Callable[[], float] = time.monotonic):
        self._now = now
        self._booked = now() if since is None else since  # up to here
        self._seconds = dict.fromkeys(ACCOUNTS, 0.0)
        self._doing = ["other"]  # innermost last
        self._under_way = 0
        self._lock = threading.Lock()
        self._watcher = ThreadPoolExecutor(1, thread_name_prefix="clock")

    @contextlib.contextmanager
    def __call__(self, account: str) -> Iterator[None]:
        """The loop does this in the block; a block within it counts for itself. Named in a profile as well."""
        with self._lock:
            self._book()
            self._doing.append(account)
        try:
            with jax.profiler.TraceAnnotation(account):
                yield
        finally:
            with self._lock:
                self._book()
                self._doing.pop()

    def each(self, account: str, things: Iterable[T]) -> Iterator[T]:
        """The things; waiting for the next counts as this."""
        things, end = iter(things), cast(Any, object())
        while True:
            with self(account):
                thing = next(things, end)
            if thing is end:
                return
            yield thing

    def counted(self, step: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
        """The same step, (state, batch) -> (state, metrics), which is under way until its metrics are there."""

        def run(*arguments: Any) -> tuple[Any, Any]:
            with self._lock:
                self._book()
                self._under_way += 1
            metrics = None
            try:
                state, metrics = step(*arguments)
            finally:
                self._watcher.submit(self._finish, metrics)
            return state, metrics

        return run

    def seconds(self) -> dict[str, float]:
        """What is booked so far on each account."""
        with self._lock:
            self._book()
            return dict(self._seconds)

    def _finish(self, metrics: Any) -> None:
        try:
            jax.block_until_ready(metrics)
        finally:
            with self._lock:
                self._book()
                self._under_way -= 1

    def _book(self) -> None:
        """Books the time since the last call, in which nothing has changed."""
        now = self._now()
        self._seconds["steps" if self._under_way else self._doing[-1]] += now - self._booked
        self._booked = now
