"""`gan-jax inspect`: what a person wants to know of a data set before training on it."""

import collections
import functools
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from gan_jax.data import manifest
from gan_jax.data.image import DAMAGE, fit, unusual
from gan_jax.data.origin import Item, Origin
from gan_jax.data.prepared import PreparedSource
from gan_jax.data.source import BUILT_IN, decoders, open_source
from gan_jax.data.source_origin import SourceOrigin
from gan_jax.errors import ConfigError
from gan_jax.prepare import RAW, open_origin
from gan_jax.report.bar import Bar
from gan_jax.report.grid import BACKGROUND, save_grid

SHOWN = 10  # damaged images, groups of duplicates and sizes that the text names
ROWS, COLUMNS, THUMBNAIL = 12, 12, 96  # of the contact sheet; a thumbnail is at most so many pixels wide
CHUNK = 1024  # images whose decoding is under way at a time


class _Seen(NamedTuple):
    """What one image is: where and what it is, and its size, or why it cannot be read."""

    split: str
    name: str
    label: int | tuple[float, ...]
    problem: str | None = None
    size: tuple[int, int] = (0, 0)
    kind: str = ""
    unusual: str | None = None
    content: bytes = b""
    thumbnail: np.ndarray | None = None


def open_data(words: str, tfds_dir: str | None = None) -> Origin:
    """Any data set that can be trained on.

    Raises:
        ConfigError: the words cannot be used.
        UserError: the data are absent or damaged.
    """
    word, _, argument = words.partition(":")
    if words in BUILT_IN:
        resolution, channels = BUILT_IN[words]
        section = ConfigDict({"source": words, "resolution": resolution, "channels": channels})
        return SourceOrigin(words, {"train": open_source(section)})
    if word == "prepared" and argument:
        described = manifest.read(argument)
        return SourceOrigin(words, {split: PreparedSource(argument, split, described) for split in described.splits})
    if word not in RAW or not argument:
        raise ConfigError(f"--data is {words!r}: expected prepared:DIR, {', '.join(RAW.values())}, digits or polygons")
    return open_origin(words, tfds_dir, "--data")


def inspect(origin: Origin, sheet: Path) -> dict[str, Any]:
    """Decodes every image once, shows on stderr how far it is, and says what there is.

    Args:
        origin: the data set.
        sheet: where the contact sheet goes, a PNG file.

    Returns:
        A JSON-ready record: `name`, `splits` (images and images per class), `sizes` ("WIDTHxHEIGHT" -> images), `kinds`
        (such as "JPEG RGB" -> images), `unusual` (reason -> images), `damaged` (lists of name and problem),
        `duplicates` (groups of images with the same pixels, with their labels), `contact_sheet`.

    Raises:
        UserError: the contact sheet cannot be written.
    """
    tally, thumbnails = _Tally(origin), _Thumbnails(origin)
    bar = Bar(sum(origin.splits.values()), 0)
    for done, seen in enumerate(_look(origin, thumbnails), start=1):
        bar.update(done)
        tally.add(seen)
        if not seen.problem:
            thumbnails.add(seen, _names(origin, seen.label))
    bar.close()
    return {"name": origin.name, **tally.record(), "contact_sheet": thumbnails.save(sheet)}


class _Tally:
    """Counts of what was seen."""

    def __init__(self, origin: Origin):
        self._origin = origin
        self._splits = {
            split: {"images": count, "classes": dict.fromkeys(origin.class_names, 0)}
            for split, count in origin.splits.items()
        }
        self._sizes, self._kinds, self._unusual = (collections.Counter() for _ in range(3))
        self._damaged, self._contents = [], collections.defaultdict(list)

    def add(self, seen: _Seen) -> None:
        image = f"{seen.split} {seen.name}"
        if seen.problem:
            self._damaged.append({"image": image, "problem": seen.problem})
            return
        names = _names(self._origin, seen.label)
        for name in names:
            self._splits[seen.split]["classes"][name] += 1
        self._sizes["{}x{}".format(*seen.size)] += 1
        self._kinds[seen.kind] += 1
        if seen.unusual:
            self._unusual[seen.unusual] += 1
        self._contents[seen.content].append({"image": image, "label": ", ".join(names)})

    def record(self) -> dict[str, Any]:
        return {
            "splits": self._splits,
            "sizes": dict(self._sizes.most_common()),
            "kinds": dict(self._kinds.most_common()),
            "unusual": dict(self._unusual.most_common()),
            "damaged": self._damaged,
            "duplicates": [group for group in self._contents.values() if len(group) > 1],
        }


class _Thumbnails:
    """Some images of each class, or of all if there are no classes or several labels per image: the contact sheet."""

    def __init__(self, origin: Origin):
        names = () if origin.label_dim else origin.class_names
        shown = np.unique(np.linspace(0, len(names) - 1, min(len(names), ROWS)).round().astype(int)) if names else ()
        self._rows: dict[str, list[np.ndarray]] = {names[index]: [] for index in shown} or {"": []}
        self._length = COLUMNS if names else ROWS * COLUMNS

    @property
    def full(self) -> bool:
        return all(len(row) >= self._length for row in self._rows.values())

    def add(self, seen: _Seen, names: list[str]) -> None:
        row = self._rows.get("" if "" in self._rows else names[0] if names else None)
        if row is not None and len(row) < self._length and seen.thumbnail is not None:
            row.append(seen.thumbnail)

    def save(self, path: Path) -> str | None:
        """Writes the sheet, its thumbnails scaled to the size of the largest; returns its path, None if it is empty."""
        rows = {name: images for name, images in self._rows.items() if images}
        if not rows:
            return None
        width = max(len(image) for images in rows.values() for image in images)
        columns = min(COLUMNS, max(len(images) for images in rows.values()))
        blank, sheet = np.full((width, width, 3), BACKGROUND, np.uint8), []
        for images in rows.values():
            resized = (Image.fromarray(image).resize((width, width), Image.Resampling.LANCZOS) for image in images)
            sheet += [*map(np.asarray, resized), *[blank] * (-len(images) % columns)]
        return str(save_grid(path, np.stack(sheet), columns, None if "" in rows else list(rows)))


def _look(origin: Origin, thumbnails: _Thumbnails) -> Iterator[_Seen]:
    """Every image of every split, decoded by threads a chunk ahead at most."""
    for split, count in origin.splits.items():
        items = origin.items(split, 0, count)
        while chunk := list(itertools.islice(items, CHUNK)):
            examine = functools.partial(_examine, split, wanted=not thumbnails.full)
            yield from decoders().map(examine, chunk)


def _examine(split: str, item: Item, wanted: bool) -> _Seen:
    try:
        image = item.open()
        kind = " ".join(filter(None, (image.format, image.mode)))
        reason, size = unusual(image), image.size
        content = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
        content.update(repr((image.mode, size, image.getpalette())).encode())
        thumbnail = fit(image, min(THUMBNAIL, *size), 3) if wanted else None
    except DAMAGE as error:
        return _Seen(split, item.name, item.label, problem=str(error))
    return _Seen(split, item.name, item.label, None, size, kind, reason, content.digest(), thumbnail)


def _names(origin: Origin, label: int | tuple[float, ...]) -> list[str]:
    """The class of an image, or all labels that it has."""
    if origin.label_dim:
        return [name for name, value in zip(origin.class_names, label, strict=True) if value]
    return [origin.class_names[label]] if label >= 0 else []


def as_text(record: dict[str, Any]) -> str:
    """The record for people."""
    lines = [record["name"]]
    for split, content in record["splits"].items():
        counts = content["classes"]
        lines.append(f"  {split}: {content['images']:,} images" + (f" in {len(counts)} classes" if counts else ""))
        if counts:
            few, many = min(counts, key=counts.get), max(counts, key=counts.get)
            lines.append(f"    fewest: {few} ({counts[few]:,}), most: {many} ({counts[many]:,})")
    lines.append("sizes: " + _some(record["sizes"]))
    lines.append("kinds: " + _some(record["kinds"]))
    if record["unusual"]:
        lines.append("converted when read: " + _some(record["unusual"]))
    damaged, groups = record["damaged"], record["duplicates"]
    lines.append(f"damaged: {len(damaged):,}")
    lines += [f"  {found['image']}: {found['problem']}" for found in damaged[:SHOWN]]
    lines.append(f"duplicates: {sum(len(group) - 1 for group in groups):,} images have the pixels of another")
    for name, count in (
        ("across splits", _spread(groups, "split")),
        ("with different labels", _spread(groups, "label")),
    ):
        if count:
            lines.append(f"  {count:,} groups {name}")
    lines += ["  " + " = ".join(f"{member['image']}" for member in group[:4]) for group in groups[:SHOWN]]
    if record["contact_sheet"]:
        lines.append(f"contact sheet: {record['contact_sheet']}")
    return "\n".join(lines)


def _spread(groups: list, what: str) -> int:
    """In how many groups of duplicates the members differ in their split or their label."""

    def of(member: dict[str, str]) -> str:
        return member["image"].partition(" ")[0] if what == "split" else member["label"]

    return sum(len({of(member) for member in group}) > 1 for group in groups)


def _some(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{name} ({count:,})" for name, count in itertools.islice(counts.items(), SHOWN))
    return shown + (f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else "") if shown else "none"
