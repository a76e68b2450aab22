"""Pictures of a study as inline SVG: intervals against the budget, and the scores of all settings."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gan_jax.report.curves import BOTTOM, COLOURS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, pixel, ticks, value_range
from gan_jax.report.units import figure

STYLE = """
.study svg .spread { stroke: currentColor; stroke-width: 1; opacity: .5; }
.study svg .interval { stroke: currentColor; stroke-width: 5; stroke-linecap: round; opacity: .38; }
.study svg .dot { opacity: .6; }
.study svg .median { stroke: currentColor; stroke-width: 2.5; }
.study svg .between { stroke: var(--faint); stroke-dasharray: 2 4; }
.key { margin: 0 0 14px; }
.key i { width: 10px; height: 10px; border-radius: 50%; }
"""


def legend(methods: Sequence[str]) -> str:
    """The colours of the methods, for all pictures of a page."""
    items = "".join(f'<li><i class="{_colour(i)}"></i>{html.escape(name)}</li>' for i, name in enumerate(methods))
    return f'<ul class="legend key">{items}</ul>'


def intervals(title: str, note: str, score: Mapping[str, Any]) -> str:
    """A group of intervals for every question about a score, one for each method: mean, confidence, and the spread, thin.

    What reaches below half the least value of a search or training is cut off there.
    """
    by_question = score["intervals"]
    shown = [interval for group in by_question.values() for interval in group.values()]
    least = min(min(interval["mean"], *interval["spread"]) for interval in shown)
    ends = [interval[end] for interval in shown for end in ("low", "high")]
    up = _axis(score, [v for i in shown for v in (i["mean"], *i["spread"])] + [max(end, least / 2) for end in ends])
    parts = []
    for index, (question, group) in enumerate(by_question.items()):
        left, width = _column(index, len(by_question))
        parts += _column_of(question, left, width, index)
        for place, (name, interval) in enumerate(group.items()):
            x = left + width * (place + 1) / (len(group) + 1)
            bottom, top, low, high, mean = (
                pixel(up(np.clip(value, up.low, up.high)))
                for value in (*interval["spread"], interval["low"], interval["high"], interval["mean"])
            )
            told = f"{name}, {question}: {figure(interval['mean'])} ({figure(interval['low'])} to {figure(interval['high'])})"
            parts.append(
                f'<g class="{_colour(place)}"><title>{html.escape(told)}</title>'
                f'<line class="spread" x1="{pixel(x)}" x2="{pixel(x)}" y1="{bottom}" y2="{top}"/>'
                f'<line class="interval" x1="{pixel(x)}" x2="{pixel(x)}" y1="{low}" y2="{high}"/>'
                f'<circle cx="{pixel(x)}" cy="{mean}" r="3"/></g>'
            )
    return _figure(title, note, up, parts)


def settings(title: str, note: str, score: Mapping[str, Any]) -> str:
    """A score of every setting as a dot, and the median of each method as a stroke."""
    by_method = score["values"]
    up = _axis(score, [value for values in by_method.values() for value in values])
    parts = []
    for index, (name, values) in enumerate(by_method.items()):
        left, width = _column(index, len(by_method))
        parts += _column_of(name, left, width, index)
        across = np.random.default_rng(0).uniform(0.25, 0.75, len(values))
        dots = "".join(
            f'<circle class="dot" cx="{pixel(left + width * x)}" cy="{pixel(up(value))}" r="2.6"/>'
            for x, value in zip(across, values, strict=True)
        )
        middle, ends = pixel(up(float(np.median(values)))), [pixel(left + width * x) for x in (0.18, 0.82)]
        stroke = f'<line class="median" x1="{ends[0]}" x2="{ends[1]}" y1="{middle}" y2="{middle}"/>'
        parts.append(f'<g class="{_colour(index)}">{dots}{stroke}</g>')
    return _figure(title, note, up, parts)


def _axis(score: Mapping[str, Any], values: Sequence[float]) -> Axis:
    """Distances may be orders of magnitude apart; shares, of which more is better, begin at 0."""
    if score["arrow"] == "↑":
        return Axis(min(0.0, *values), 1.05 * max(values) or 1.0, HEIGHT - BOTTOM, TOP)
    low, high, logarithmic = value_range(np.array(values))
    return Axis(low, high, HEIGHT - BOTTOM, TOP, logarithmic)


def _column(index: int, count: int) -> tuple[float, float]:
    """Left edge and width of one of so many columns."""
    width = (WIDTH - LEFT - RIGHT) / count
    return LEFT + index * width, width


def _column_of(name: str, left: float, width: float, index: int) -> list[str]:
    """What every column has: a line before it, and its name below."""
    edge = f'<line class="between" x1="{pixel(left)}" x2="{pixel(left)}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    text = f'<text x="{pixel(left + width / 2)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{html.escape(name)}</text>'
    return [edge, text] if index else [text]


def _figure(title: str, note: str, up: Axis, parts: Sequence[str]) -> str:
    lines = []
    for value in ticks(up.low, up.high, 5, up.logarithmic):
        height = pixel(up(value))
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{height}" dy="0.32em" text-anchor="end">{value:.4g}</text>')
    bottom = HEIGHT - BOTTOM
    lines.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    named = html.escape(title)
    return (
        f'<figure class="chart"><figcaption><h3>{named}</h3></figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT - 14}" '
        f'role="img" aria-label="{named}">{"".join((*lines, *parts))}</svg><p>{html.escape(note)}</p></figure>'
    )


def _colour(index: int) -> str:
    return f"c{index % COLOURS}"
