"""Numbers of the config section `phases` that must lie within a range."""

import math
from collections.abc import Mapping
from typing import Any

from gan_jax.errors import ConfigError


def check(
    section: Mapping[str, Any], *names: str, least: float = 0, most: float = math.inf, whole: bool = False
) -> None:
    """Refuses what is not a finite number, or a `whole` one, from `least` to `most`.

    A number that changes, see `engine.durations.at`, has two ends.

    Raises:
        ConfigError: one of the section's fields with these names is not.
    """
    for name in names:
        ends = section[name]
        if hasattr(ends, "keys") and (missing := {"start", "end", "until"} - set(ends)):
            raise ConfigError(
                f"config.phases.{name} has no {min(missing)}: a number that changes has start, end and until"
            )
        for value in (ends["start"], ends["end"]) if hasattr(ends, "keys") else (ends,):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            integral = not whole or isinstance(value, int)
            if not (number and integral and least <= value <= most and math.isfinite(value)):
                up_to = "or more" if math.isinf(most) else f"to {most}"
                kind = "" if integral else "a whole number, "
                raise ConfigError(f"config.phases.{name} is {value!r}: expected {kind}{least} {up_to}")
