"""Two batches as one, so that a network runs once on both and its gradients are summed over the devices once.

Two calls would reduce the gradients of each over the devices before adding them: twice the bytes. Joined one behind the
other, batches that are split over devices would be sent around between these; joined in turns they stay where they are.
"""

import jax
import jax.numpy as jnp


def in_turns(a: jax.Array, b: jax.Array) -> jax.Array:
    """a and b, both [n, ...], as one array [2 n, ...]: a_0, b_0, a_1, b_1, ..."""
    return jnp.stack([a, b], 1).reshape(2 * len(a), *a.shape[1:])


def apart(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What `in_turns` has joined: [2 n, ...] -> two arrays [n, ...]."""
    a, b = jnp.unstack(x.reshape(len(x) // 2, 2, *x.shape[1:]), axis=1)
    return a, b
