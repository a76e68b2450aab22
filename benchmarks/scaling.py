"""The tables of benchmarks/scaling.md: medians over repeated runs of `gan-jax bench --devices=... --json`.

    python benchmarks/scaling.py benchmarks/results/scaling_devices_*.json

The time of a step is the median of the runs' medians, and the range is that of their medians; the fastest is the fastest
step of all.
"""

import json
import statistics
import sys
from pathlib import Path


def main(paths: list[str]) -> None:
    runs = [json.loads(Path(path).read_text()) for path in paths]
    unit = runs[0]["unit"]
    for kind in ("weak", "strong"):
        print(f"\n| {kind}: {unit} | batch | ms a step | range | fastest | images/s | speed-up | share of linear |")
        print("|---:" * 8 + "|")
        first = None
        for rows in zip(*(run[kind] for run in runs), strict=True):
            count, batch = rows[0]["count"], rows[0]["batch_size"]
            times = [row["step_seconds"] * 1e3 for row in rows]
            rate = batch / statistics.median(times) * 1e3
            first = first or (count, rate)
            speed_up = rate / first[1]
            print(
                f"| {count} | {batch} | {statistics.median(times):,.0f} | {min(times):,.0f} - {max(times):,.0f} "
                f"| {min(row['step_seconds_fastest'] for row in rows) * 1e3:,.0f} | {rate:,.0f} | {speed_up:.2f} "
                f"| {speed_up * first[0] / count:.0%} |"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
