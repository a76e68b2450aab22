"""How large a network's weights have grown: the largest singular value among its kernels."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.engine.sharding import path_name

Tree = Any
ITERATIONS = 4  # of the power method; it begins with the same vector each time, so a leap is seen all the same


@jax.jit
def largest_singular_values(params: Mapping[str, Tree]) -> dict[str, jax.Array]:
    """The largest singular value among the kernels of each network: `{"spectral_norm/NETWORK": float32 scalar}`.

    A kernel counts as the matrix [all but its last axis, its last], as spectral normalisation takes it. A few iterations
    of the power method: a lower bound.
    """
    found = {}
    for network, tree in params.items():
        kernels = [leaf for path, leaf in jax.tree.leaves_with_path(tree) if path_name(path).endswith("kernel")]
        norms = [_largest_singular_value(k.reshape(-1, k.shape[-1])) for k in kernels if k.ndim > 1]
        if norms:
            found[f"spectral_norm/{network}"] = jnp.max(jnp.stack(norms))
    return found


def _largest_singular_value(matrix: jax.Array) -> jax.Array:
    matrix = matrix.astype(jnp.float32)
    v = jax.random.normal(jax.random.key(0), matrix.shape[1:])

    def iterate(_: int, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        u = matrix @ carry[0]
        v = matrix.T @ (u / jnp.maximum(jnp.linalg.norm(u), 1e-12))
        size = jnp.linalg.norm(v)
        return v / jnp.maximum(size, 1e-12), size

    return jax.lax.fori_loop(0, ITERATIONS, iterate, (v, jnp.float32(0)))[1]
