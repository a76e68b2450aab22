"""`gan-jax compare`: the scores of two models beside each other, if they were taken in the same way."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from gan_jax.errors import ConfigError, explained
from gan_jax.report.scores import better, scores_of
from gan_jax.report.units import figure

CONFIDENCE = 0.95
FREE = ("seed",)  # of a protocol: what evaluations that are taken together, or compared, may differ in

Record = dict[str, Any]


def compare(first: str, second: str) -> tuple[Record, str]:
    """Compares evaluations: every score that both have, with the confidence interval of each mean and of the difference.

    Args:
        first, second: an evaluation's JSON file, a workdir (all evaluations of its newest images, which differ in
            seed), or several of these with commas between, such as trainings of the same config from other seeds.

    Returns:
        The comparison as a record, and as a table.

    Raises:
        ConfigError: a file is no evaluation, or two protocols differ; the field is named.
    """
    if first == second:
        raise ConfigError(f"both sides are {first}: expected two evaluations to compare")
    groups = {name: _evaluations(name) for name in (first, second)}
    names = [name for name in scores_of(groups[first][0]) if all(name in r for group in groups.values() for r in group)]
    if not names:
        raise ConfigError(f"{first} and {second} have no score in common: evaluate both by the same --metrics")
    for name in names:
        _check_protocols(name, groups)
    scores = {
        name: _compared(name, *([record[name] for record in group] for group in groups.values())) for name in names
    }
    counts = [len(group) for group in groups.values()]
    record = {"first": first, "second": second, "evaluations": counts, "confidence": CONFIDENCE, "scores": scores}
    return record, _as_table(record)


def _evaluations(words: str) -> list[Record]:
    records = [record for word in words.split(",") for record in _read(Path(word))]
    if not records:
        raise ConfigError(f"{words} holds no evaluation yet: make one with gan-jax evaluate --workdir={words}")
    return records


def _read(path: Path) -> list[Record]:
    if path.suffix == ".json":
        return [_record(path)]
    folder = path / "evaluations"
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder of evaluations: name a workdir or an evaluation's JSON file")
    records = [_record(file) for file in sorted(folder.glob("*.json"))]
    records = [record for record in records if record.get("status", "done") == "done"]
    newest = max((record["images"] for record in records), default=0)
    plain = [record for record in records if record["images"] == newest]
    return [record for record in plain if record.get("truncation") == plain[0].get("truncation")]


def _record(path: Path) -> Record:
    with explained(path, "cannot be read", "name a workdir or an evaluation's JSON file", ConfigError):
        content = path.read_text()
    try:
        record = json.loads(content)
        _ = record["images"], record["protocol"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is no evaluation of gan-jax that tells its protocol: make one with gan-jax evaluate"
        ) from error
    return record


def _check_protocols(name: str, groups: dict[str, list[Record]]) -> None:
    """Raises ConfigError unless all evaluations took this score alike."""
    (wanted, owner), *others = [
        (record["protocol"].get(name, {}), word) for word, group in groups.items() for record in group
    ]
    for protocol, word in others:
        for field in sorted(wanted.keys() | protocol.keys()):
            if field not in FREE and wanted.get(field) != protocol.get(field):
                raise ConfigError(
                    f"{name} cannot be compared: its {field} is {wanted.get(field)!r} in {owner} and "
                    f"{protocol.get(field)!r} in {word}; evaluate both in the same way"
                )


def _compared(name: str, first: Sequence[float], second: Sequence[float]) -> dict[str, Any]:
    """Means, half widths of their confidence intervals, and the difference (Welch) of one score."""
    compared: dict[str, Any] = {}
    for side, values in (("first", first), ("second", second)):
        compared[side] = float(np.mean(values))
        if len(values) > 1:
            compared[f"{side}_interval"] = _half_width(_squared_error(values), len(values) - 1)
    difference = compared["second"] - compared["first"]
    compared["difference"] = difference
    if len(first) > 1 and len(second) > 1:
        errors = [_squared_error(values) for values in (first, second)]
        total = sum(errors)
        freedom = (
            total**2 / sum(e**2 / (len(v) - 1) for e, v in zip(errors, (first, second), strict=True)) if total else 1
        )
        width = _half_width(total, freedom)
        compared["difference_interval"] = width
        if abs(difference) > width and (arrow := better(name)):
            compared["better"] = "second" if (difference < 0) == (arrow == "↓") else "first"
    return compared


def _squared_error(values: Sequence[float]) -> float:
    """Of their mean."""
    return float(np.var(values, ddof=1)) / len(values)


def _half_width(squared_error: float, freedom: float) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(squared_error)


def _as_table(record: Record) -> str:
    def shown(values: dict[str, Any], side: str) -> str:
        width = values.get(f"{side}_interval")
        return figure(values[side]) + ("" if width is None else f" ± {figure(width)}")

    rows = [("", record["first"], record["second"], "difference", "better")]
    for name, values in record["scores"].items():
        verdict = (
            record[values["better"]] if "better" in values else "unclear" if "difference_interval" in values else ""
        )
        rows.append((name, *(shown(values, side) for side in ("first", "second", "difference")), verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    first, second = record["evaluations"]
    if min(first, second) > 1:
        lines.append(f"± is the {CONFIDENCE:.0%} confidence interval of a mean over {first} and {second} evaluations")
    else:
        lines.append(
            "with one evaluation on a side, nothing says how far chance goes: evaluate several seeds (--seeds=0-4)"
        )
    return "\n".join(lines)
