"""Ending on request: SIGTERM and Ctrl-C ask a command to stop, which then does so where nothing is lost."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax
from jax.experimental import multihost_utils

DONE, STOPPED = 0, 42  # exit codes: complete; stopped on request, the same command goes on


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Until the end of the block SIGTERM and Ctrl-C only make the yielded function true; a second one interrupts."""
    received = []

    def note(number, frame):
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """The same for a training loop, which must ask once in every step.

    Where several processes train together, a signal to one of them stops all at one step: jax's coordination service
    listens for SIGTERM, and Ctrl-C is handed on to it.
    """
    if not jax.distributed.is_initialized():
        with stop_signals() as stop:
            yield stop
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    try:
        calls = itertools.count(1)  # not the step: a signal before the first call asks for call number 1
        yield lambda: multihost_utils.reached_preemption_sync_point(next(calls))
    finally:
        signal.signal(signal.SIGINT, before)
