"""`gan-jax study`: runs what a study still lacks, and reports what it has found."""

import json
import sys
from pathlib import Path
from typing import Any

from gan_jax.stopping import STOPPED, stop_signals
from gan_jax.study import analysis, report
from gan_jax.study.definition import Run, Study, load, repeats, searches
from gan_jax.study.records import Record, Records, begin
from gan_jax.study.schedule import Schedule


def study(spec: str, workdir: Path, processes: int = 1, devices: int = 1) -> tuple[int, dict[str, Any], str]:
    """Does the runs of a study that have not ended yet, first the search, then the repeats of what it found best.

    The report is written anew after every run.

    Args:
        spec: "FILE.py" or "FILE.py:ARGUMENT", with `get_study`.
        workdir: of the study; see `gan_jax.study.schedule` for what lies in it.
        processes: runs at once.
        devices: of each; so many seeds of one setting are trained at once, one on each.

    Returns:
        The exit code (0 complete, 42 stopped on request), the findings, and the answers in words.

    Raises:
        ConfigError: the study or one of its configs cannot be used, or the workdir is another's.
        UserError: a run was killed, or something cannot be written.
    """
    chosen = load(spec)
    search = list(searches(chosen))
    begin(workdir, chosen)
    records = Records(workdir)

    def told(run: Run, record: Record) -> None:
        found, _ = _reported(chosen, records, workdir)
        runs = found["runs"]
        print(
            f"{runs['ended']} of {runs['planned']}: {run.name} {_outcome(chosen, record)}", file=sys.stderr, flush=True
        )

    with stop_signals() as stop:
        schedule = Schedule(records, processes, devices, stop, told)
        complete = schedule.do(search) and schedule.do(list(repeats(chosen, analysis.best(chosen, records))))
    found, text = _reported(chosen, records, workdir)
    if not complete:
        return STOPPED, found, f"{text}\nstopped; the same command goes on from there"
    return 0, found, f"{text}\nthe report is {workdir / 'report.html'}"


def _reported(chosen: Study, records: Records, workdir: Path) -> tuple[analysis.Findings, str]:
    found = analysis.findings(chosen, records)
    first = next(iter(sorted((Path(workdir) / "runs").glob("*/environment.json"))), None)
    return found, report.write(Path(workdir), found, json.loads(first.read_text()) if first else {})


def _outcome(chosen: Study, record: Record) -> str:
    value = record.scores.get(chosen.first_score)
    return record.status if value is None else f"{chosen.first_score} {value:.4g}, {record.seconds:.0f} s"
