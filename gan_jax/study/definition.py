"""What a study is: methods, the space of their settings, how many are drawn, and the runs that follow from that.

A study file is Python with `get_study(argument="") -> Study`. Settings are drawn from (the study's seed, the method, the
number of the sample, the field) alone, so that a study goes on where it was stopped, and more samples leave those before
as they are.
"""

import dataclasses
import fnmatch
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gan_jax import config as configs
from gan_jax.errors import ConfigError
from gan_jax.report.scores import better

EXTENDABLE = ("samples", "seeds", "repeats", "budgets", "scores")  # may differ when a study is taken up again


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Numbers from `low` to `high`, all alike."""

    low: float
    high: float

    def draw(self, random: np.random.Generator) -> float:
        return float(random.uniform(self.low, self.high))


@dataclasses.dataclass(frozen=True)
class LogUniform:
    """Numbers from `low` to `high` above 0, all orders of magnitude alike."""

    low: float
    high: float

    def draw(self, random: np.random.Generator) -> float:
        return float(np.exp(random.uniform(np.log(self.low), np.log(self.high))))


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some values, all alike."""

    values: tuple[Any, ...]

    def draw(self, random: np.random.Generator) -> Any:
        return self.values[int(random.integers(len(self.values)))]


Distribution = Uniform | LogUniform | Choice
Space = Mapping[str, Distribution]  # by field of the config; * stands for any part, and all that match get one value


@dataclasses.dataclass(frozen=True)
class Method:
    """One of the methods that are compared.

    Attributes:
        config: "FILE.py" or "FILE.py:ARGUMENT", as for --config.
        overrides: values of fields of that config.
        space: what is drawn for this method, beside the study's own space.
    """

    config: str
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    space: Space = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: a method, the number of a sample of its space, a seed, and the overrides that these make."""

    method: str
    sample: int
    seed: int
    config: str
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.method}-{self.sample:03d}-{self.seed}"


@dataclasses.dataclass(frozen=True)
class Study:
    """A comparison.

    Attributes:
        title: for the report.
        methods: by name, of letters, digits, _ and -.
        scores: what is compared, {name in the evaluations: name for people}. By the first the best settings are chosen.
        samples: settings drawn for each method.
        budgets: numbers of settings that a search may try; at most half the samples, as more cannot be estimated.
        space: what is drawn for every method.
        overrides: values of fields of every method's config.
        seeds: trainings of every setting; its score is their mean.
        repeats: further trainings of each method's best setting, by seeds that the choice has not seen.
        seed: of the draws.
    """

    title: str
    methods: Mapping[str, Method]
    scores: Mapping[str, str]
    samples: int
    budgets: tuple[int, ...]
    space: Space = dataclasses.field(default_factory=dict)
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seeds: int = 1
    repeats: int = 0
    seed: int = 0

    def __post_init__(self):
        for name in ("samples", "seeds"):
            if getattr(self, name) < 1:
                raise ConfigError(f"the study's {name} is {getattr(self, name)}: expected 1 or more")
        if self.repeats < 0 or self.repeats == 1:
            raise ConfigError(f"the study's repeats is {self.repeats}: expected 0, or 2 or more for an interval")
        if not self.methods or not self.scores:
            raise ConfigError("the study has no methods or no scores: expected one of each at least")
        for name in self.methods:
            if not re.fullmatch(r"[\w-]+", name):
                raise ConfigError(f"the study has a method {name!r}: expected letters, digits, _ and -")
        for name in self.scores:
            if not better(name):
                raise ConfigError(
                    f"the study compares {name!r}, of which it is not known whether less or more is better"
                )
        if not self.budgets or not all(1 <= budget <= max(self.samples // 2, 1) for budget in self.budgets):
            raise ConfigError(
                f"the study's budgets are {tuple(self.budgets)} of {self.samples} samples: expected numbers from 1 to "
                f"{max(self.samples // 2, 1)}, half the samples, as a search of more cannot be estimated from so few"
            )

    @property
    def first_score(self) -> str:
        return next(iter(self.scores))


def load(spec: str) -> Study:
    """The study of `FILE.py` or `FILE.py:ARGUMENT`.

    Raises:
        ConfigError: there is no such file, or it is no study.
    """
    return configs.made(spec, "study", Study)


def searches(study: Study) -> Iterator[Run]:
    """The runs of the search: of the first sample of every method, then of the second, and so on.

    Raises:
        ConfigError: a field that a method's config does not have, or that is both fixed and drawn.
    """
    fields = {name: _fields(study, name) for name in study.methods}
    for sample in range(study.samples):
        for name in study.methods:
            for seed in range(study.seeds):
                yield _run(study, name, sample, seed, fields[name])


def repeats(study: Study, best: Mapping[str, int]) -> Iterator[Run]:
    """The further runs of every method's best sample, with seeds that no search has had."""
    for index in range(study.repeats):
        for name, sample in best.items():
            yield _run(study, name, sample, study.seeds + index, _fields(study, name))


def draw(study: Study, method: str, sample: int) -> dict[str, Any]:
    """The setting of a method with this number: {field, maybe with *: value}."""
    space = {**study.space, **study.methods[method].space}
    return {
        field: distribution.draw(np.random.default_rng([study.seed, _number(method), sample, _number(field)]))
        for field, distribution in space.items()
    }


def as_json(study: Study) -> dict[str, Any]:
    """All that a study's runs depend on, its methods' configs included, with JSON's types.

    Raises:
        ConfigError: a config that cannot be loaded.
    """
    described = json.loads(json.dumps(study, default=_described))
    for name, method in study.methods.items():
        described["methods"][name]["resolved"] = configs.flat(configs.load(method.config))
    return described


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """A text for everything that differs between two studies as JSON, and may not.

    Fields of configs that an older version did not know had what are their defaults now.
    """
    default = {
        f"methods.{name}.resolved.{k}": v for name in old["methods"] for k, v in configs.flat(configs.base()).items()
    }
    before, after = {**default, **configs.leaves(old)}, {**default, **configs.leaves(new)}
    return [
        f"{name} is {after.get(name, 'absent')!r} but {before.get(name, 'absent')!r} there"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name) and name.partition(".")[0] not in EXTENDABLE
    ]


def _run(study: Study, method: str, sample: int, seed: int, fields: Mapping[str, Sequence[str]]) -> Run:
    chosen = study.methods[method]
    values = {**study.overrides, **chosen.overrides}
    for pattern, value in draw(study, method, sample).items():
        values |= dict.fromkeys(fields[pattern], value)
    overrides = [f"{field}={value}" for field, value in {**values, "seed": seed}.items()]
    return Run(method, sample, seed, chosen.config, tuple(overrides))


def _fields(study: Study, method: str) -> dict[str, list[str]]:
    """The fields of a method's config that every entry of its space stands for."""
    known = configs.flat(configs.load(study.methods[method].config))
    found = {}
    for pattern in {**study.space, **study.methods[method].space}:
        found[pattern] = fnmatch.filter(known, pattern)
        if not found[pattern]:
            raise ConfigError(
                f"the study draws {pattern!r} for {method}: {study.methods[method].config} has no such field"
            )
        if fixed := sorted({*study.overrides, *study.methods[method].overrides}.intersection(found[pattern])):
            raise ConfigError(f"the study draws {pattern!r} for {method}, of which {fixed[0]} is among the overrides")
    return found


def _number(text: str) -> int:
    return zlib.crc32(text.encode())


def _described(value: Any) -> Any:
    """What JSON has no form for: a part of a study, with the name of its kind."""
    return {"is": type(value).__name__, **{f.name: getattr(value, f.name) for f in dataclasses.fields(value)}}
