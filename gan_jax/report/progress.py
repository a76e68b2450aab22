"""How far a run is: one live line on a terminal, plain lines in a log file."""

import collections
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from gan_jax.report.bar import REDRAW_SECONDS, live_line
from gan_jax.report.units import duration, figure, quantity

SPEED_SECONDS = 60.0  # the speed shown is that of the last minute


class Progress:
    """Shows steps, images per second, time left and the losses of the phases on stderr.

    Make it when everything is compiled: the speed is measured from here on.

    Args:
        total_steps: of the whole run.
        start_step, start_images: where this process takes over.
        stream: stderr unless told; live if it is a terminal.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        total_steps: int,
        start_step: int = 0,
        start_images: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._total, self._stream, self._clock = total_steps, stream or sys.stderr, clock
        self._live = self._stream.isatty()
        self._seen = collections.deque([(clock(), start_step, start_images)])
        self._losses: dict[str, float] = {}
        self._drawn = float("-inf")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def update(self, step: int, images: int, metrics: Mapping[str, Any] | None = None) -> None:
        """Tells where training is; call it as often as you like.

        A terminal's line is redrawn ten times a second at most and keeps the last losses. A log gets a line only
        when there are metrics, which is once per log interval.
        """
        now = self._clock()
        self._seen.append((now, step, images))
        while len(self._seen) > 2 and now - self._seen[1][0] > SPEED_SECONDS:
            self._seen.popleft()
        if metrics:
            self._losses |= _losses(metrics)  # a phase that is not due keeps its last
        if self._live:
            if metrics or step >= self._total or now - self._drawn >= REDRAW_SECONDS:
                self._drawn = now
                text = "  ".join(" ".join(field.split()) for field in self._fields(step, images))  # a log is padded
                self._write(f"\r{live_line(text, step / max(1, self._total), self._stream)}\x1b[K")
        elif metrics:
            self._write("  ".join(self._fields(step, images)) + "\n")

    def message(self, text: str) -> None:
        """Prints a line of its own without breaking the live one."""
        self._write(f"\r\x1b[K{text}\n" if self._live else f"{text}\n")
        self._drawn = float("-inf")

    def close(self) -> None:
        """Leaves the live line standing."""
        if self._live:
            self._write("\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _fields(self, step: int, images: int) -> list[str]:
        then, old_step, old_images = self._seen[0]
        seconds, steps = self._seen[-1][0] - then, step - old_step
        speed = quantity((images - old_images) / seconds) if seconds > 0 else "?"
        left = duration((self._total - step) * seconds / steps) if steps > 0 else "?"
        width = len(str(self._total))
        return [
            f"step {step:>{width}}/{self._total} {step / max(1, self._total):>4.0%}",
            f"{quantity(images):>5} images",
            f"{speed:>5} img/s",
            f"{left:>7} left",
            *(f"{name} {figure(value):>7}" for name, value in self._losses.items()),
        ]


def _losses(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The losses among the metrics, `phase/loss` called by the phase alone."""
    losses = {name: float(value) for name, value in metrics.items() if name.rpartition("/")[2].startswith("loss")}
    return {name.removesuffix("/loss"): value for name, value in losses.items()}
