"""What a data set is to this project: numbered uint8 images with labels, opened by one word of the config."""

import abc
import concurrent.futures
import functools
import hashlib
import importlib
import itertools
import math
import os

import numpy as np

from gan_jax.errors import ConfigError, UserError

Batch = dict[str, np.ndarray]

# `config.data.memory` where a section lacks it: decoded images of up to so many MiB are kept in memory.
MEMORY = 1024

# Word of `config.data.source` -> (module that has `open_section(argument, section)`, what follows the word; what may
# follow it is in brackets).
READERS = {
    "digits": ("digits", "[:SPLIT]"),
    "polygons": ("polygons", "[:SPLIT]"),
    "noise": ("noise", ""),
    "folder": ("file_source", ":PATH[:SPLIT]"),
    "zip": ("file_source", ":PATH[:SPLIT]"),
    "tar": ("file_source", ":PATH[:SPLIT]"),
    "prepared": ("prepared", ":DIR[:SPLIT]"),
    "tfds": ("tfds_source", ":NAME[:SPLIT]"),
    "chosen": ("chosen", ":FILE"),
}

# Data sets that come with the project -> resolution and channels at which they are at home.
BUILT_IN = {"digits": (16, 1), "polygons": (28, 1)}

# So many damaged examples in a row are no accident.
DAMAGED_IN_A_ROW = 10


class Source(abc.ABC):
    """Numbered images of one shape, each with a class number or a vector of labels.

    Attributes:
        name: what the set is called in logs and reports.
        image_shape: (height, width, channels); channels is 1 or 3.
        class_names: one name per class, or per entry of a label vector; empty for an unlabelled set.
        label_dim: 0 where labels are class numbers, else the length of the label vectors.
        decodes: whether reading takes so much work that worker processes should share it.
        exact: whether `read` gives the examples that it is asked for, so that two processes may read the same.
        threaded: whether `read` decodes with threads; worker processes, of which each has a core, do without.
        damaged: what `read` found damaged so far: index -> one sentence.
    """

    name: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...] = ()
    label_dim: int = 0
    decodes: bool = False
    exact: bool = True
    threaded: bool = True

    @property
    def num_classes(self) -> int:
        """Number of classes, or of entries of a label vector; 0 for an unlabelled set."""
        return self.label_dim or len(self.class_names)

    @property
    def identity(self) -> str:
        """What tells this data set from another: a run goes on only with the data it began with."""
        return f"{len(self)} examples"

    @functools.cached_property
    def damaged(self) -> dict[int, str]:
        return {}

    def load(self) -> None:
        """Takes into memory what the source keeps there, so that the first `read` is as quick as any."""
        return

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def __getitem__(self, index: int) -> Batch:
        """The example `{"image": uint8 [H, W, C], "label": int32 [] or float32 [label_dim]}`; -1 means unlabelled.

        Raises:
            UserError: it cannot be read or decoded.
        """

    def read(self, indices: np.ndarray) -> Batch:
        """The examples `indices` [n] as fresh arrays: image uint8 [n, H, W, C], label int32 [n] or float32 [n, k].

        A damaged example is noted in `damaged` and replaced by the next one that is whole.

        Raises:
            UserError: no whole example is near a damaged one.
        """
        # Threads take some at a time: handing over each example by itself would cost as much as decoding a small one.
        parts = np.array_split(indices, min(len(indices), 4 * os.cpu_count())) if self.threaded else [indices]
        read = (decoders().map if self.threaded else map)(self._wholes, parts)
        examples = list(itertools.chain.from_iterable(read))
        return {leaf: np.stack([example[leaf] for example in examples]) for leaf in ("image", "label")}

    def all_labels(self) -> np.ndarray:
        """The labels of all examples in order, int32 [n] or float32 [n, label_dim].

        Unless a source knows them otherwise, its images are read for that, some at a time.
        """
        parts = np.array_split(np.arange(len(self)), -(-len(self) // 4096))
        return np.concatenate([self.read(part)["label"] for part in parts])

    def _wholes(self, indices: np.ndarray) -> list[Batch]:
        return [self._whole(index) for index in indices]

    def _whole(self, index: int) -> Batch:
        for candidate in range(index, index + DAMAGED_IN_A_ROW):
            candidate %= len(self)
            try:
                return self[candidate]
            except UserError as error:
                self.damaged[int(candidate)] = str(error)
        raise UserError(
            f"{self.name}: {DAMAGED_IN_A_ROW} examples in a row are damaged; {self.damaged[int(candidate)]}"
        )


class ArraySource(Source):
    """Images that are already in memory: `images` uint8 [n, H, W, C].

    `labels` are class numbers [n], label vectors [n, k], or None for an unlabelled set.
    """

    def __init__(self, name: str, images: np.ndarray, labels: np.ndarray | None = None, class_names=()):
        self.name = name
        self.image_shape = images.shape[1:]
        self.class_names = tuple(class_names)
        self.images = images
        labels = np.full(len(images), -1) if labels is None else labels
        self.label_dim = labels.shape[1] if labels.ndim == 2 else 0
        self.labels = labels.astype(np.float32 if self.label_dim else np.int32)

    @functools.cached_property
    def identity(self) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(self.images))
        digest.update(np.ascontiguousarray(self.labels))
        return f"{len(self)} examples, {digest.hexdigest()[:16]}"

    def all_labels(self) -> np.ndarray:
        return self.labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Batch:
        return {"image": self.images[index], "label": self.labels[index]}

    def read(self, indices: np.ndarray) -> Batch:
        return {"image": self.images[indices], "label": self.labels[indices]}


class CachedSource(Source):
    """Another source, all of it decoded into memory by `load`, or when the first example is asked for."""

    def __init__(self, source: Source):
        self.name = source.name
        self.image_shape = source.image_shape
        self.class_names = source.class_names
        self.label_dim = source.label_dim
        self._source = source

    @property
    def identity(self) -> str:
        return self._source.identity

    @property
    def damaged(self) -> dict[int, str]:
        return self._source.damaged

    def load(self) -> None:
        _ = self._memory

    @functools.cached_property
    def _memory(self) -> ArraySource:
        count = len(self._source)
        images = np.empty((count, *self.image_shape), np.uint8)
        labels = np.empty((count, self.label_dim), np.float32) if self.label_dim else np.empty(count, np.int32)
        for part in np.array_split(np.arange(count), -(-count // 4096)):  # In parts, so as not to hold it all twice.
            examples = self._source.read(part)
            images[part], labels[part] = examples["image"], examples["label"]
        return ArraySource(self.name, images, labels, self.class_names)

    def all_labels(self) -> np.ndarray:
        return self._memory.labels

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Batch:
        return self._memory[index]

    def read(self, indices: np.ndarray) -> Batch:
        return self._memory.read(indices)


def fits_memory(count: int, image_shape: tuple[int, int, int], section) -> bool:
    """Whether so many decoded images take at most the memory that a config's `data` section allows."""
    return count * math.prod(image_shape) <= section.get("memory", MEMORY) * 2**20


@functools.cache
def decoders() -> concurrent.futures.ThreadPoolExecutor:
    """The threads that decode images: one per CPU, as Pillow decodes and resizes outside Python's lock."""
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")


def open_source(section) -> Source:
    """Opens the data set that a config's `data` section describes; a small one is decoded once and kept in memory.

    Args:
        section: ConfigDict with `source` (a word of `READERS`, with what follows its colon), `resolution` (pixels)
            and `channels` (1 or 3); what else it holds is optional.

    Raises:
        ConfigError: a field has a value that cannot be used.
        UserError: the data are absent or damaged.
    """
    if section.channels not in (1, 3):
        raise ConfigError(f"config.data.channels is {section.channels}: expected 1 (grey) or 3 (colour)")
    if section.resolution < 1:
        raise ConfigError(f"config.data.resolution is {section.resolution}: expected a positive number of pixels")
    word, _, argument = str(section.source).partition(":")
    module, expected = READERS.get(word, ("", ""))
    if not module or (bool(argument) != bool(expected) and not expected.startswith("[")):
        words = ", ".join(word + argument for word, (_, argument) in READERS.items())
        raise ConfigError(f"config.data.source is {section.source!r}: expected one of {words}")
    source = importlib.import_module(f"gan_jax.data.{module}").open_section(argument, section)
    as_it_is = isinstance(source, ArraySource) or not fits_memory(len(source), source.image_shape, section)
    return source if as_it_is else CachedSource(source)
