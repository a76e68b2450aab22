"""Batches in an order that depends on nothing but the seed."""

import math
from collections.abc import Mapping

import numpy as np

from gan_jax.data.labelled import labelled
from gan_jax.data.order import Order
from gan_jax.data.source import Batch, Source
from gan_jax.errors import ConfigError, UserError


class Pipeline:
    """The endless shuffled stream of a source's examples, readable at any position; see `data.order`.

    With `labelled` all labels but some are hidden (see `data.labelled`). With `labelled_half` examples 0, 2, 4, ... of the
    stream are those that kept theirs, an endless shuffled stream of them alone; the others are as always.

    Args:
        source: where the examples come from.
        section: the config's `data`, of which this reads `labels`, `num_classes`, `flip`, `random_crop`, `labelled`,
            `labelled_seed` and `labelled_half`.
        seed: chooses the order, the flips and the crops.
        share: (index, count) of the part of every batch that this process reads.

    Raises:
        ConfigError: `labels` or `labelled` do not fit the source, or `random_crop` its images.
    """

    def __init__(self, source: Source, section: Mapping, *, seed: int, share: tuple[int, int] = (0, 1)):
        _check(source, section)
        self.source = source
        self._flip, self._shift = section["flip"], section["random_crop"]
        self._labelled = labelled(source, section)
        self._order, self._half = Order(len(source), self._shift, seed), None
        if section.get("labelled_half"):
            self._half = Order(int(self._labelled.sum()), self._shift, seed, name=1)
        self._conditional = bool(section["num_classes"]) and not source.label_dim
        self._one_hot = section["labels"] == "vector" and not source.label_dim
        self._share = share

    @property
    def damaged(self) -> dict[int, str]:
        """Index -> sentence of the examples found damaged so far."""
        return self.source.damaged

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
            ConfigError: the batch does not divide into the parts that processes read, or those into halves.
        """
        index, count = self._share
        if batch % count:
            raise ConfigError(f"a batch of {batch} images does not divide among {count} processes")
        if self._half and batch // count % 2:
            raise ConfigError(
                f"config.data.labelled_half is True, but each of {count} processes reads {batch // count} images of a batch: "
                "take an even number"
            )
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
        indices, flips, shifts = self._drawn(positions)
        batch = self.source.read(indices)
        if self._labelled is not None:
            batch["label"] = np.where(self._labelled[indices], batch["label"], np.int32(-1))
        elif self._conditional and (batch["label"] < 0).any():
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

    def _drawn(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices, flips and shifts of the examples at positions [n]."""
        if not self._half:
            return self._order.at(positions)
        first = positions % 2 == 0
        drawn = self._order.at(positions // 2)
        places, *moves = self._half.at(positions[first] // 2)
        for all_of_them, half in zip(drawn, (np.flatnonzero(self._labelled)[places], *moves), strict=True):
            all_of_them[first] = half
        return drawn


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
