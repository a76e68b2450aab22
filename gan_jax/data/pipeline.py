"""Batches in an order that depends on nothing but the seed, and a thread that reads them ahead."""

import collections
import concurrent.futures
import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from gan_jax.data.source import Batch, Source
from gan_jax.errors import ConfigError


class Pipeline:
    """The endless shuffled stream of a source's examples, readable at any position.

    Example p of the stream belongs to epoch p // n, and each epoch is a permutation of the n examples. Permutation and
    mirror flips are drawn from (seed, epoch) by numpy's legacy generator, whose streams are frozen across numpy
    versions. Drawing an epoch of a million examples takes 20 ms; it is what a jump costs at most.

    Attributes:
        source: where the examples come from.
        seed: chooses the order and the flips.
        flip: whether each image is mirrored left to right with probability one half, anew in every epoch.
        process: (index, count) of this process among those that share every batch.
    """

    def __init__(self, source: Source, *, seed: int, flip: bool, process: tuple[int, int] = (0, 1)):
        self.source = source
        self.seed = seed
        self.flip = flip
        self.process = process
        self._epoch = functools.lru_cache(maxsize=2)(self._draw_epoch)

    def read(self, position: int, shape: tuple[int, int, int]) -> Batch:
        """The examples position .. position + prod(shape) - 1 of the stream.

        Args:
            position: number of the first example, counted from the start of training.
            shape: (repeat, microbatch, batch) over all processes, filled in C order.

        Returns:
            `{"image": uint8 [repeat, microbatch, share, H, W, C], "label": int32 [repeat, microbatch, share]}`, where
            share is this process's contiguous part of the last axis, batch / number of processes.

        Raises:
            ConfigError: the batch does not divide among the processes.
            UserError: an example cannot be read.
        """
        process, processes = self.process
        if shape[-1] % processes:
            raise ConfigError(f"a batch of {shape[-1]} images does not divide among {processes} processes")
        share = shape[-1] // processes
        offsets = np.arange(math.prod(shape)).reshape(shape)[..., process * share : (process + 1) * share]
        indices, flips = self._examples(position + offsets.ravel())
        batch = self.source.read(indices)
        if self.flip:
            batch["image"][flips] = batch["image"][flips, :, ::-1]
        return {leaf: values.reshape(*offsets.shape, *values.shape[1:]) for leaf, values in batch.items()}

    def _examples(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions [n] to the source's indices int64 [n] and flips bool [n]."""
        epochs, slots = np.divmod(positions, len(self.source))
        indices, flips = np.empty_like(slots), np.empty(len(slots), bool)
        for epoch in np.unique(epochs):
            order, flipped = self._epoch(int(epoch))
            here = epochs == epoch
            indices[here] = order[slots[here]]
            flips[here] = flipped[indices[here]]
        return indices, flips

    def _draw_epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Order int64 [n] of an epoch, and whether each example is mirrored in it, bool [n] by index."""
        random = np.random.RandomState([self.seed % 2**32, epoch])
        return random.permutation(len(self.source)), random.randint(2, size=len(self.source), dtype=bool)


def prefetch(read: Callable[..., Any], requests: Iterable[tuple], depth: int = 2) -> Iterator[Any]:
    """Yields `read(*request)` of every request in order, computed by one background thread up to `depth` ahead.

    An exception in `read` comes out where its result would have. Closing the generator drops what was not begun and
    waits for the read under way.
    """
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
        ahead = collections.deque()
        try:
            for request in requests:
                ahead.append(thread.submit(read, *request))
                if len(ahead) > depth:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
