"""Watching for collapse: signs that a GAN is coming apart, told in time to go back to before they began.

A large GAN that has trained well for days may fall apart within a few hundred steps: its discriminator wins, singular
values of its weights leap, and its images become alike (arXiv 1809.11096, section 4.2 and appendix F). Each sign is a
number of the log that leaves the range of its own recent past, and stays there: no threshold depends on the loss or on
the size of a network.
"""

import collections
import dataclasses
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from gan_jax.errors import ConfigError

ACTIONS = ("warn", "roll back", "")
LEAST = 10  # values of the past without which nothing is judged


@dataclasses.dataclass(frozen=True)
class Settings:
    """The section `train.collapse` of the config.

    Attributes:
        action: "warn", "roll back" or "" for no watch.
        window: lines of the log that are the past, whose median is what is usual.
        patience: lines in a row that a sign must last, of those that tell of it.
        gap: a sign is a mean logit of real images so many times further above that of generated ones than usual.
        loss: a discriminator's loss at less than this share of the usual one.
        norm: a largest singular value so many times the usual one.
        gradient: a player's gradient of less than this share of the usual length: it no longer learns.
        diversity: generated images that differ from each other by less than this share of the usual difference.
        rollbacks: so many times in a run it goes back; then it ends.

    Raises:
        ConfigError: `action` is none of `ACTIONS`, or the past is too short to be judged by.
    """

    action: str = "warn"
    window: int = 50
    patience: int = 3
    gap: float = 5.0
    loss: float = 0.1
    norm: float = 2.0
    gradient: float = 0.001
    diversity: float = 0.5
    rollbacks: int = 3

    def __post_init__(self):
        if self.action not in ACTIONS:
            raise ConfigError(
                f'config.train.collapse.action is {self.action!r}: expected "warn", "roll back", or "" for none'
            )
        for name, least in (("window", LEAST), ("patience", 1)):
            if (value := getattr(self, name)) < least:
                raise ConfigError(f"config.train.collapse.{name} is {value}: expected at least {least}")


@dataclasses.dataclass(frozen=True)
class Alarm:
    """Signs that have lasted.

    Attributes:
        since: the last step before they began.
        signs: sentences.
    """

    since: int
    signs: tuple[str, ...]


class Watch:
    """Sees the values of the log and says when they tell of a collapse; all processes see the same and say the same."""

    def __init__(self, settings: Settings):
        self.settings, self.active = settings, bool(settings.action)
        length = settings.window + settings.patience
        self._past: dict[str, collections.deque] = collections.defaultdict(lambda: collections.deque(maxlen=length))
        self._told: set[str] = set()

    def see(self, step: int, values: Mapping[str, float]) -> Alarm | None:
        """Takes the values of a line of the log in; an alarm where a sign is new and has lasted.

        A sign is told once, and again only after it has gone.
        """
        if not self.active:
            return None
        begun, signs = step, []
        for name, (value, low, high) in self._signs(values).items():
            past = self._past[name]
            past.append((step, value))
            usual = self._departed(past, low, high)
            if usual is None:
                self._told.discard(name)
            elif name not in self._told:
                self._told.add(name)
                begun = min(begun, past[-self.settings.patience - 1][0])
                signs.append(f"{name} is {value:.4g}, usually {usual:.4g}")
        return Alarm(begun, tuple(signs)) if signs else None

    def recall(self, lines: Sequence[Mapping[str, float | None]]) -> None:
        """Takes lines of an earlier attempt in as the past, each with its "step"; signs that it ends with were told."""
        limits = {}
        for line in lines:
            finite = {name: value for name, value in line.items() if value is not None}
            for name, (value, *limit) in self._signs(finite).items():
                self._past[name].append((line["step"], value))
                limits[name] = limit
        self._told = {name for name, limit in limits.items() if self._departed(self._past[name], *limit) is not None}

    def _signs(self, values: Mapping[str, float]) -> dict[str, tuple[float, float, float]]:
        """What is watched among the values: `{name: (value, too low below this share, too high above this many times)}`."""
        settings, found = self.settings, {}
        for name, value in values.items():
            phase, _, what = name.rpartition("/")
            if what == "real_logit" and f"{phase}/fake_logit" in values:
                found[f"the gap between the logits of {phase}"] = (
                    value - values[f"{phase}/fake_logit"],
                    -np.inf,
                    settings.gap,
                )
                if f"{phase}/loss" in values:  # where one player learns from it
                    found[f"the loss of {phase}"] = (values[f"{phase}/loss"], settings.loss, np.inf)
            elif player := what.partition("gradient_norm_")[2]:
                found[f"the gradient of {player} in {phase}"] = (value, settings.gradient, np.inf)
            elif phase == "spectral_norm":
                found[f"the largest singular value of {what}"] = (value, 0.0, settings.norm)
            elif name == "diversity":
                found["the diversity of the samples"] = (value, settings.diversity, np.inf)
        return found

    def _departed(self, past: collections.deque, low: float, high: float) -> float | None:
        """The usual value where the newest ones are all out of its range, else None."""
        values = [value for _, value in past]
        recent, before = values[-self.settings.patience :], values[: -self.settings.patience]
        if len(before) < LEAST:
            return None
        usual = statistics.median(before)
        if usual <= 0:  # a loss that is estimated as a negative number, or logits that are not ordered yet
            return None
        out = all(value < low * usual for value in recent) or all(value > high * usual for value in recent)
        return usual if out else None


def diversity(images: np.ndarray) -> float:
    """How much images [n, h, w, c] uint8 differ: the mean spread of a pixel's value over them, in [0, 128)."""
    return float(images.astype(np.float32).std(0).mean())
