"""The real images of an evaluation: which ones of a data set, in which order, and in batches on the devices."""

import dataclasses
import functools
from collections.abc import Callable, Iterator

import jax
import numpy as np

from gan_jax.data.source import Source
from gan_jax.errors import ConfigError
from gan_jax.metrics.features import Batch

ORDER = 0  # seed of the permutation of which the first `count` are taken


@dataclasses.dataclass(frozen=True)
class RealImages:
    """So many images of a data set: the first ones of a fixed permutation, as sets often lie sorted by class.

    Attributes:
        source: the data set; none of its images is mirrored or cropped.
        count: how many of its images are taken.
        name: what it is called in protocols, with how its images become squares ("digits, center").
    """

    source: Source
    count: int
    name: str

    @classmethod
    def of(cls, source: Source, count: int | None, name: str) -> "RealImages":
        """All images of a set, or so many.

        Raises:
            ConfigError: the set has not so many.
        """
        if count is not None and not 2 <= count <= len(source):
            raise ConfigError(
                f"config.evaluate.reference_count is {count}: {name} has {len(source)} images, expected 2 to {len(source)}"
            )
        return cls(source, len(source) if count is None else count, name)

    @functools.cached_property
    def indices(self) -> np.ndarray:
        """Their places in the data set, int64 [count]."""
        return np.random.RandomState(ORDER).permutation(len(self.source))[: self.count]

    @property
    def description(self) -> dict[str, str | int]:
        """What tells these images from others."""
        height, width, channels = self.source.image_shape
        return {
            "reference": self.name,
            "reference_identity": self.source.identity,
            "reference_shape": f"{height} x {width} x {channels}",
            "reference_count": self.count,
        }

    def batches(self, size: int, place: Callable[[np.ndarray], jax.Array]) -> Iterator[Batch]:
        """All of them in batches of one size, on the devices by `place`; the last one is filled up with its last image."""
        for start in range(0, self.count, size):
            indices = self.indices[start : start + size]
            batch = self.source.read(indices)
            missing = ((0, size - len(indices)), (0, 0), (0, 0), (0, 0))
            yield place(np.pad(batch["image"], missing, mode="edge")), batch["label"], len(indices)

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """All their labels, int32 [count] or float32 [count, k]; the images are read for that, some at a time."""
        parts = np.array_split(self.indices, -(-self.count // 1024))
        return np.concatenate([self.source.read(part)["label"] for part in parts])

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        """All of them on the host: images uint8 [count, h, w, c] and their labels."""
        batch = self.source.read(self.indices)
        return batch["image"], batch["label"]
