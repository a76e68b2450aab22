"""Amplification of frequency bands, each image with factors of its own."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.augment.wavelets import filter_bank

_POWER = np.array([10, 1, 1, 1], np.float32) / 13  # of the bands in a natural image, about 1/f


def amplify(images: jax.Array, factors: jax.Array) -> jax.Array:
    """Amplifies the bands of images float32 [n, h, w, c] along both axes; beyond the edges they go on as mirror images.

    Source: arXiv 2006.06676, appendix B.3. Every image is multiplied by a matrix of its own from both sides, 2 (h + w)
    operations a pixel and channel: on CPU 13 times faster than a Fourier transform at 32 pixels, twice at 128.

    Args:
        factors: float32 [n, 4], of the octaves from the lowest; each is normalised so that an image of the usual
            spectrum keeps its power.
    """
    gains = factors / jnp.sqrt(1 + _POWER * (factors**2 - 1)).prod(1, keepdims=True)
    rows, columns = (
        jnp.einsum("nb,bij->nij", gains, _filter_matrices(size), precision="highest") for size in images.shape[1:3]
    )
    images = jnp.einsum("nij,njwc->niwc", rows, images, precision="highest")
    return jnp.einsum("nij,nhjc->nhic", columns, images, precision="highest")


def _filter_matrices(size: int) -> np.ndarray:
    """The filters of the bands on a line of `size` pixels and its mirror images: float32 [bands, size, size]."""
    bank = filter_bank()
    halo = bank.shape[1] // 2
    source = np.pad(np.arange(size), halo, mode="reflect")  # the pixel that every pixel of the padded line shows
    matrices = np.zeros((len(bank), size, size), np.float32)
    for pixel in range(size):
        for band, taps in zip(matrices, bank, strict=True):
            np.add.at(band[pixel], source[pixel : pixel + len(taps)], taps)
    return matrices
