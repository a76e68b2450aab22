"""A thread that works ahead of the training loop."""

import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gan_jax.errors import UserError

_END = object()


def prefetch(
    read: Callable[..., Any], requests: Iterable[tuple], depth: int = 2, timeout: float | None = None
) -> Iterator[Any]:
    """Yields `read(*request)` of every request in order, computed by one background thread up to `depth` ahead.

    An exception in `read` comes out where its result would have. Closing the generator drops what was not begun and
    waits for the read under way. The thread, and every process that it starts, leaves SIGINT and SIGTERM to the main
    thread, which stops training in its own time.

    Raises:
        UserError: a result took longer than `timeout` seconds; the thread is left behind then, as it cannot be stopped.
    """
    results: queue.SimpleQueue = queue.SimpleQueue()
    room, closed = threading.Semaphore(depth + 1), threading.Event()

    def work() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            for request in requests:
                room.acquire()
                if closed.is_set():
                    return
                results.put((read(*request), None))
            results.put((_END, None))
        except BaseException as error:
            results.put((None, error))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    stuck = False
    try:
        while True:
            try:
                result, error = results.get(timeout=timeout)
            except queue.Empty:
                stuck = True
                raise UserError(
                    f"no batch has come for {timeout} seconds (config.data.timeout): the storage or a data worker is "
                    "stuck; look after it, then run the same command again"
                ) from None
            if error is not None:
                raise error
            if result is _END:
                return
            room.release()
            yield result
    finally:
        closed.set()
        room.release()
        if not stuck:
            thread.join()
