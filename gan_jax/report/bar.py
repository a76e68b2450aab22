"""A bar that fills: how far work is, on a terminal or in a log."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from gan_jax.report.units import duration, quantity

REDRAW_SECONDS, LINE_SECONDS = 0.1, 10.0  # of a terminal's live line, and between the lines of a log
BAR_WIDTH = 20


def live_line(text: str, share: float, stream: TextIO) -> str:
    """A bar, filled by `share`, and a text, cut to the width of the terminal; the bar takes what room there is."""
    room = shutil.get_terminal_size().columns - 1
    length = max(0, min(BAR_WIDTH, room - len(text) - 2))
    done = round(length * min(1.0, share))
    full, empty = ("━", "─") if "utf" in (stream.encoding or "").lower() else ("#", "-")
    return f"{full * done}{empty * (length - done)}  {text}"[:room] if length else text[:room]


class Bar:
    """How far a pass over images is: one live line on a terminal, a plain line every ten seconds in a log.

    Args:
        total: number of images.
        start: how many of them were done before.
        stream: stderr unless told; live if it is a terminal.
        clock: seconds, for tests.
    """

    def __init__(
        self, total: int, start: int, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ):
        self._total, self._start, self._stream, self._clock = total, start, stream or sys.stderr, clock
        self._live = self._stream.isatty()
        self._began, self._shown = clock(), -1
        self._drawn = float("-inf") if self._live else self._began

    def update(self, done: int) -> None:
        """Tells how many images are done; call it as often as you like."""
        now = self._clock()
        last = done == self._total != self._shown
        if not last and now - self._drawn < (REDRAW_SECONDS if self._live else LINE_SECONDS):
            return
        self._drawn, self._shown = now, done
        text = self._text(done, now - self._began)
        self._stream.write(
            f"\r{live_line(text, done / max(1, self._total), self._stream)}\x1b[K" if self._live else f"{text}\n"
        )
        self._stream.flush()

    def close(self) -> None:
        """Leaves the live line standing."""
        if self._live:
            self._stream.write("\n")

    def _text(self, done: int, seconds: float) -> str:
        speed = (done - self._start) / seconds if seconds > 0 else 0
        left = duration((self._total - done) / speed) if speed else "?"
        share = done / max(1, self._total)
        return f"{done}/{self._total} images {share:.0%}  {quantity(speed) if speed else '?'} img/s  {left} left"
