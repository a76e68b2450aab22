"""`gan-jax train --data=... --preset=...`: a config made from what the data are, with a reason for each value picked.

A preset is a file in `configs/presets` with `get_config(facts) -> ConfigDict` and REASONS, `{field: why}` for the values
that its rules pick.
"""

import dataclasses
import difflib
import hashlib
import itertools
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict, config_dict

from gan_jax import config as configs
from gan_jax import params
from gan_jax.data import manifest
from gan_jax.data.collection import LABELS
from gan_jax.data.files import is_image
from gan_jax.data.image import DAMAGE
from gan_jax.data.origin import Item, Origin
from gan_jax.data.shard import Options
from gan_jax.data.source import BUILT_IN, open_source
from gan_jax.data.whole import Place
from gan_jax.engine import recipe
from gan_jax.errors import ConfigError, UserError, explained, is_remote
from gan_jax.prepare import RAW, open_origin, prepare
from gan_jax.stopping import STOPPED

PRESETS = Path(__file__).resolve().parent.parent / "configs" / "presets"  # beside the package
CACHE = Path("~/.cache/gan_jax/data")
SMALLEST, LARGEST = 16, 256  # resolutions that are picked; others can be set
ENOUGH = 0.9  # share of the images that must not be enlarged
SAMPLED, RUNS = 2000, 20  # images whose sizes are looked at, in so many places of the data
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F")  # Pillow's modes
ACCEPTED = f"{', '.join(RAW.values())}, prepared:DIR, digits or polygons"

Reasons = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a preset may know of a data set and of the machine.

    Attributes:
        source, resolution, channels, num_classes, labels: the fields of these names in the config's `data`.
        examples: number of images to train on.
        devices: number of devices.
    """

    source: str
    resolution: int
    channels: int
    num_classes: int
    labels: str
    examples: int
    devices: int

    @property
    def data(self) -> dict[str, Any]:
        """The fields of the config's `data`."""
        return {name: getattr(self, name) for name in ("source", "resolution", "channels", "num_classes", "labels")}

    @property
    def snapshot(self) -> str:
        """The duration between checkpoints: ten passes over the images, between 10 and 200 kimg."""
        return f"{min(max(self.examples / 100, 10), 200):g} kimg"


def resolve(data: str, preset: str, overrides: list[str] = (), prepared: Place | None = None) -> ConfigDict:
    """The config of a preset for a data set, which is prepared first if need be; says on stderr what it picks and why.

    Args:
        data: one of `ACCEPTED`.
        preset: the name of a file in `PRESETS`.
        overrides: such as "data.resolution=64"; they win over whatever is picked.
        prepared: where to prepare the data; by default a folder of `CACHE` that is named after them.

    Raises:
        UserError: of class ConfigError if the arguments do not fit or there are fewer than two images.
        SystemExit: with 42, if the preparation was asked to stop; the same command goes on with it.
    """
    rules, wanted = load(preset), _wanted(overrides)
    word, _, argument = data.partition(":")
    if word not in (*RAW, *BUILT_IN, "prepared") or bool(argument) == (word in BUILT_IN):
        hint = f"; did you mean folder:{data}?" if os.path.isdir(os.path.expanduser(data)) else ""
        raise ConfigError(f"--data is {data!r}: expected {ACCEPTED}{hint}")
    if prepared and word not in RAW:
        raise ConfigError(f"--prepared is {prepared}, but {data} needs no preparation: leave it out")

    def build(facts: Facts) -> ConfigDict:
        config = configs.finish(rules["get_config"](facts), overrides)
        params.count(recipe.load(config))  # A resolution that networks cannot make is known before images are prepared.
        return config

    reasons: Reasons = {}
    if word in RAW:
        folder, reasons = _prepared(_absolute(word, argument), wanted, prepared, build)
        data, argument = f"prepared:{folder}", str(folder)
    shape = BUILT_IN[word] if word in BUILT_IN else manifest.read(argument).image_shape[1:]
    facts, why = _facts(data, wanted, shape)
    config = build(facts)
    reasons = why | reasons | rules.get("REASONS", {})
    title = f"preset {preset} for {facts.examples:,} images of {data} on {facts.devices} device(s):"
    print(explain(config, title, reasons, overrides), file=sys.stderr)
    return config


def load(name: str) -> dict[str, Any]:
    """What the file of a preset defines.

    Raises:
        ConfigError: there is no such preset; names all.
    """
    found = {path.stem: path for path in PRESETS.glob("*.py")}
    if name not in found:
        close = difflib.get_close_matches(name, found, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"--preset is {name!r}: expected one of {', '.join(sorted(found))}{hint}")
    return runpy.run_path(str(found[name]))


def pick_resolution(sides: np.ndarray) -> tuple[int, str]:
    """The largest power of two that nearly all of the shorter sides [n] (pixels) reach, and why."""
    for resolution in (2**n for n in range(LARGEST.bit_length() - 1, SMALLEST.bit_length() - 1, -1)):
        if (share := np.mean(sides >= resolution)) >= ENOUGH:
            most = ", and the largest that is picked" if resolution == LARGEST else ""
            return resolution, f"{share:.0%} of {len(sides):,} images looked at are at least as large{most}"
    return SMALLEST, f"the smallest that is picked; {np.mean(sides >= 2 * SMALLEST):.0%} would reach {2 * SMALLEST}"


def look(origin: Origin, split: str = "train") -> tuple[dict[str, int], Reasons]:
    """Resolution and channels for an origin, from the headers of a sample of its images, and why.

    Raises:
        UserError: none of them can be read.
    """
    sides, modes, damaged = [], [], []
    for item in _sample(origin, split):
        try:
            with item.open() as image:
                sides.append(min(image.size))
                modes.append(image.mode)
        except DAMAGE as error:
            damaged.append(f"{item.name} ({error})")
    if not sides:
        raise UserError(
            f"none of {len(damaged)} images of {origin.name} can be read, {damaged[0]} first: check the data"
        )
    resolution, why = pick_resolution(np.array(sides))
    coloured = sum(mode not in GREY for mode in modes)
    of_all = f"{coloured:,} of {len(modes):,} images looked at are in colour"
    reasons = {"data.resolution": why, "data.channels": of_all if coloured else "all images looked at are grey"}
    return {"resolution": resolution, "channels": 3 if coloured else 1}, reasons


def explain(config: ConfigDict, title: str, reasons: Reasons, overrides: list[str]) -> str:
    """The picked values, each with its reason, then all fields of the config, one per line."""
    values, given = configs.flat(config), {override.partition("=")[0] for override in overrides}
    shown = {field: f"{field} = {values[field]}" for field in reasons}
    width = max(map(len, shown.values()))
    lines = [
        f"  {text:<{width}}  {'as you set it' if field in given else reasons[field]}" for field, text in shown.items()
    ]
    rest = [f"  {field} = {value}" for field, value in sorted(values.items()) if field not in shown]
    return "\n".join([title, *lines, "and all else, each set by --config.FIELD=VALUE:", *rest])


def _wanted(overrides: list[str]) -> ConfigDict:
    """The section `data` with what the overrides say; resolution, channels and num_classes are None if they do not."""
    draft = configs.base()
    draft.update({"recipe": "", **{name: {} for name in ("model", "players", "phases", "ema")}})
    for field in ("source", "resolution", "channels"):
        del draft.data[field]
        draft.data[field] = config_dict.placeholder(str if field == "source" else int)
    section = configs.finish(draft, [override for override in overrides if override.startswith("data.")]).data
    if section.source is not None:
        raise ConfigError(f"--config.data.source is {section.source!r} beside --data: give one of them")
    return section


def _absolute(word: str, argument: str) -> str:
    """The words of a source, with the path as any folder sees it."""
    local = word != "tfds" and "://" not in argument
    return f"{word}:{os.path.abspath(os.path.expanduser(argument)) if local else argument}"


def _in_full(folder: Place) -> Place:
    """A folder as any folder sees it; that of a bucket is so already, and `absolute` would put it on disk."""
    return folder if is_remote(folder) else folder.absolute()


def _facts(source: str, wanted: ConfigDict, shape: tuple[int, int]) -> tuple[Facts, Reasons]:
    """Facts of a data set whose images have this (resolution, channels), unless the overrides want others."""
    section = ConfigDict(wanted.to_dict())
    section.update(
        {"source": source, "resolution": wanted.resolution or shape[0], "channels": wanted.channels or shape[1]}
    )
    opened = open_source(section)
    if len(opened) < 2:
        raise ConfigError(f"{opened.name} has {len(opened)} images that can be used: expected at least two")
    names = ", ".join(opened.class_names[:4]) + (", ..." if len(opened.class_names) > 4 else "")
    why = f"the classes of the data: {names}" if names else "there are no labels: a model without classes"
    if opened.label_dim:
        why = f"images have {opened.label_dim} labels each, which presets leave alone: a model without classes"
    num_classes = 0 if opened.label_dim else opened.num_classes
    facts = Facts(
        source=source,
        resolution=section.resolution,
        channels=section.channels,
        num_classes=num_classes if wanted.num_classes is None else wanted.num_classes,
        labels="vector" if opened.label_dim else "index",
        examples=len(opened),
        devices=jax.device_count(),
    )
    as_they_are = dict.fromkeys(("data.resolution", "data.channels"), "that of the prepared images")
    return facts, {**as_they_are, "data.num_classes": why}


def _prepared(
    words: str, wanted: ConfigDict, folder: Place | None, build: Callable[[Facts], ConfigDict]
) -> tuple[Place, Reasons]:
    """The folder of a prepared set, which is made unless it is there, and why it is made as it is."""
    key = _key(words, wanted)
    done = [folder] if folder else CACHE.expanduser().glob(f"*-{key}")
    with explained(folder or CACHE, "cannot be used", "choose another --prepared", ConfigError):
        finished = next((path for path in done if (path / manifest.NAME).exists()), None)
    if finished:
        if (source := manifest.read(finished).source) != words:
            raise ConfigError(f"--prepared is {finished}, which holds {source}: choose another folder for {words}")
        print(f"{words} lies prepared in {finished}", file=sys.stderr)
        return _in_full(finished), {}

    origin = open_origin(words, wanted.tfds_dir)
    if origin.splits.get("train", 0) < 2:
        raise ConfigError(f"{words} has {origin.splits} images: expected at least two of the split train")
    picked, reasons = look(origin)
    resolution, channels = wanted.resolution or picked["resolution"], wanted.channels or picked["channels"]
    num_classes = 0 if origin.label_dim else len(origin.class_names)
    build(Facts(words, resolution, channels, num_classes, "index", origin.splits["train"], jax.device_count()))

    name = re.sub(r"[^\w.]+", "_", words.rstrip("/").rpartition("/")[2].rpartition(":")[2])
    folder = _in_full(folder or CACHE.expanduser() / f"{name}-{resolution}-{key}")
    print(f"preparing {words} at {resolution} x {resolution} pixels in {folder}", file=sys.stderr)
    code, _, text = prepare(origin, Options(resolution, channels, wanted.crop, on_damaged="skip"), folder)
    print(text, file=sys.stderr)
    if code == STOPPED:
        sys.exit(STOPPED)
    return folder, reasons


def _key(words: str, wanted: ConfigDict) -> str:
    """Ten characters that change when the files change, or what is wanted of them."""
    content = hashlib.blake2b(repr((words, wanted.resolution, wanted.channels, wanted.crop)).encode(), digest_size=5)
    path = words.partition(":")[2]
    for file in sorted(_files(path)) if os.path.exists(path) else ():
        found = os.stat(file)
        content.update(repr((file, found.st_size, found.st_mtime_ns)).encode())
    return content.hexdigest()


def _files(path: str) -> Iterator[str]:
    """An archive itself, or the images and lists of labels below a folder."""
    if not os.path.isdir(path):
        yield path
    for folder, _, names in os.walk(path, followlinks=True):
        yield from (os.path.join(folder, name) for name in names if is_image(name) or name == LABELS)


def _sample(origin: Origin, split: str) -> Iterator[Item]:
    """At most `SAMPLED` items of a split, in `RUNS` places."""
    count, length = origin.splits[split], SAMPLED // RUNS
    starts = range(0, count, max(count // RUNS, length))
    runs = (origin.items(split, start, min(start + length, count)) for start in starts)
    return itertools.islice(itertools.chain.from_iterable(runs), SAMPLED)
