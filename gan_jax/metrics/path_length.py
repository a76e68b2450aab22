"""Perceptual path length: how far images move, in LPIPS, for a small step of the latent (arXiv 1812.04948, 4.1).

The mean of d(G(path(t)), G(path(t + epsilon))) / epsilon^2 over pairs of latents, without the lowest and the highest
hundredth. Images are compared as floats: rounded to bytes, a step of 1e-4 vanishes or counts a hundredfold. Source:
NVlabs/stylegan2 and NVlabs/stylegan3, metrics/perceptual_path_length.py.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics import resize

Labels = Any
LARGEST = 256  # pixels of the images that are compared


def lerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """a + t (b - a), of points [n, ...] and t [n]: for w."""
    return a + _beside(t, a) * (b - a)


def slerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """Along the great circle from a to b, points [n, d] of any length and t [n]; the result has length 1.

    For the z of generators that scale it themselves, as those of the StyleGAN family do.
    """
    a, b = _normalized(a), _normalized(b)
    cosine = jnp.sum(a * b, axis=-1, keepdims=True)
    angle = _beside(t, a) * jnp.arccos(cosine)
    return _normalized(a * jnp.cos(angle) + _normalized(b - cosine * a) * jnp.sin(angle))


def slerp_any(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """As `slerp`, with a result about as long as a and b; of vectors on one line it is `lerp`.

    For the z of generators that take it as it is: normal z have lengths about sqrt(d), where a unit vector is one that
    the generator has never seen. Source: toshas/torch-fidelity, torch_fidelity/noise.py.
    """
    cosine = jnp.sum(_normalized(a) * _normalized(b), axis=-1, keepdims=True)
    curved = jnp.abs(cosine) < 1 - 1e-7
    angle = jnp.arccos(jnp.where(curved, cosine, 0))
    share = _beside(t, a)
    arc = (jnp.sin((1 - share) * angle) * a + jnp.sin(share * angle) * b) / jnp.sin(angle)
    return jnp.where(curved, arc, lerp(a, b, t))


def perceptual_path_length(
    synthesize: Callable[[jax.Array, Labels], jax.Array],
    endpoints: Callable[[int, int], tuple[jax.Array, jax.Array, Labels]],
    distance: Callable[[jax.Array, jax.Array], jax.Array],
    path: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
    pairs: int,
    batch: int,
    full: bool = False,
    epsilon: float = 1e-4,
    seed: int = 0,
) -> float:
    """The perceptual path length; published figures are of 50,000 pairs and epsilon 1e-4.

    "ppl_z" and "ppl_w" are paths through z and w; the published one of StyleGAN2 is in w, at the ends of the paths.

    Args:
        synthesize: `(points [n, ...], labels) -> images` float [n, h, w, c] in [-1, 1], jitted. It must compute in
            float32, whatever the training did, and draw the same noise for both points of a pair, which it gets in two
            calls.
        endpoints: `(first, count) -> (a, b, labels)`: where the paths of these pairs begin and end, [count, ...], and
            whatever else synthesis takes, with the same leading axis, or None. The last batch asks for some beyond
            `pairs`.
        distance: LPIPS, `(images, images) -> [n]` for such images, jitted.
        path: `lerp`, `slerp` or `slerp_any`.
        pairs: how many count; batch: how many go through the generator at once. The result depends on the former only.
        full: take t uniform in [0, 1) instead of 0.
        seed: of t.

    Raises:
        UserError: a distance is NaN or infinite.
    """
    starts = range(0, pairs, batch)
    # The last batch is as large as the others, so that nothing is compiled twice.
    t = np.random.default_rng(seed).random(len(starts) * batch, np.float32) * full
    along, compared = jax.jit(path), jax.jit(_compared)
    found = []
    for first in starts:
        a, b, labels = endpoints(first, batch)
        begin = t[first : first + batch]
        with jax.default_matmul_precision("highest"):
            here, there = (synthesize(along(a, b, at), labels) for at in (begin, begin + np.float32(epsilon)))
            found.append(np.asarray(distance(compared(here), compared(there)), np.float64) / epsilon**2)
    found = np.concatenate(found)[:pairs]
    if broken := np.count_nonzero(~np.isfinite(found)):
        raise UserError(
            f"{broken} of {pairs} steps of the path length are NaN or infinite: the generator's images are not finite"
        )
    return float(without_outliers(found).mean())


def without_outliers(lengths: np.ndarray) -> np.ndarray:
    """Those from the 1st percentile, or the value below it, to the 99th, or the value above it, of lengths [n]."""
    low, high = np.percentile(lengths, 1, method="lower"), np.percentile(lengths, 99, method="higher")
    return lengths[(low <= lengths) & (lengths <= high)]


def _compared(images):
    """Images float32, means of cells where they are above 256 pixels."""
    images = images.astype(jnp.float32)
    factor = images.shape[1] // LARGEST
    if factor > 1:
        images = resize.box(images, (images.shape[1] // factor, images.shape[2] // factor))
    return images


def _beside(t, points):
    """t [n] as [n, 1, ...] beside points [n, ...]."""
    return t.reshape(-1, *(1 for _ in points.shape[1:]))


def _normalized(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)
