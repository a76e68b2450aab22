"""Curves over training as inline SVG, without a plotting library."""

import dataclasses
import html
import math
from collections.abc import Sequence

import numpy as np

from gan_jax.report.units import figure, quantity

WIDTH, HEIGHT = 560, 254
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 10, 44
POINTS = 500  # at most, per series
MARKED = 30  # series this short are drawn with a dot at every point, and not smoothed
COLOURS = 8  # the style sheet has that many
LOGARITHMIC_ABOVE = 50  # ratio of the largest to the smallest value


@dataclasses.dataclass(frozen=True)
class Series:
    """One curve: name, x (finite, ascending) and y (NaN where a value was infinite or undefined), float64 [n]."""

    name: str
    x: np.ndarray
    y: np.ndarray


@dataclasses.dataclass(frozen=True)
class Axis:
    """Maps values to pixels, linearly or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, values: np.ndarray | float) -> np.ndarray:
        low, high, values = self.low, self.high, np.asarray(values, np.float64)
        if self.logarithmic:
            low, high, values = math.log10(low), math.log10(high), np.log10(values)
        return self.start + (values - low) / (high - low) * (self.end - self.start)


def chart(title: str, series: Sequence[Series], x_label: str) -> str:
    """A `<figure>`: title, legend with the last values, and the curves, raw values faint and smoothed ones strong.

    The vertical axis is logarithmic when all values are positive and far apart. It leaves out stray values (the
    curve is cut off at the edge) and a note says how many; another note counts the infinite and undefined ones.
    """
    series = [curve for curve in series if len(curve.x)]
    values = np.concatenate([curve.y[np.isfinite(curve.y)] for curve in series]) if series else np.empty(0)
    undefined = sum(int(np.sum(~np.isfinite(curve.y))) for curve in series)
    low, high, logarithmic = value_range(values)
    outside = int(np.sum((values < low) | (values > high)))
    first, last = min((c.x[0] for c in series), default=0.0), max((c.x[-1] for c in series), default=1.0)
    x_axis = Axis(min(0.0, first), last if last > min(0.0, first) else 1.0, LEFT, WIDTH - RIGHT)
    y_axis = Axis(low, high, HEIGHT - BOTTOM, TOP, logarithmic)

    legend = "".join(
        f'<li><i class="c{index % COLOURS}"></i>{html.escape(curve.name)} <b>{figure(float(curve.y[-1]))}</b></li>'
        for index, curve in enumerate(series)
    )
    notes = []
    if outside:
        notes.append(f"<p>values outside: {outside:,} of {values.size:,}</p>")
    if undefined:
        notes.append(f'<p class="bad">infinite or undefined values: {undefined:,}</p>')
    return (
        f'<figure class="chart"><figcaption><h3>{html.escape(title)}</h3><ul class="legend">{legend}</ul></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)} over {html.escape(x_label)}">'
        f"{grid(x_axis, y_axis, x_label)}"
        f"{''.join(_curve(curve, f'c{index % COLOURS}', x_axis, y_axis) for index, curve in enumerate(series))}"
        f"</svg>{''.join(notes)}</figure>"
    )


def value_range(values: np.ndarray) -> tuple[float, float, bool]:
    """(low, high, logarithmic) of a vertical axis for finite values [n]: all of them, save rare ones far away."""
    if not values.size:
        return 0.0, 1.0, False
    logarithmic = bool(values.min() > 0 and np.percentile(values, 99) > LOGARITHMIC_ABOVE * np.percentile(values, 1))
    scaled = np.log10(values) if logarithmic else values
    bottom, top = np.percentile(scaled, [1, 99])
    spread = max(top - bottom, 1e-3 * max(abs(top), abs(bottom)), 1e-12)
    low = scaled.min() if scaled.min() >= bottom - spread else bottom - 0.25 * spread
    high = scaled.max() if scaled.max() <= top + spread else top + 0.25 * spread
    margin = 0.05 * max(high - low, spread)
    if high - low < 1e-9 * max(abs(high), 1e-12):  # a constant
        margin = 0.5 * abs(high) or 1.0
    low, high = float(low - margin), float(high + margin)
    return (10**low, 10**high, True) if logarithmic else (low, high, False)


def ticks(low: float, high: float, count: int, logarithmic: bool = False) -> list[float]:
    """About `count` round values from low to high: multiples of 1, 2 or 5 times a power of ten."""
    if logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        every = max(1, round(len(decades) / count))
        factors = (1, 2, 5) if len(decades) <= 3 else (1,)
        candidates = [factor * 10.0**decade for decade in decades[::every] for factor in factors]
    else:
        rough = (high - low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        candidates = [index * step for index in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [value for value in candidates if low <= value <= high]


def thin(x: np.ndarray, y: np.ndarray, points: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most `points` of the points: the lowest and the highest of each of points/2 runs, so that spikes remain."""
    if len(x) <= points:
        return x, y
    chosen = []
    for run in np.array_split(np.arange(len(x)), points // 2):
        finite = run[np.isfinite(y[run])]
        extremes = {finite[np.argmin(y[finite])], finite[np.argmax(y[finite])]} if finite.size else {run[0]}
        chosen += sorted(extremes)
    return x[chosen], y[chosen]


def smooth(x: np.ndarray, y: np.ndarray, points: int = POINTS // 2) -> tuple[np.ndarray, np.ndarray]:
    """Means of at most `points` runs, then a centred moving average over 1/20 of them; NaN where a run has no value."""
    runs = np.array_split(np.arange(len(x)), min(points, len(x)))
    means = np.array([np.mean(y[run][np.isfinite(y[run])]) if np.isfinite(y[run]).any() else np.nan for run in runs])
    known = np.isfinite(means)
    window = np.ones(2 * (len(runs) // 40) + 1)
    total = np.convolve(np.where(known, means, 0.0), window, "same")
    weight = np.convolve(known.astype(float), window, "same")
    averages = np.divide(total, weight, out=np.full(len(runs), np.nan), where=weight > 0)
    return np.array([x[run].mean() for run in runs]), np.where(known, averages, np.nan)


def _curve(curve: Series, colour: str, x_axis: Axis, y_axis: Axis) -> str:
    if len(curve.x) <= MARKED:
        dots = "".join(
            f'<circle class="{colour}" cx="{pixel(x_axis(x))}" cy="{pixel(y_axis(y))}" r="2.6"/>'
            for x, y in zip(curve.x, curve.y, strict=True)
            if y_axis.low <= y <= y_axis.high
        )
        return _path(curve.x, curve.y, f"{colour} smooth", x_axis, y_axis) + dots
    inside = np.clip(curve.y, y_axis.low, y_axis.high)  # a stray value would drag the average along
    raw = _path(*thin(curve.x, curve.y), f"{colour} raw", x_axis, y_axis)
    return raw + _path(*smooth(curve.x, inside), f"{colour} smooth", x_axis, y_axis)


def _path(x: np.ndarray, y: np.ndarray, style: str, x_axis: Axis, y_axis: Axis) -> str:
    """A line with gaps where y is NaN, cut off at the edges of the axis."""
    commands, pen = [], "M"
    across, up = x_axis(x), y_axis(np.clip(y, y_axis.low, y_axis.high))
    for left, top in zip(across, up, strict=True):
        if math.isfinite(top):
            commands.append(f"{pen}{pixel(left)} {pixel(top)}")
            pen = "L"
        else:
            pen = "M"
    return f'<path class="{style}" d="{"".join(commands)}"/>'


def grid(x_axis: Axis, y_axis: Axis, x_label: str) -> str:
    """Lines and figures of both axes as SVG."""
    parts = []
    for value in ticks(y_axis.low, y_axis.high, 5, y_axis.logarithmic):
        height = pixel(y_axis(value))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{height}" dy="0.32em" text-anchor="end">{_tick_label(value)}</text>')
    bottom = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    for value in ticks(x_axis.low, x_axis.high, 6):
        parts.append(
            f'<text x="{pixel(x_axis(value))}" y="{bottom + 16}" text-anchor="middle">{_tick_label(value)}</text>'
        )
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{html.escape(x_label)}</text>')
    return "".join(parts)


def _tick_label(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e3:
        return f"{value:.4g}"
    return quantity(value) if abs(value) >= 1e3 else f"{value:.3g}".replace("e-0", "e-")


def pixel(value: float | np.ndarray) -> str:
    """A coordinate in SVG, to a tenth of a pixel."""
    return f"{float(value):.1f}".removesuffix(".0")
