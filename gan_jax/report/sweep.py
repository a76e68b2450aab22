"""A page that shows what truncation trades: one score against another, a point for each truncation."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_jax.report.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, grid, pixel
from gan_jax.report.scores import better, is_number, scores_of
from gan_jax.report.style import STYLE
from gan_jax.report.units import figure

# What is drawn against what, across and up, where a record has both; the extractor's name may follow.
PAIRS = (("inception_score", "fid"), ("recall", "precision"), ("coverage", "density"), ("recognised", "frechet"))
MARGIN = 0.08  # of the range, around the points


def page(records: Sequence[dict[str, Any]]) -> str:
    """The page of some evaluations that differ in "truncation" (None is none), with a table of all their scores."""
    ordered = sorted(records, key=_psi)
    names = [name for name in scores_of(ordered[0]) if all(is_number(record.get(name)) for record in ordered)]
    figures = [_figure(ordered, x, y) for across, up in PAIRS for x in _named(names, across) for y in _named(names, up)]
    head = "".join(f"<th>{html.escape(name)} {better(name)}</th>" for name in names)
    rows = "".join(
        f"<tr><td>{_label(record)}</td>{''.join(f'<td>{figure(record[name])}</td>' for name in names)}</tr>"
        for record in ordered
    )
    title = f"Truncation after {ordered[0]['images']:,} images"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/><title>{title}</title><style>{STYLE}</style></head>'
        f"<body><main><header><h1>{title}</h1><p>{ordered[0]['samples']:,} images each</p></header>"
        f'<h2>Trade-offs</h2><div class="charts">{"".join(figures)}</div>'
        f'<h2>Scores</h2><div class="card"><table><tr><th>truncation</th>{head}</tr>{rows}</table></div></main></body></html>\n'
    )


def _figure(records: Sequence[dict[str, Any]], x: str, y: str) -> str:
    across, up = (np.array([record[name] for record in records], np.float64) for name in (x, y))
    x_axis = Axis(*_range(across), LEFT, WIDTH - RIGHT)
    y_axis = Axis(*_range(up), HEIGHT - BOTTOM, TOP)
    places = [(pixel(x_axis(a)), pixel(y_axis(b))) for a, b in zip(across, up, strict=True)]
    path = "M" + "L".join(f"{left} {top}" for left, top in places)
    points = "".join(
        f'<circle class="c0" cx="{left}" cy="{top}" r="3.2"/><text x="{left}" y="{top}" dx="7" dy="-6">{_label(record)}</text>'
        for (left, top), record in zip(places, records, strict=True)
    )
    title = html.escape(f"{y} {better(y)} against {x} {better(x)}")
    return (
        f'<figure class="chart"><figcaption><h3>{title}</h3></figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}">{grid(x_axis, y_axis, x)}<path class="c0 smooth" d="{path}"/>{points}</svg></figure>'
    )


def _named(names: Sequence[str], base: str) -> list[str]:
    """The score of this name, or of this name with an extractor's behind it."""
    return [name for name in names if name == base or (name.startswith(f"{base}_") and better(name))]


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low or max(abs(high), 1.0))
    return low - margin, high + margin


def _psi(record: dict[str, Any]) -> float:
    return np.inf if record.get("truncation") is None else record["truncation"]


def _label(record: dict[str, Any]) -> str:
    return "none" if record.get("truncation") is None else f"{record['truncation']:g}"
