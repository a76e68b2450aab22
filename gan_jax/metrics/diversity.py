"""LPIPS diversity: how different images are that should be alike in nothing but their class.

It falls to 0 when a generator draws one image for a class; the real images' own figure is what to compare it with.
"""

import math
from collections.abc import Callable, Iterable

import jax
import numpy as np

from gan_jax.errors import UserError
from gan_jax.layers.pixels import to_float

Images = jax.Array | np.ndarray


def diversity(
    pairs: Iterable[tuple[Images, Images]], distance: Callable[[jax.Array, jax.Array], jax.Array]
) -> dict[str, float]:
    """Mean distance of the two images of a pair: "lpips_diversity", and its standard error "lpips_diversity_error".

    Args:
        pairs: batches of images uint8 [n, h, w, c], of the same classes in both of a batch, and independent otherwise:
            an image that is in several pairs makes the error too small.
        distance: LPIPS, `(images, images) -> [n]` for images float32 in [-1, 1], jitted.

    Raises:
        UserError: there are fewer than two pairs.
    """
    found = [np.zeros(0)]
    for first, second in pairs:
        with jax.default_matmul_precision("highest"):
            found.append(np.asarray(distance(to_float(first), to_float(second)), np.float64))
    found = np.concatenate(found)
    if len(found) < 2:
        raise UserError(f"LPIPS diversity of {len(found)} pairs of images: expected at least 2, ask for more")
    error = found.std(ddof=1) / math.sqrt(len(found))
    return {"lpips_diversity": float(found.mean()), "lpips_diversity_error": float(error)}
