"""The order of examples: an endless shuffled stream of numbers that depends on nothing but the seed."""

import functools

import numpy as np


class Order:
    """The endless stream of the numbers 0 .. count - 1, each with a mirror flip and a shift.

    Number p of the stream belongs to epoch p // count, and each epoch is a permutation. Permutation, flips and shifts are
    drawn from (seed, epoch) by numpy's legacy generator, whose streams are frozen across numpy versions. Drawing an epoch
    of a million numbers takes 20 ms; it is what a jump costs at most.

    Args:
        count: how many numbers there are.
        reach: the largest shift.
        seed: chooses the stream.
        name: tells a stream from others of the same seed, which then differ; 0 for the main one.
    """

    def __init__(self, count: int, reach: int, seed: int, name: int = 0):
        self._count, self._reach, self._seed, self._name = count, reach, seed % 2**32, name

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The numbers int64 [n] at positions [n], whether each is mirrored, bool [n], and its shift [n, 2] of 0 .. 2 reach."""
        epochs, slots = np.divmod(positions, self._count)
        numbers, flips, shifts = np.empty_like(slots), np.empty(len(slots), bool), np.empty((len(slots), 2), int)
        for epoch in np.unique(epochs):
            order, flipped, shifted = self._epoch(int(epoch))
            here = epochs == epoch
            numbers[here] = order[slots[here]]
            flips[here] = flipped[numbers[here]]
            shifts[here] = shifted[numbers[here]]
        return numbers, flips, shifts

    @functools.cached_property
    def _epoch(self):
        return functools.lru_cache(maxsize=2)(self._draw_epoch)

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_epoch"}  # a cache has no pickle

    def _draw_epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Order int64 [count] of an epoch; by number whether it is mirrored in it, bool [count], and its shift [count, 2]."""
        random, count = np.random.RandomState([self._seed, epoch, *[self._name] * bool(self._name)]), self._count
        order, flips = random.permutation(count), random.randint(2, size=count, dtype=bool)
        if not self._reach:
            return order, flips, np.broadcast_to(np.uint8(0), (count, 2))
        return order, flips, random.randint(2 * self._reach + 1, size=(count, 2), dtype=np.uint8)
