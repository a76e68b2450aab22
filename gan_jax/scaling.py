"""`gan-jax bench --devices=1,2,4`, `--processes=1,2`: what more devices, or processes of one device each, bring.

Weak scaling: the batch of a device stays, and the whole one grows. Strong scaling: the whole batch stays, and that of a
device shrinks. In both the smallest number has the config's batch size, and is what speed-ups are of.
"""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ml_collections import ConfigDict

from gan_jax import processes
from gan_jax.engine import sharding
from gan_jax.errors import ConfigError, UserError

FORMAT = 1  # of the record of a scaling, which holds bench records
Record = dict[str, Any]


def scaling(
    config: ConfigDict,
    unit: str,
    counts: Sequence[int],
    words: Sequence[str],
    run: Callable[..., str] = processes.run,
) -> Record:
    """Measures a config on several numbers of devices of this machine, one after the other, each in processes of its own.

    Args:
        unit: "devices" of one process, or "processes" of one device each.
        counts: how many, ascending.
        words: of `gan-jax bench`, which give this config.
        run: as `processes.run`.

    Returns:
        A JSON-ready record: `format`, `unit`, `weak` and `strong` (lists of `count`, `batch_size`, `step_seconds` (median),
        `step_seconds_fastest`, `images_per_second`, `speed_up`, `efficiency` (share of the linear one)), `left_out` (counts
        that do not divide the batch, so that they have no strong scaling), and `records` of all benches.

    Raises:
        UserError: a bench fails, or does not get what it is to measure.
    """
    batches = _weak_batches(config, unit, counts)
    strong = {count: batches[counts[0]] for count in counts if _divides(config, count)}
    measured: dict[tuple[int, int], Record] = {}
    for count, batch in dict.fromkeys([*batches.items(), *strong.items()]):
        print(f"{count} {unit}, batch {batch} ...", file=sys.stderr, flush=True)
        of = {"devices": count} if unit == "devices" else {"processes": count}
        said = run(["bench", "--json", *words, f"--config.train.batch_size={batch}"], **of)
        record = json.loads(next(line for line in said.splitlines() if line.startswith("{")))  # Gloo prints lines too
        _check(record, unit, count, batch, next(iter(measured.values()), record))
        measured[count, batch] = record
    return {
        "format": FORMAT,
        "unit": unit,
        "weak": _rows({count: measured[count, batch] for count, batch in batches.items()}),
        "strong": _rows({count: measured[count, batch] for count, batch in strong.items()}),
        "left_out": [count for count in counts if count not in strong],
        "records": list(measured.values()),
    }


def _weak_batches(config: ConfigDict, unit: str, counts: Sequence[int]) -> dict[int, int]:
    """The whole batch for each count."""
    batch, fewest = config.train.batch_size, counts[0]
    if not _divides(config, fewest):
        raise ConfigError(
            f"config.train.batch_size is {batch}, which does not divide over {fewest} {unit}, the fewest asked for: "
            "change the batch size, config.train.microbatches or the numbers"
        )
    return {count: batch * count // fewest for count in counts}


def _divides(config: ConfigDict, devices: int) -> bool:
    """Whether the batch divides over a mesh of so many devices."""
    parts = sharding.batch_parts(sharding.sizes(config.mesh, devices))
    return config.train.batch_size % (config.train.microbatches * parts) == 0


def _check(record: Record, unit: str, count: int, batch: int, first: Record) -> None:
    """Raises UserError unless a bench has measured what it was to."""
    environment = record["environment"]
    if record["batch_size"] != batch:
        raise ConfigError(
            f"config.train.batch_size was to be {batch}, but the recipe trains on {record['batch_size']} images a step, as "
            "its stages have batches of their own: such a config has no scaling to measure"
        )
    found = {key: environment[key] for key in (unit, "device")}
    if found != (wanted := {unit: count, "device": first["environment"]["device"]}):
        raise UserError(
            f"{count} x {wanted['device']} were to be measured, but there are {found[unit]} x {found['device']}: ask for as "
            f"many {unit} as the machine has at most; TPUs cannot be chosen by number, measure a slice of each size"
        )


def _rows(records: dict[int, Record]) -> list[dict[str, float]]:
    (fewest, base), *_ = records.items()
    rows = []
    for count, record in records.items():
        timed = record["real"]
        speed_up = timed["images_per_second"] / base["real"]["images_per_second"]
        rows.append(
            {
                "count": count,
                "batch_size": record["batch_size"],
                "step_seconds": timed["step_seconds"],
                "step_seconds_fastest": timed["step_seconds_fastest"],
                "images_per_second": timed["images_per_second"],
                "speed_up": speed_up,
                "efficiency": speed_up * fewest / count,
            }
        )
    return rows


def as_text(record: Record) -> str:
    """The two tables for people."""
    unit, environment = record["unit"], record["records"][0]["environment"]
    steps = record["records"][0]["real"]["steps"]
    lines = [
        f"{environment['device']}, {environment['cores']} cores, {steps} steps each; ms a step: median and fastest"
    ]
    for kind, what in (("weak", "the batch of a device stays"), ("strong", "the whole batch stays")):
        lines.append(f"{kind} scaling: {what}")
        lines.append(f"{unit:>9}   batch  ms a step  fastest    images/s  speed-up  efficiency")
        for row in record[kind]:
            lines.append(
                f"{row['count']:>9}  {row['batch_size']:>6}  {row['step_seconds'] * 1e3:>9,.1f}"
                f"  {row['step_seconds_fastest'] * 1e3:>7,.1f}  {row['images_per_second']:>10,.1f}"
                f"  {row['speed_up']:>8.2f}  {row['efficiency']:>10.0%}"
            )
    if record["left_out"]:
        left_out = ", ".join(map(str, record["left_out"]))
        lines.append(f"not in strong scaling, as they do not divide the batch: {left_out} {unit}")
    if environment["backend"] == "cpu":
        lines.append(
            f"simulated: all {unit} share {environment['cores']} cores. This shows what partitioning costs, not scaling; a "
            "speed-up above 1 means that one alone left cores idle"
        )
    return "\n".join(lines)
