"""The geometric transforms of adaptive augmentation as one affine map per image."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp


def inverse_matrix(strengths: Mapping[str, jax.Array], height: int, width: int) -> jax.Array:
    """The map from output to input positions, float32 [n, 3, 3], as `warp` takes it.

    Args:
        strengths: any of xflip (0 or 1), rotate90 (quarter turns), xint, xfrac (x and y as fractions of the size,
            [n, 2]), scale, aniso (factors) and rotate (radians before and after aniso, [n, 2]); [n] where not said.
            They act in the published order, the last first.
    """
    steps = (
        ("xflip", lambda flip: _scaling(1 - 2 * flip, 1)),
        ("rotate90", lambda turns: _rotation(jnp.pi / 2 * turns)),
        ("xint", lambda shift: _translation(-jnp.round(shift[:, 0] * width), -jnp.round(shift[:, 1] * height))),
        ("scale", lambda factor: _scaling(1 / factor, 1 / factor)),
        ("rotate", lambda angles: _rotation(angles[:, 0])),
        ("aniso", lambda factor: _scaling(1 / factor, factor)),
        ("rotate", lambda angles: _rotation(angles[:, 1])),
        ("xfrac", lambda shift: _translation(-shift[:, 0] * width, -shift[:, 1] * height)),
    )
    matrices = [matrix(strengths[name]) for name, matrix in steps if name in strengths]
    return functools.reduce(functools.partial(jnp.matmul, precision="highest"), matrices)


def _scaling(x, y):
    return _matrix([[x, 0, 0], [0, y, 0], [0, 0, 1]])


def _translation(x, y):
    return _matrix([[1, 0, x], [0, 1, y], [0, 0, 1]])


def _rotation(angle):
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return _matrix([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _matrix(rows):
    """[n, 3, 3] of numbers and arrays [n]."""
    flat = jnp.broadcast_arrays(*(jnp.asarray(entry, jnp.float32) for row in rows for entry in row))
    return jnp.stack(flat, -1).reshape(-1, 3, 3)
