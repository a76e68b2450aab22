"""Ending on request: SIGTERM and Ctrl-C ask a command to stop, which then does so where nothing is lost."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
