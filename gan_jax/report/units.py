"""Numbers as people read them."""

import math


def quantity(value: float) -> str:
    """Three digits and a unit: 950, 12.3k, 1.28M, 25M, 4.1G."""
    if not math.isfinite(value):
        return str(value)
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * factor:
            return f"{_digits(value / factor)}{unit}"
    return _digits(value)


def duration(seconds: float) -> str:
    """Two units at most: 42s, 12m 05s, 1h 02m, 3d 04h."""
    if not math.isfinite(seconds):
        return "?"
    seconds = max(0, round(seconds))
    for size, unit, smaller, smaller_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // smaller:02d}{smaller_unit}"
    return f"{seconds}s"


def figure(value: float) -> str:
    """A measured value in about four digits: 0.0123, 1.234, 123.4, 2.1e-05, 12300."""
    if value == 0 or not math.isfinite(value):
        return str(value) if value else "0"
    if 1e-3 <= abs(value) < 1e5:
        decimals = max(0, 3 - math.floor(math.log10(abs(value))))
        return f"{value:.{min(decimals, 5)}f}"
    return f"{value:.2g}"


def _digits(value: float) -> str:
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
