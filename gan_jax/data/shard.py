"""One shard of a preparation: what a process does in one go, and what is there whole or not at all."""

import contextlib
import dataclasses
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data import records
from gan_jax.data.image import CROPS, DAMAGE, TooSmall, fit, unusual
from gan_jax.data.manifest import PROGRESS
from gan_jax.data.origin import Item, Origin
from gan_jax.data.whole import Place, partial, put, put_json
from gan_jax.errors import ConfigError, UserError, explained, is_remote

DATASET = "images"  # what TensorFlow Datasets calls every prepared set


@dataclasses.dataclass(frozen=True)
class Options:
    """How images become records.

    Attributes:
        resolution: pixels of a side.
        channels: 1 (grey) or 3 (colour).
        crop: one of `data.image.CROPS`.
        on_damaged: "fatal" or "skip", for images that cannot be read.
        on_unusual: "convert", "skip" or "fatal", for images that are not plain 8-bit RGB or grey.

    Raises:
        ConfigError: resolution, channels or crop cannot be used.
    """

    resolution: int
    channels: int
    crop: str = "center"
    on_damaged: str = "fatal"
    on_unusual: str = "convert"

    def __post_init__(self):
        if self.resolution < 1:
            raise ConfigError(f"--resolution is {self.resolution}: expected a positive number of pixels")
        if self.channels not in (1, 3):
            raise ConfigError(f"--channels is {self.channels}: expected 1 (grey) or 3 (colour)")
        if self.crop not in CROPS:
            raise ConfigError(f"--crop is {self.crop!r}: expected one of {', '.join(CROPS)}")


@dataclasses.dataclass(frozen=True)
class Task:
    """Items start .. stop - 1 of a split, which become shard `number` of its `shards`."""

    split: str
    number: int
    shards: int
    start: int
    stop: int

    @property
    def file(self) -> str:
        return f"{DATASET}-{self.split}.array_record-{self.number:05d}-of-{self.shards:05d}"


class Stopped(Exception):
    """The preparation was asked to stop while a shard was being written."""


class ShardWriter:
    """Writes shards of an origin into a folder.

    Args:
        origin, options, folder: what to write, how, where; the folder may be in a bucket.
        tick: called for every image that is done; raises `Stopped` to give the shard up.
    """

    def __init__(self, origin: Origin, options: Options, folder: Place, tick: Callable[[], None]):
        self.origin, self.options, self.folder, self.tick = origin, options, folder, tick

    def write(self, task: Task) -> None:
        """Writes a shard and then, beside the preparation's options, the report that it is complete.

        Raises:
            UserError: an image is damaged or unusual and that is fatal, the disk is full, or the bucket refuses.
            Stopped: `tick` said so.
        """
        path = self.folder / task.file
        for left_over in () if is_remote(path) else self.folder.glob(f"{task.file}.*.partial"):
            left_over.unlink(missing_ok=True)
        with partial(path) as local:
            report = self._write_records(local, task)
            with _explained(path):
                report["bytes"] = local.stat().st_size
                with open(local, "rb") as file:
                    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
                report["hash"] = digest.hexdigest()
                put(local, path)
                put_json(self.folder / PROGRESS / f"{task.file}.json", report)

    def _write_records(self, path: Path, task: Task) -> dict[str, Any]:
        labelled = bool(self.origin.class_names or self.origin.label_dim)
        counts, total, examples = np.zeros(self.origin.label_dim or len(self.origin.class_names), int), 0, 0
        report: dict[str, Any] = {"converted": [], "skipped": [], "damaged": []}
        with _explained(path.with_name(task.file)):
            writer = records.writer(str(path))
        try:
            for item in self.origin.items(task.split, task.start, task.stop):
                pixels = self._pixels(item, task.split, report)
                if pixels is not None:
                    label = np.array(item.label, np.float32) if self.origin.label_dim else np.int32(item.label)
                    with _explained(path.with_name(task.file)):
                        writer.write(records.encode(pixels, label, item.name, labelled))
                    examples, total = examples + 1, total + records.digest(pixels, label)
                    if self.origin.label_dim:
                        counts += label != 0
                    elif label >= 0:
                        counts[label] += 1
                self.tick()
        except BaseException:
            with contextlib.suppress(RuntimeError):
                writer.close()
            raise
        with _explained(path.with_name(task.file)):
            writer.close()
        return {**report, "examples": examples, "class_counts": counts.tolist(), "digest": f"{total % 2**128:032x}"}

    def _pixels(self, item: Item, split: str, report: dict[str, Any]) -> np.ndarray | None:
        """Pixels uint8 [H, W, C] of an item, or None if it is left out."""
        options, name = self.options, f"image {item.name} of {split} in {self.origin.name}"
        try:
            with item.open() as image:
                reason = unusual(image)
                pixels = fit(image, options.resolution, options.channels, options.crop)
        except TooSmall as error:
            report["skipped"].append((item.name, str(error)))
            return None
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno:  # a disk or network that fails, not a damaged image
                raise UserError(
                    f"{name} cannot be opened ({error}): see that its files are in reach; the same command goes on"
                ) from error
            if options.on_damaged == "fatal":
                raise UserError(
                    f"{name} is damaged ({error}): put a whole image in its place or add --on-damaged=skip, which leaves "
                    "out all such images; what is prepared is kept and the command goes on"
                ) from error
            report["damaged"].append((item.name, str(error)))
            return None
        if reason and options.on_unusual == "fatal":
            raise UserError(
                f"{name} is not a plain 8-bit picture ({reason}): replace it, or choose --on-unusual=convert or skip; "
                "what is prepared is kept and the command goes on"
            )
        if reason:
            report["converted" if options.on_unusual == "convert" else "skipped"].append((item.name, reason))
        return None if reason and options.on_unusual == "skip" else pixels


def begin(origin: Origin, options: Options, folder: Place, counter, stopping) -> None:
    """Sets a worker process up: it counts its images and ends when asked to or when its parent is gone."""

    def tick() -> None:
        with counter.get_lock():
            counter.value += 1
        if stopping.is_set():
            raise Stopped

    def leave_with_parent() -> None:
        parent_process().join()
        os._exit(1)

    global _writer
    _writer = ShardWriter(origin, options, folder, tick)
    threading.Thread(target=leave_with_parent, daemon=True).start()


def write(task: Task) -> None:
    """Writes a shard in a worker process that `begin` has set up; see `ShardWriter.write`."""
    _writer.write(task)


_writer: ShardWriter


@contextlib.contextmanager
def _explained(path: Place) -> Iterator[None]:
    """Makes one sentence of what fails when a shard is written to `path`."""
    try:
        if is_remote(path):
            with explained(path, help="the same command goes on from what is prepared"):
                yield
        else:
            yield
    except (OSError, RuntimeError) as error:  # ArrayRecord raises RuntimeError for whatever fails
        raise UserError(
            f"{path} cannot be written ({str(error).partition(';')[0]}): free some space or see to the folder; the same "
            "command goes on from what is prepared"
        ) from error
