"""BigGAN's orthogonal regularisation."""

from typing import Any

import jax
import jax.numpy as jnp


def orthogonal_penalty(params: Any, strength: float, skip: tuple[str, ...] = ("shared",)) -> jax.Array:
    """strength/2 * |W W^T * (1 - I)|^2 summed over all matrices W: pushes rows apart, whatever their lengths.

    The formula is that of arXiv 1809.11096, equation 3; the half makes the gradient the one that BigGAN-PyTorch adds
    (utils.py, ortho), strength * 2 ((W W^T) * (1 - I)) W. W is the raw weight [out, rest], not the spectrally
    normalised one. The cost does not depend on the batch, and every device bears all of it.

    Args:
        params: a tree of float32 parameters: kernels [..., in, out], tables called `embedding` [classes, features],
            and vectors and scalars, which do not count.
        strength: beta, 1e-4 in the paper.
        skip: names of modules whose parameters are left alone; the shared class embedding by default.
    """
    total = jnp.float32(0)
    for path, weight in jax.tree.leaves_with_path(params):
        names = [entry.key for entry in path]
        if weight.ndim < 2 or not set(names).isdisjoint(skip):
            continue
        rows = weight if names[-1] == "embedding" else weight.reshape(-1, weight.shape[-1]).T
        products = rows @ rows.T
        total += jnp.sum(jnp.square(products - jnp.diag(jnp.diag(products))))
    return strength / 2 * total
