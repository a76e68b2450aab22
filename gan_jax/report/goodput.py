"""Goodput of a run: the share of wall time that went to steps which count, over all attempts at it.

goodput.json in the workdir has one entry for each attempt (a start of `gan-jax train` that came to do a step):
`{"first": step it began at, "step": step it came to, "seconds": {account: ...}}`, see `report.clock`. Steps beyond the
checkpoint from which a later attempt began are done again: their part of the attempt's "steps", at its mean speed, is
"redone" and no goodput. Time between attempts is nobody's, and up to `atomic.SECONDS` before a kill are unknown.
"""

import html
import json
import math
import os
import time
from typing import Any

from etils import epath

from gan_jax.report import atomic
from gan_jax.report.clock import ACCOUNTS, Clock
from gan_jax.report.units import duration

FILE = "goodput.json"
COLOURS = {"steps": 0, "redone": 4, "compile": 3, "input": 1, "save": 5, "evaluate": 2, "other": 7}

Attempt = dict[str, Any]


class Ledger:
    """The attempts of a run, the one under way among them.

    Args:
        workdir: of the run; attempts before this one are read from it.
        first: step at which this attempt takes over.
        clock: of this attempt.
    """

    def __init__(self, workdir: str | os.PathLike, first: int, clock: Clock):
        self._path, self._first, self._clock = epath.Path(workdir) / FILE, first, clock
        self._earlier = read_attempts(workdir)
        self._written = float("-inf")

    def attempts(self, step: int) -> list[Attempt]:
        """All of them, when this one has come to `step`."""
        seconds = {name: round(value, 6) for name, value in self._clock.seconds().items()}
        return [*self._earlier, {"first": self._first, "step": step, "seconds": seconds}]

    def share(self, step: int) -> float:
        """Goodput up to now, from 0 to 1; writes what it rests on, at most every `atomic.SECONDS`.

        Raises:
            UserError: it cannot be written.
        """
        attempts = self.attempts(step)
        if time.monotonic() - self._written >= atomic.SECONDS:
            self._write(attempts)
        return goodput(totals(attempts))

    def flush(self, step: int) -> None:
        """Writes the attempts as they stand.

        Raises:
            UserError: they cannot be written.
        """
        self._write(self.attempts(step))

    def _write(self, attempts: list[Attempt]) -> None:
        atomic.replace(self._path, (json.dumps(attempts, indent=2) + "\n").encode())
        self._written = time.monotonic()


def read_attempts(workdir: str | os.PathLike) -> list[Attempt]:
    """The attempts of a workdir, none where they cannot be read."""
    try:
        attempts = json.loads((epath.Path(workdir) / FILE).read_text())
        for attempt in attempts:
            int(attempt["first"]), int(attempt["step"])
            math.fsum(attempt["seconds"][name] for name in ACCOUNTS)
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return list(attempts)


def totals(attempts: list[Attempt]) -> dict[str, float]:
    """Seconds of a run by account, in the order of `COLOURS`; "redone" is taken out of "steps"."""
    sums, resumed = dict.fromkeys(COLOURS, 0.0), math.inf
    for attempt in reversed(attempts):
        for name in ACCOUNTS:
            sums[name] += attempt["seconds"][name]
        first, step = attempt["first"], attempt["step"]
        redone = attempt["seconds"]["steps"] * max(0, step - max(first, resumed)) / max(1, step - first)
        sums["steps"] -= redone
        sums["redone"] += redone
        resumed = min(resumed, first)
    return sums


def goodput(seconds: dict[str, float]) -> float:
    """The share of "steps" in totals, from 0 to 1."""
    return seconds["steps"] / max(math.fsum(seconds.values()), 1e-9)


def in_words(attempts: list[Attempt]) -> str:
    """ "goodput 93.1 %: steps 12m 05s, compile 41s, ..."."""
    seconds = totals(attempts)
    parts = ", ".join(f"{name} {duration(value)}" for name, value in seconds.items() if name != "redone" or value)
    several = f"; {len(attempts)} attempts" if len(attempts) > 1 else ""
    return f"goodput {_percent(goodput(seconds))}: {parts}{several}"


def bar(attempts: list[Attempt]) -> str:
    """A card for report.html: the shares as one bar, and a legend; nothing without attempts."""
    seconds = totals(attempts)
    wall = math.fsum(seconds.values())
    if not wall:
        return ""
    shown = {name: value for name, value in seconds.items() if value}
    parts = "".join(
        f'<i class="c{COLOURS[name]}" style="flex-grow:{1000 * value / wall:.2f}" title="{_label(name, value, wall)}"></i>'
        for name, value in shown.items()
    )
    legend = "".join(
        f'<li><i class="c{COLOURS[name]}"></i>{name} <b>{_percent(value / wall)}</b> {duration(value)}</li>'
        for name, value in shown.items()
    )
    several = f" in {len(attempts)} attempts" if len(attempts) > 1 else ""
    labels = html.escape(", ".join(_label(name, value, wall) for name, value in shown.items()))
    return (
        f'<h2>Time</h2><div class="card time"><p><b>{_percent(goodput(seconds))}</b> goodput of {duration(wall)}{several}</p>'
        f'<div class="bar" role="img" aria-label="{labels}">{parts}</div><ul class="legend">{legend}</ul></div>'
    )


def _label(name: str, value: float, wall: float) -> str:
    return f"{name} {_percent(value / wall)}, {duration(value)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
