"""Whether a config has become slower: a record of `gan-jax bench` against an earlier one."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from gan_jax import config as configs
from gan_jax.errors import ConfigError, explained
from gan_jax.report.units import figure

Record = dict[str, Any]
FORMAT = 1  # of a bench record; another number when a field changes its meaning
SHOWN = 5  # differing fields that a refusal names
# Fields of the config that are of no weight for what is measured.
FREE = (
    "seed",
    *(n for n in configs.FREE_ON_RESUME if n not in ("mesh.", "train.unroll", "data.workers", "data.memory")),
)
# What must be alike in the environment, and on CPU too; the rest may differ, and is told.
ALIKE, ALIKE_ON_CPU = ("backend", "device", "devices", "processes"), ("processor", "cores")


@dataclasses.dataclass(frozen=True)
class Measure:
    """One figure of a record.

    Attributes:
        name: for people, with its unit.
        places: in the record, "section.field"; the figure is their sum.
        steps: the sections of timed steps whose spread makes it uncertain.
        more_is_better: of rates.
        judged: whether it can regress. The efficiency of the loop only explains: it falls also where nothing but the step on a
            resident batch has changed, and become faster.
        factor: from the record's unit to the name's.
    """

    name: str
    places: tuple[str, ...]
    steps: tuple[str, ...] = ()
    more_is_better: bool = False
    judged: bool = True
    factor: float = 1.0

    def value(self, record: Record) -> float | None:
        """In the name's unit; None where the record has it not."""
        values = [value for place in self.places if (value := _at(record, place)) is not None]
        return sum(values) * self.factor if len(values) == len(self.places) else None


MEASURES = (
    Measure("step, ms", ("real.step_seconds",), ("real",), factor=1e3),
    Measure("images/s", ("real.images_per_second",), ("real",), more_is_better=True),
    Measure("step on one resident batch, ms", ("synthetic.step_seconds",), ("synthetic",), factor=1e3),
    Measure("loop efficiency", ("loop_efficiency",), ("real", "synthetic"), more_is_better=True, judged=False),
    Measure("compiling, s", ("compile.seconds",)),
    Measure("arguments + temporaries, MB", ("memory.arguments", "memory.temporaries"), factor=1e-6),
    Measure("peak of the device, MB", ("memory.device_peak",), factor=1e-6),
    Measure("input alone, images/s", ("data.images_per_second",), more_is_better=True),
)


def read(path: Path) -> Record:
    """An earlier record, as `gan-jax bench --json` printed it.

    Raises:
        ConfigError: the file is none, or one of another format.
    """
    with explained(path, "cannot be read", "name a file that gan-jax bench --json has written", ConfigError):
        content = path.read_bytes()
    try:
        record = json.loads(content)
        found, _ = record["format"], (record["config"].items(), record["environment"].items(), record["batch_size"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is no record of gan-jax bench: make one with gan-jax bench --json > FILE") from error
    if found != FORMAT:
        raise ConfigError(f"{path} is of format {found!r}, and this version reads format {FORMAT}: measure it anew")
    return record


def check_comparable(before: Record, now: Record) -> None:
    """Raises ConfigError, naming the fields, unless both records are of one config on the same devices."""
    fields, others = dict(_config_changes(before, now)), now["environment"]
    alike = ALIKE + (ALIKE_ON_CPU if others["backend"] == "cpu" else ())
    fields |= {name: (before["environment"].get(name), others[name]) for name in alike}
    fields |= {name: (before.get(name), now[name]) for name in ("batch_size", "data_only")}
    differing = [f"{name} {old!r} there and {new!r} here" for name, (old, new) in fields.items() if old != new]
    if differing:
        more = f", and {len(differing) - SHOWN} more fields" if len(differing) > SHOWN else ""
        raise ConfigError(
            f"the earlier record is of something else: {', '.join(differing[:SHOWN])}{more}; compare what was measured alike"
        )


def compared(before: Record, now: Record, tolerance: float) -> Record:
    """What has changed from the earlier record to the other, and whether it is a regression.

    A figure has regressed if it is worse by more than the tolerance, and that not for the noise alone: the spread of
    single steps makes every median uncertain. What differs between one run and the next on a busy machine is in no spread.

    Args:
        tolerance: 0.1 is ten per cent.

    Returns:
        A JSON-ready record: `measures` (of each `name`, `before`, `now`, `ratio` of now to before, `noise` as a share of the
        ratio, None where it is not known, `regression`), `regressions` (their names), `tolerance`, `differences` of the
        environments (texts).
    """
    measures = []
    for measure in MEASURES:
        old, new = measure.value(before), measure.value(now)
        if not old or not new:
            continue
        noise = _noise(measure, before, now)
        times_worse = old / new if measure.more_is_better else new / old
        regression = measure.judged and times_worse * (1 - (noise or 0.0)) > 1 + tolerance
        measures.append(
            {
                "name": measure.name,
                "before": old,
                "now": new,
                "ratio": new / old,
                "noise": noise,
                "regression": regression,
            }
        )
    return {
        "date": before.get("date"),
        "tolerance": tolerance,
        "measures": measures,
        "regressions": [row["name"] for row in measures if row["regression"]],
        "differences": _differences(before["environment"], now["environment"]),
    }


def as_text(against: Record) -> str:
    """The comparison for people."""
    rows = [("", "before", "now", "now/before", "noise", "")]
    for row in against["measures"]:
        noise = "" if row["noise"] is None else f"± {row['noise']:.1%}"
        verdict = "REGRESSION" if row["regression"] else ""
        rows.append((row["name"], figure(row["before"]), figure(row["now"]), f"{row['ratio']:.3f}", noise, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    name, *figures = widths
    lines = [
        "  ".join([row[0].ljust(name), *(cell.rjust(w) for cell, w in zip(row[1:], figures, strict=True))]).rstrip()
        for row in rows
    ]
    found, limit = against["regressions"], f"by more than {against['tolerance']:.0%} and the noise"
    return "\n".join(
        [
            f"against the record of {against['date']}:",
            *lines,
            "± is how far the spread of the steps lets the ratio of their medians be off; none is known where it is empty",
            f"other than then: {'; '.join(against['differences']) or 'nothing'}",
            f"worse {limit}: {', '.join(found)}" if found else f"nothing is worse {limit}",
        ]
    )


def _at(record: Record, place: str) -> float | None:
    value: Any = record
    for name in place.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _noise(measure: Measure, *records: Record) -> float | None:
    """Half the width of the 95 % interval of a ratio of medians, as a share of it.

    The standard error of the median of n values is about 0.93 of their interquartile range over the root of n, where
    they are near to normal and independent (McGill, Tukey and Larsen 1978, variations of box plots).
    """
    squares = []
    for timed in (record[name] for record in records for name in measure.steps):
        low, high = timed["step_seconds_quartiles"]
        squares.append(((high - low) / timed["step_seconds"]) ** 2 / timed["steps"])
    return 1.96 * 0.93 * math.sqrt(sum(squares)) if squares else None


def _config_changes(before: Record, now: Record) -> list[tuple[str, tuple[Any, Any]]]:
    old, new = before["config"], now["config"]
    return [
        (f"config.{name}", (old.get(name, "absent"), new.get(name, "absent")))
        for name in sorted(old.keys() | new.keys())
        if not name.startswith(FREE)
    ]


def _differences(before: Record, now: Record) -> list[str]:
    """What is told of two environments: one text for each field that differs, of `packages` and `flags` for each entry."""
    texts = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            texts += _differences(old, new)
        elif old != new:
            texts.append(f"{name} was {old!r}, is {new!r}")
    return texts
