"""The report of a study: REPORT.md for reading, report.html with pictures, findings.json for programs."""

import html
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax.report import atomic
from gan_jax.report.style import STYLE
from gan_jax.report.units import duration
from gan_jax.study import figures
from gan_jax.study.analysis import Findings
from gan_jax.study.statistics import CONFIDENCE, FEWEST, SPREAD

BEST_OF = "best of "
NONE = f"None yet: that takes {FEWEST} settings of every method, or all repeats."
BARS = (
    f"Thick: {CONFIDENCE:.0%} confidence interval of the mean, the dot. Thin: where {SPREAD[1] - SPREAD[0]:.0%} of searches, "
    "or all repeats, end."
)
NOTES = (
    "A search draws K settings at random and keeps the best. *Best of K* is the mean result of such searches, estimated "
    f"from all settings drawn; in brackets its {CONFIDENCE:.0%} confidence interval by the bootstrap over settings. *Repeats* "
    "are trainings of each method's best setting from seeds that its choice has not seen, with Student's interval.",
    "One method is called better than another only where their intervals do not touch. All other pairs are not told apart, "
    "which does not make them equal.",
    "A failed run has the worst score of all runs. Intervals say how far chance in settings and seeds goes, for this length of "
    "training and these networks; nothing about others.",
)


def write(workdir: Path, found: Findings, environment: Mapping[str, Any]) -> str:
    """Writes the three files, and returns the answers for people.

    Args:
        environment: of the runs, as environment.json has it; {} if not known.
    """
    atomic.replace(workdir / "findings.json", (json.dumps(found, indent=2) + "\n").encode())
    atomic.replace(workdir / "REPORT.md", _markdown(found, environment).encode())
    atomic.replace(workdir / "report.html", _page(found, environment).encode())
    return "\n".join(
        [
            _state(found, environment),
            *(f"{title}, {questions}: {answer}" for title, questions, answer in answers(found)),
        ]
    )


def answers(found: Findings) -> Iterator[tuple[str, str, str]]:
    """(score, questions, answer in words) for every score; questions that follow each other with one answer are one."""
    for score in found["scores"].values():
        in_words = ((question, _answer(better_than)) for question, better_than in score["answers"].items())
        for answer, group in itertools.groupby(in_words, key=lambda pair: pair[1]):
            yield score["title"], _together([question for question, _ in group]), answer


def _answer(better_than: Mapping[str, Sequence[str]]) -> str:
    told = [f"{name} is better than {_listed(others)}" for name, others in better_than.items() if others]
    count, pairs = sum(map(len, better_than.values())), len(better_than) * (len(better_than) - 1) // 2
    rest = "all other pairs are not told apart" if told else "no two methods are told apart"
    return "; ".join([*told, "these are all pairs" if told and count == pairs else rest])


def _markdown(found: Findings, environment: Mapping[str, Any]) -> str:
    parts = [f"# {found['title']}", _state(found, environment), "## Answers"]
    parts.append(
        "\n".join(f"- **{title}**, {questions}: {answer}." for title, questions, answer in answers(found)) or NONE
    )
    parts.extend(NOTES)
    for score in found["scores"].values():
        head, rows = _table(score)
        parts.append(f"## {score['title']} {score['arrow']}")
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] + ["---:"] * (len(head) - 1), *rows)))
    head, rows = _methods(found)
    parts.append("## Methods")
    parts.append("\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)))
    return "\n\n".join(parts) + "\n"


def _page(found: Findings, environment: Mapping[str, Any]) -> str:
    name = html.escape(found["title"])
    told = "".join(
        f'<tr><td>{html.escape(title)}</td><td class="words">{html.escape(questions)}</td>'
        f'<td class="words">{html.escape(answer)}</td></tr>'
        for title, questions, answer in answers(found)
    )
    sections = "".join(_section(score) for score in found["scores"].values())
    notes = "".join(f"<p>{html.escape(note).replace('*', '')}</p>" for note in NOTES)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{name}</title><style>{STYLE}{figures.STYLE}.words {{ text-align: left; white-space: normal; }}"
        ".note p { color: var(--quiet); margin: 8px 0; max-width: 75em; }</style></head>"
        f'<body><main class="study"><header><h1>{name}</h1><p>{html.escape(_state(found, environment))}</p></header>'
        f'<h2>Answers</h2><div class="card">{f"<table>{told}</table>" if told else f"<p>{NONE}</p>"}</div>'
        f'<div class="note">{notes}</div>{sections}'
        f"<h2>Methods</h2>{_html_table(*_methods(found))}</main></body></html>\n"
    )


def _section(score: Mapping[str, Any]) -> str:
    """Pictures and table of a score."""
    title = f"<h2>{html.escape(score['title'])} {score['arrow']}</h2>{figures.legend(list(score['values']))}"
    settings = figures.settings("All settings", "Stroke: the median.", score)
    if not score["intervals"]:
        return f'{title}<div class="charts">{settings}</div>'
    intervals = figures.intervals("Searches by budget, and repeats of the best setting", BARS, score)
    return f'{title}<div class="charts">{intervals}{settings}</div>{_html_table(*_table(score))}'


def _state(found: Findings, environment: Mapping[str, Any]) -> str:
    """One paragraph: how far the study is, what it took, and where."""
    runs = found["runs"]
    left = runs["planned"] - runs["ended"]
    state = "complete" if not left else f"not complete, {left} of {runs['planned']} runs are still to be done"
    failed = f", {runs['failed']} of which failed" if runs["failed"] else ""
    where = ""
    if environment:
        jax = environment.get("packages", {}).get("jax", "?")
        where = f" Machine: {environment.get('processor', '?')}, {environment.get('device', '?')}, jax {jax}."
    return (
        f"The study is {state}: {runs['ended']} runs{failed}, of {duration(runs['seconds'])} together; "
        f"{_counted(found['samples'])}.{where}"
    )


def _counted(samples: int) -> str:
    return f"the first {samples} settings of every method count" if samples else "no setting of all methods has ended"


def _table(score: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a score's table."""
    questions = score["intervals"]
    rows = [[name, *(_in_brackets(group[name]) for group in questions.values())] for name in score["values"]]
    return ["method", *questions], rows


def _methods(found: Findings) -> tuple[list[str], list[list[str]]]:
    """Head and rows of what each method took, and of its best setting."""
    rows = []
    for name, method in found["methods"].items():
        setting = ", ".join(f"{_short(field)} {_value(value)}" for field, value in method.get("setting", {}).items())
        took = [str(method["ended"]), str(method["failed"]), duration(method["seconds"])]
        rows.append([name, *took, f"{setting} (sample {method['best']})" if "best" in method else ""])
    return ["method", "runs", "failed", "time", "best setting"], rows


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        kinds = ["", *("" if cell[:1].isdigit() or tag == "th" else ' class="words"' for cell in cells[1:])]
        return (
            "<tr>" + "".join(f"<{tag}{k}>{html.escape(c)}</{tag}>" for c, k in zip(cells, kinds, strict=True)) + "</tr>"
        )

    body = row(head, "th") + "".join(row(cells, "td") for cells in rows)
    return f'<div class="card" style="margin-top:16px"><table>{body}</table></div>'


def _in_brackets(interval: Mapping[str, Any]) -> str:
    return f"{interval['mean']:.3g} ({interval['low']:.3g} to {interval['high']:.3g})"


def _short(field: str) -> str:
    """ "learning_rate" of "players.*.learning_rate", "D.norm" of "model.D.norm"."""
    return ".".join(part for part in field.split(".")[1:] if part not in ("*", "options")) or field


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _together(questions: Sequence[str]) -> str:
    """ "best of 1, 2 and 4; repeats"."""
    budgets = [question.removeprefix(BEST_OF) for question in questions if question.startswith(BEST_OF)]
    others = [question for question in questions if not question.startswith(BEST_OF)]
    return "; ".join([*([BEST_OF + _listed(budgets)] if budgets else []), *others])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
