"""What metrics see of a model: functions, never its state."""

import dataclasses
from collections.abc import Callable, Iterator

import jax
import numpy as np

from gan_jax.metrics.features import Batch

Labels = np.ndarray  # class numbers int32 [n] or vectors float32 [n, k]


@dataclasses.dataclass(frozen=True)
class Generator:
    """A generator with its weights in place.

    Attributes:
        labels: `(count) -> labels` of the first items.
        images: `(labels, first) -> batches`, see `metrics.features`; image i of an evaluation is the same whatever the
            batches and devices.
        latents: `(count, first) -> ` latents [n, ...] of such images.
        prior: `(key, count) ->` latents [count, ...] as the model draws them.
        synthesize: `(latents, labels) -> images` float [n, h, w, c] in [-1, 1], jitted and differentiable.
        map: `(latents, labels) -> ws` float32 [n, layers, d], None for generators without styles.
        synthesize_ws: `(ws) -> images` as `synthesize`, None for generators without styles.
        num_classes: 0 for a model without classes.
        batch: how many images are drawn at once; a multiple of the devices.
        place: puts an array [batch, ...] on the devices, each of which gets its part.
        fetch: brings one back to the host, whole.
    """

    labels: Callable[[int], Labels]
    images: Callable[[Labels, int], Iterator[Batch]]
    latents: Callable[[int, int], np.ndarray]
    prior: Callable[[jax.Array, int], jax.Array]
    synthesize: Callable[[jax.Array, jax.Array], jax.Array]
    map: Callable[[jax.Array, jax.Array], jax.Array] | None
    synthesize_ws: Callable[[jax.Array], jax.Array] | None
    num_classes: int
    batch: int
    place: Callable[[np.ndarray], jax.Array]
    fetch: Callable[[jax.Array], np.ndarray]

    def to_host(self, labels: Labels, first: int = 0) -> np.ndarray:
        """The images of labels as one array uint8 [n, h, w, c]."""
        return np.concatenate([self.fetch(images)[:count] for images, _, count in self.images(labels, first)])
