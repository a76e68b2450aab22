"""The findings of a study: what its records say, as one JSON-ready object that the report shows."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gan_jax.report.scores import better
from gan_jax.study import statistics
from gan_jax.study.definition import Run, Study, draw, repeats, searches
from gan_jax.study.records import DONE, Records
from gan_jax.study.statistics import Interval

Findings = dict[str, Any]
Values = dict[str, list[float]]  # by method


def findings(study: Study, records: Records) -> Findings:
    """What is known so far.

    Samples count from the first to the last of which every method's runs have ended, so that all methods had alike many;
    budgets up to half of them, of four at least. Repeats count when all of them have ended.

    Returns:
        "title"; "runs" (planned, ended, failed); "seconds"; "samples" (that count); "methods": by name "runs", "failed",
        "seconds" of them, and the "best" sample with its "setting"; "scores": by name "title", "arrow", "values" (by
        method, one for each sample), and "intervals" and "answers", both by question: "best of K" for every budget,
        "repeats"; an interval has mean, low, high and spread, an answer those methods that a method is better than.
    """
    search = list(searches(study))
    rows = _complete(study, search, records)
    chosen = _best(study, records, rows) if all(rows.values()) else {}
    again = list(repeats(study, chosen)) if chosen else []
    complete = bool(again) and all(records.of(run) for run in again)
    planned = len(search) + study.repeats * len(study.methods)
    known = [run for run in (*search, *again) if records.of(run)]
    return {
        "title": study.title,
        "runs": {"planned": planned, **_count(known, records)},
        "samples": len(next(iter(rows.values()))),
        "methods": {
            name: {
                **_count([run for run in known if run.method == name], records),
                **({"best": chosen[name], "setting": draw(study, name, chosen[name])} if chosen else {}),
            }
            for name in study.methods
        },
        "scores": {
            score: _of_score(study, records, score, rows, again if complete else []) for score in study.scores if chosen
        },
    }


def best(study: Study, records: Records) -> dict[str, int]:
    """The sample of every method that has the best first score, when the search is complete."""
    return _best(study, records, _complete(study, list(searches(study)), records))


def _complete(study: Study, search: Sequence[Run], records: Records) -> dict[str, list[list[Run]]]:
    """By method the runs of every sample, up to the last of which all methods' runs have ended."""
    rows: dict[str, list[list[Run]]] = {name: [[] for _ in range(study.samples)] for name in study.methods}
    for run in search:
        rows[run.method][run.sample].append(run)
    ended = [all(records.of(run) for name in rows for run in rows[name][sample]) for sample in range(study.samples)]
    count = ended.index(False) if False in ended else study.samples
    return {name: samples[:count] for name, samples in rows.items()}


def _best(study: Study, records: Records, rows: Mapping[str, Sequence[Sequence[Run]]]) -> dict[str, int]:
    """By method the number of its best sample; a failed run has the worst score of all."""
    score = study.first_score
    values = statistics.without_failures(
        {name: [_lower(records.score(run, score), score) for row in rows[name] for run in row] for name in rows}
    )
    return {name: int(np.argmin(_by_sample(study, values[name]))) for name in rows}


def _by_sample(study: Study, values: Sequence[float]) -> list[float]:
    """The means over the seeds of every sample."""
    return [float(x) for x in np.mean(np.reshape(values, (-1, study.seeds)), axis=1)]


def _of_score(
    study: Study, records: Records, score: str, rows: Mapping[str, Sequence[Sequence[Run]]], again: Sequence[Run]
) -> dict[str, Any]:
    def value(run: Run) -> float | None:
        return _lower(records.score(run, score), score)

    runs = {name: [value(run) for row in rows[name] for run in row] for name in rows}
    repeated = {name: [value(run) for run in again if run.method == name] for name in rows if again}
    every = statistics.without_failures({name: [*runs[name], *repeated.get(name, [])] for name in rows})
    samples: Values = {name: _by_sample(study, every[name][: len(runs[name])]) for name in rows}
    questions: dict[str, dict[str, Interval]] = {
        f"best of {budget}": {name: statistics.best_of(samples[name], budget) for name in rows}
        for budget in study.budgets
        if len(next(iter(samples.values()))) >= max(2 * budget, statistics.FEWEST)
    }
    if again:
        questions["repeats"] = {name: statistics.mean_of(every[name][len(runs[name]) :]) for name in rows}
    return {
        "title": study.scores[score],
        "arrow": better(score),
        "values": {name: [_back(x, score) for x in values] for name, values in samples.items()},
        "intervals": {
            question: {name: _shown(interval, score) for name, interval in intervals.items()}
            for question, intervals in questions.items()
        },
        "answers": {question: statistics.told_apart(intervals) for question, intervals in questions.items()},
    }


def _count(runs: Sequence[Run], records: Records) -> dict[str, Any]:
    found = [record for run in runs if (record := records.of(run))]
    return {
        "ended": len(found),
        "failed": sum(record.status != DONE for record in found),
        "seconds": round(sum(record.seconds for record in found), 1),
    }


def _lower(value: float | None, score: str) -> float | None:
    """A score of which less is better; its own inverse."""
    return value if value is None or better(score) == "↓" else -value


def _back(value: float, score: str) -> float:
    return value if better(score) == "↓" else -value + 0.0  # no negative zero


def _shown(interval: Interval, score: str) -> dict[str, Any]:
    """An interval as it is of the score itself."""
    low, high = sorted(_back(x, score) for x in (interval.low, interval.high))
    spread = sorted(_back(x, score) for x in interval.spread)
    return dataclasses.asdict(Interval(_back(interval.mean, score), low, high, (spread[0], spread[1])))
