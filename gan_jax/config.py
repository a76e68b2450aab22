"""Experiment configs: found, overridden from the command line, checked, written to and compared with a workdir.

A config is a Python file with `get_config(argument="") -> ConfigDict`; the ConfigDict has the sections of `SECTIONS`
and is locked, so a misspelt key fails at once.
"""

import ast
import dataclasses
import difflib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from etils import epath
from ml_collections import ConfigDict, config_dict

from gan_jax.errors import ConfigError, explained
from gan_jax.metrics.settings import Settings
from gan_jax.report import watch

T = TypeVar("T")
SECTIONS = (
    "recipe",
    "model",
    "players",
    "phases",
    "ema",
    "data",
    "mesh",
    "precision",
    "train",
    "report",
    "evaluate",
    "seed",
)
DEFAULT = "configs/biggan_digits.py"
FOLDERS = {"config": "configs", "study": "configs/studies"}  # where those that are shipped lie
# Whole numbers and the smallest that makes sense; all stay below 2**32, as the seeds must.
SMALLEST = {
    "train.batch_size": 1,
    "train.microbatches": 1,
    "train.keep": 1,
    "train.max_skipped": 1,
    "data.random_crop": 0,
    "data.labelled_seed": 0,
    "data.memory": 0,
    "data.timeout": 1,
    "data.damaged_limit": 0,
    "report.rows": 1,
    "report.columns": 1,
    "evaluate.samples": 2,
    "evaluate.batch": 1,
    "evaluate.standing": 0,
    "evaluate.seed": 0,
    "seed": 0,
}
LABELS = ("index", "vector")
# What may differ when a workdir is taken up again.
FREE_ON_RESUME = (
    *("mesh.", "report.", "evaluate.", "train.collapse."),
    *(f"train.{name}" for name in ("length", "checkpoint_every", "keep", "max_skipped", "unroll", "compilation_cache")),
    *(f"data.{name}" for name in ("workers", "memory", "timeout", "damaged_limit")),
)


def load(spec: str, overrides: list[str] = ()) -> ConfigDict:
    """The config of `FILE.py` or `FILE.py:ARGUMENT`, with overrides such as "players.generator.learning_rate=1e-4".

    A relative path is looked up in the current folder, then beside the package.

    Raises:
        ConfigError: no such file, not a config, or an override that does not fit.
    """
    return finish(made(spec, "config", ConfigDict), overrides)


def made(spec: str, what: str, kind: type[T]) -> T:
    """What the function `get_WHAT` of the Python file of `FILE.py` or `FILE.py:ARGUMENT` returns.

    Raises:
        ConfigError: as `load`; `what` is also the name of the option that gave `spec`.
    """
    name, _, argument = spec.partition(":")
    path = _find(name, what)
    module_spec = importlib.util.spec_from_file_location(f"gan_jax_{what}_{path.stem}", path)
    module = importlib.util.module_from_spec(module_spec)
    try:
        # Not by the bytecode that Python keeps: it takes a file of the same size and second for the same.
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
        get = getattr(module, f"get_{what}")
        found = get(argument) if argument else get()
    except ConfigError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{path} is no usable {what} (get_{what} with argument {argument!r}): {problem}") from error
    if not isinstance(found, kind):
        raise ConfigError(f"{path}: get_{what} returned {type(found).__name__}: expected a {kind.__name__}")
    return found


def check_argument(argument: str, *known: str) -> None:
    """Raises ConfigError unless the argument of a config is one that it knows, or empty."""
    if argument and argument not in known:
        raise ConfigError(f"the config's argument is {argument!r}: expected {' or '.join(known)}, or none")


def base() -> ConfigDict:
    """The sections that most experiments share; a config sets the rest and what it wants otherwise.

    Durations are text, such as "1000 steps", "500 kimg" or "20 epochs". `train.unroll` None writes loops over
    microbatches and repeats out on CPU and scans them elsewhere. `train.compilation_cache` is a folder for compiled
    programs, "" for none. `data.num_classes` None takes it from the data; `data.labelled` None leaves every label;
    `data.identity` is filled in when a run begins.
    """
    return ConfigDict(
        {
            "data": {
                "source": "digits",
                "resolution": 32,
                "channels": 3,
                "num_classes": config_dict.placeholder(int),
                "labels": "index",
                "labelled": config_dict.placeholder(int),
                "labelled_seed": 0,
                "labelled_half": False,
                "crop": "center",
                "flip": False,
                "random_crop": 0,
                "workers": config_dict.placeholder(int),
                "memory": 1024,
                "timeout": 300,
                "damaged_limit": 10,
                "tfds_dir": config_dict.placeholder(str),
                "count": config_dict.placeholder(int),
                "identity": config_dict.placeholder(str),
            },
            "mesh": {"axes": ("data",), "shape": (-1,), "rules": ()},
            "precision": {"compute": "float32"},
            "train": {
                "length": "1000 steps",
                "batch_size": 64,
                "microbatches": 1,
                "unroll": config_dict.placeholder(bool),
                "checkpoint_every": "1000 steps",
                "keep": 3,
                "max_skipped": 25,
                "collapse": dataclasses.asdict(watch.Settings()),
                "compilation_cache": "~/.cache/gan_jax",
            },
            "report": {
                "every": "100 steps",
                "samples_every": "1000 steps",
                "rows": 10,
                "columns": 10,
                "tensorboard": True,
                "profile": "",
            },
            "evaluate": {
                "metrics": (),
                "at_start": False,
                "every": "",
                "best": "",
                "samples": 1000,
                "batch": 256,
                "seed": 0,
                "averaged": True,
                "standing": 0,
                "truncation": config_dict.placeholder(float),
                "labels": "balanced",
                "reference": "",
                "reference_count": config_dict.placeholder(int),
                "weights": "~/.cache/gan_jax/weights",
                "cache": "~/.cache/gan_jax/references",
                "settings": dataclasses.asdict(Settings()),
            },
            "seed": 0,
        }
    )


def finish(config: ConfigDict, overrides: list[str] = ()) -> ConfigDict:
    """Checks the sections, applies overrides, checks whole numbers and locks.

    Raises:
        ConfigError: a section or field is missing, unknown or out of range.
    """
    missing, unknown = set(SECTIONS) - set(config), set(config) - set(SECTIONS)
    if missing or unknown:
        raise ConfigError(f"the config lacks sections {sorted(missing)} and has unknown ones {sorted(unknown)}")
    _separate(config.players, freeze=())  # see engine.freezing
    _separate(config.model)
    for override in overrides:
        key, _, text = override.partition("=")
        _set(config, key, text)
    values = flat(config)
    if absent := [name for name in flat(base()) if name not in values]:
        raise ConfigError(
            f"the config lacks config.{absent[0]}: begin with gan_jax.config.base() and change sections by "
            "config.SECTION.update({...}) instead of replacing them"
        )
    for name, smallest in SMALLEST.items():
        value = values[name]
        if type(value) is not int or not smallest <= value < 2**32:
            raise ConfigError(
                f"config.{name} is {value!r}: expected a whole number of at least {smallest}, below 2**32"
            )
    if values["data.labels"] not in LABELS:
        raise ConfigError(f"config.data.labels is {values['data.labels']!r}: expected one of {', '.join(LABELS)}")
    return config.lock()


def read(workdir: epath.Path, overrides: list[str] = ()) -> ConfigDict:
    """The resolved config of a workdir; fields that an older version did not know have their defaults.

    Raises:
        ConfigError: the folder has no readable config.json.
    """
    path = epath.Path(workdir) / "config.json"
    trouble = "is no workdir: its config.json cannot be read"
    with explained(workdir, trouble, "make one with gan-jax train", ConfigError):
        content = path.read_bytes()
    try:
        values = json.loads(content)
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds {type(values).__name__}: expected the sections of a config")
    return finish(ConfigDict(_filled(_lists_to_tuples(values), base().to_dict())), overrides)


def _filled(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The sections of a workdir with the fields that an older version did not know yet, at their defaults."""
    filled = dict(values)
    for name, default in defaults.items():
        if name not in values:
            filled[name] = default
        elif isinstance(default, dict) and isinstance(values[name], dict):
            filled[name] = _filled(values[name], default)
    return filled


def to_json(config: ConfigDict) -> str:
    """The config as it stands in a workdir.

    Raises:
        ConfigError: it holds a value that JSON has not, such as a function.
    """
    try:
        return json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n"
    except TypeError as error:
        raise ConfigError(f"the config can hold numbers, text, lists and sections only: {error}") from error


def flat(config: ConfigDict) -> dict[str, Any]:
    """`{"players.generator.learning_rate": value, ...}` with JSON's types: tuples become lists. Empty sections fall away."""
    return {name: value for name, value in leaves(json.loads(to_json(config))).items() if value != {}}


def leaves(sections: Mapping[str, Any]) -> dict[str, Any]:
    """What nested sections of JSON hold, by dotted names; a section with nothing in it is a leaf."""
    found: dict[str, Any] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{name}.{key}" if name else key, inner)
        else:
            found[name] = value

    walk("", sections)
    return found


def changes(old: ConfigDict, new: ConfigDict) -> list[str]:
    """One text for every field that differs and must not differ on resume."""
    before, after = flat(old), flat(new)
    return [
        f"config.{key} is {after.get(key, 'absent')!r} but {before.get(key, 'absent')!r} in the workdir"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and not (key.startswith(FREE_ON_RESUME) or key.endswith(".remat"))
    ]


def _find(name: str, what: str) -> Path:
    beside_package = Path(__file__).resolve().parent.parent
    for path in (Path(name).resolve(), beside_package / name):
        if path.is_file():
            return path
    shipped = {path.stem: path for path in beside_package.joinpath(FOLDERS[what]).glob("*.py")}
    close = difflib.get_close_matches(Path(name).stem, shipped)
    hint = f"; did you mean {shipped[close[0]].relative_to(beside_package)}?" if close else ""
    raise ConfigError(f"--{what}: there is no file {name}{hint}")


def _separate(section: ConfigDict, **defaults: Any) -> None:
    """Gives every part of a section a section of its own, with these defaults.

    Two names may stand for one in a file, but an override is for one of them.
    """
    for name, part in section.items():
        if isinstance(part, ConfigDict):
            section[name] = ConfigDict({**defaults, **part.to_dict(preserve_field_references=True)})


def _set(config: ConfigDict, key: str, text: str) -> None:
    *parents, last = key.split(".")
    node: Any = config
    for parent in parents:
        node = node.get(parent) if isinstance(node, ConfigDict) and parent in node else None
    if not isinstance(node, ConfigDict) or last not in node:
        close = difflib.get_close_matches(key, list(flat(config)), n=1, cutoff=0.5)
        hint = f"; did you mean --config.{close[0]}?" if close else ""
        raise ConfigError(f"--config.{key}: the config has no such field{hint}")
    old = node[last]
    if isinstance(old, ConfigDict):
        raise ConfigError(f"--config.{key} is a section with fields {sorted(old)}: set one of them")
    expected = node.get_type(last)
    value = _parse(text, expected)
    try:
        node[last] = value
    except (TypeError, ValueError) as error:
        raise ConfigError(f"--config.{key}: {text!r} is no {expected.__name__} (it was {old!r})") from error


def _parse(text: str, expected: type) -> Any:
    if expected is str:
        return text
    if expected is tuple and text.lower() == "none":
        return ()
    if text.lower() in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if expected is tuple and not isinstance(value, tuple):
        value = tuple(value) if isinstance(value, list) else (value,)
    return value


def _lists_to_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists_to_tuples(inner) for key, inner in value.items()}
    return tuple(_lists_to_tuples(inner) for inner in value) if isinstance(value, list) else value
