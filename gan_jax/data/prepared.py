"""Data sets that `gan-jax prepare` has made: `prepared:DIR[:SPLIT]`."""

import math
import threading

import numpy as np

from gan_jax.data import manifest, records
from gan_jax.data.manifest import Manifest, Shard
from gan_jax.data.source import Batch, Source, decoders
from gan_jax.errors import ConfigError, UserError, explained, is_remote

READ_BYTES = 2**20  # of pixels that are read from a shard in one go
# What a damaged file or record makes the readers raise.
DAMAGE = (RuntimeError, ValueError, IndexError)


def open_section(argument: str, section) -> Source:
    """Opens "prepared:DIR[:SPLIT]" (split "train" by default) for `data.source.open_source`.

    Raises:
        ConfigError: there is no prepared set, no such split, or its images have another shape.
        UserError: a shard is missing or cut short.
    """
    folder, split = argument, "train"
    head, _, tail = argument.rpartition(":")
    if head and "/" not in tail:  # the colon of gs:// is no split's
        folder, split = head, tail
    described = manifest.read(folder)
    if split not in described.splits:
        raise ConfigError(
            f"config.data.source is 'prepared:{argument}', but {folder} has no split {split!r}: "
            f"expected one of {sorted(described.splits)}"
        )
    resolution, _, channels = described.image_shape
    for field, found in (("resolution", resolution), ("channels", channels)):
        if section[field] != found:
            raise ConfigError(
                f"config.data.{field} is {section[field]}, but {folder} was prepared with {found}: "
                f"set config.data.{field} to {found}, or prepare the set again with --{field}={section[field]}"
            )
    return PreparedSource(folder, split, described)


class PreparedSource(Source):
    """One split of a prepared set. Picklable; files are opened when first read.

    Args:
        folder: where it lies; may be in a bucket (gs://).
        split: one of the manifest's.
        described: the manifest of the folder.

    Raises:
        UserError: a shard is missing or has another size than the manifest says.
    """

    def __init__(self, folder: str, split: str, described: Manifest):
        self.name = f"prepared:{folder}:{split}"
        self.image_shape = described.image_shape
        # A split may lack the labels that others have, as tests often do.
        self.class_names = tuple(described.class_names) if any(described.splits[split].class_counts) else ()
        self.label_dim = described.label_dim
        self._hash = described.splits[split].hash
        self._files = [f"{folder.rstrip('/')}/{shard.file}" for shard in described.splits[split].shards]
        self._bounds = np.cumsum([0, *(shard.examples for shard in described.splits[split].shards)])
        self._readers = _Readers(self._files)
        self._at_a_time = max(1, READ_BYTES // math.prod(self.image_shape))
        list(decoders().map(_check, self._files, described.splits[split].shards))

    @property
    def identity(self) -> str:
        """The digest of all pixels and labels."""
        return self._hash

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def __getitem__(self, index: int) -> Batch:
        shard, position = self._place(np.array([index]))
        image = np.empty(self.image_shape, np.uint8)
        try:
            (record,) = self._readers[shard[0]].read([int(position[0])])
            return {"image": image, "label": records.decode(record, image)}
        except DAMAGE as error:
            file, reason = self._files[shard[0]], str(error).partition(";")[0]
            trouble = "out of reach or damaged" if is_remote(file) else "damaged"
            raise UserError(
                f"record {position[0]} of {file} is {trouble} ({reason}): restore the file from a copy, or prepare the "
                "set again in another folder"
            ) from error

    def read(self, indices: np.ndarray) -> Batch:
        images = np.empty((len(indices), *self.image_shape), np.uint8)
        labels = (
            np.empty((len(indices), self.label_dim), np.float32) if self.label_dim else np.empty(len(indices), np.int32)
        )
        shards, positions = self._place(indices)

        def fill(rows: np.ndarray) -> None:
            try:
                found = self._readers[shards[rows[0]]].read(positions[rows].tolist())
                for row, record in zip(rows, found, strict=True):
                    labels[row] = records.decode(record, images[row])
            except DAMAGE:
                for row in rows:
                    example = self._whole(int(indices[row]))
                    images[row], labels[row] = example["image"], example["label"]

        by_shard = np.argsort(shards, kind="stable")
        groups = np.split(by_shard, np.flatnonzero(np.diff(shards[by_shard])) + 1)
        # Some records at a time, which stay in the processor's cache until they are copied.
        parts = [part for group in groups for part in np.array_split(group, -(-len(group) // self._at_a_time))]
        list(decoders().map(fill, parts))
        return {"image": images, "label": labels}

    def _place(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number of the shard and position in it of examples [n]."""
        shards = np.searchsorted(self._bounds, indices, side="right") - 1
        return shards, indices - self._bounds[shards]


class _Readers:
    """One reader per file, opened when first asked for, by whichever thread."""

    def __init__(self, files: list[str]):
        self._files, self._readers, self._lock = files, {}, threading.Lock()

    def __reduce__(self):
        return _Readers, (self._files,)

    def __getitem__(self, number: int):
        if number not in self._readers:
            with self._lock:
                if number not in self._readers:
                    self._readers[number] = records.reader(self._files[number])
        return self._readers[number]


def _check(path: str, shard: Shard) -> None:
    from etils import epath

    with explained(path, "cannot be read", "see that it is in reach"):
        try:
            size = epath.Path(path).stat().length
        except FileNotFoundError as error:
            raise UserError(
                f"{path} is missing: restore it from a copy, or prepare the set again in another folder"
            ) from error
    if size != shard.bytes:
        raise UserError(
            f"{path} has {size:,} bytes, expected {shard.bytes:,}: restore it from a copy, or prepare the set again in "
            "another folder"
        )
