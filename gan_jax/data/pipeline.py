"""Batches in an order that depends on nothing but the seed."""

import functools
import math
from collections.abc import Mapping

import numpy as np

from gan_jax.data.source import Batch, Source
from gan_jax.errors import ConfigError, UserError


class Pipeline:
    """The endless shuffled stream of a source's examples, readable at any position.

    Example p of the stream belongs to epoch p // n, and each epoch is a permutation of the n examples. Permutation,
    mirror flips and crops are drawn from (seed, epoch) by numpy's legacy generator, whose streams are frozen across
    numpy versions. Drawing an epoch of a million examples takes 20 ms; it is what a jump costs at most.

    Args:
        source: where the examples come from.
        section: the config's `data`, of which this reads `labels`, `num_classes`, `flip` and `random_crop`.
        seed: chooses the order, the flips and the crops.
        share: (index, count) of the part of every batch that this process reads.

    Raises:
        ConfigError: `labels` does not fit the source, or `random_crop` its images.
    """

    def __init__(self, source: Source, section: Mapping, *, seed: int, share: tuple[int, int] = (0, 1)):
        _check(source, section)
        self.source = source
        self._seed = seed
        self._flip, self._shift = section["flip"], section["random_crop"]
        self._conditional = bool(section["num_classes"]) and not source.label_dim
        self._one_hot = section["labels"] == "vector" and not source.label_dim
        self._share = share

    @property
    def damaged(self) -> dict[int, str]:
        """Index -> sentence of the examples found damaged so far."""
        return self.source.damaged

    @functools.cached_property
    def _epoch(self):
        return functools.lru_cache(maxsize=2)(self._draw_epoch)

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_epoch"}  # a cache has no pickle

    def read(self, position: int, shape: tuple[int, int, int]) -> Batch:
        """The examples position .. position + prod(shape) - 1 of the stream.

        Args:
            position: number of the first example, counted from the start of training.
            shape: (repeat, microbatch, batch) of the whole batch, filled in C order.

        Returns:
            `{"image": uint8 [repeat, microbatch, share, H, W, C], "label": int32 [repeat, microbatch, share]}`, where
            share is this process's contiguous part of the last axis. With label vectors
            the label is float32 [repeat, microbatch, share, num_classes].

        Raises:
            ConfigError: the batch does not divide into the parts that processes read.
            UserError: so many examples are damaged that none could take their place, or one has no label and the model
                needs it.
        """
        offsets = np.arange(math.prod(shape)).reshape(shape)[..., self.share(shape[-1])]
        batch = self.examples(position + offsets.ravel())
        return {leaf: values.reshape(*offsets.shape, *values.shape[1:]) for leaf, values in batch.items()}

    def share(self, batch: int) -> slice:
        """Which part of a batch is this process's.

        Raises:
            ConfigError: the batch does not divide into the parts that processes read.
        """
        index, count = self._share
        if batch % count:
            raise ConfigError(f"a batch of {batch} images does not divide among {count} processes")
        return slice(index * batch // count, (index + 1) * batch // count)

    def own(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The shape of this process's part of a batch."""
        share = self.share(shape[-1])
        return (*shape[:2], share.stop - share.start)

    def like(self, shape: tuple[int, int, int]) -> Batch:
        """Zeros like the examples of a batch of this shape, which take no memory and read nothing."""
        vector = (self.source.num_classes,) if self._one_hot or self.source.label_dim else ()
        label = np.zeros((), np.float32 if vector else np.int32)
        return {
            "image": np.broadcast_to(np.uint8(0), (*shape, *self.source.image_shape)),
            "label": np.broadcast_to(label, (*shape, *vector)),
        }

    def examples(self, positions: np.ndarray) -> Batch:
        """The examples at positions [n] of the stream, augmented: image uint8 [n, H, W, C] and label [n, ...].

        Raises:
            UserError: as `read`.
        """
        epochs, slots = np.divmod(positions, len(self.source))
        indices, flips, shifts = np.empty_like(slots), np.empty(len(slots), bool), np.empty((len(slots), 2), int)
        for epoch in np.unique(epochs):
            order, flipped, shifted = self._epoch(int(epoch))
            here = epochs == epoch
            indices[here] = order[slots[here]]
            flips[here] = flipped[indices[here]]
            shifts[here] = shifted[indices[here]]
        batch = self.source.read(indices)
        if self._conditional and (batch["label"] < 0).any():
            raise UserError(
                f"{self.source.name} holds images without a label (number {indices[np.argmin(batch['label'])]}): label or "
                "remove them, or set config.data.num_classes to 0 to train without classes"
            )
        if self._shift:
            batch["image"] = _crop(batch["image"], shifts, self._shift)
        if self._flip:
            batch["image"][flips] = batch["image"][flips, :, ::-1]
        if self._one_hot:
            batch["label"] = one_hot(batch["label"], self.source.num_classes)
        return batch

    def _draw_epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Order int64 [n] of an epoch; by index whether an example is mirrored in it, bool [n], and its shift [n, 2]."""
        random, count = np.random.RandomState([self._seed % 2**32, epoch]), len(self.source)
        order, flips = random.permutation(count), random.randint(2, size=count, dtype=bool)
        if not self._shift:
            return order, flips, np.broadcast_to(np.uint8(0), (count, 2))
        return order, flips, random.randint(2 * self._shift + 1, size=(count, 2), dtype=np.uint8)


def one_hot(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Class numbers int32 [n] as float32 [n, num_classes]; the unlabelled -1 becomes zeros."""
    return (labels[:, None] == np.arange(num_classes)).astype(np.float32)


def _crop(images: np.ndarray, shifts: np.ndarray, margin: int) -> np.ndarray:
    """Windows of images [n, H, W, C] that were widened by `margin` on all sides, at shifts [n, 2] of 0 .. 2 margin.

    The edge is mirrored outward, so that no border shows that a generator could learn.
    """
    height, width = images.shape[1:3]
    wide = np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    cut = np.empty_like(images)
    for image, source, (top, left) in zip(cut, wide, shifts, strict=True):
        image[:] = source[top : top + height, left : left + width]
    return cut


def _check(source: Source, section: Mapping) -> None:
    labels, margin = section["labels"], section["random_crop"]
    if labels == "index" and source.label_dim:
        raise ConfigError(
            f'config.data.labels is "index", but {source.name} has label vectors of length {source.label_dim}: '
            'set config.data.labels to "vector"'
        )
    if labels == "vector" and not source.num_classes:
        raise ConfigError(f'config.data.labels is "vector", but {source.name} has no labels: set it to "index"')
    if margin >= min(source.image_shape[0], 128):
        raise ConfigError(
            f"config.data.random_crop is {margin}: expected a few pixels, fewer than the {source.image_shape[0]} of "
            "the images and than 128"
        )
