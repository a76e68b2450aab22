"""Path length: closed forms, the moving mean and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.losses.path_length import path_length_penalty, path_lengths

RANDOM = np.random.RandomState(0)


def test_lengths_of_a_linear_synthesis_are_those_of_its_rows():
    """images = sum over layers of w A: the gradient by each w is A applied to the noise."""
    matrix = RANDOM.normal(size=(6, 4 * 5 * 2)).astype(np.float32)
    ws, noise = RANDOM.normal(size=(3, 7, 6)), RANDOM.normal(size=(3, 4, 5, 2))
    scales = np.arange(1.0, 8.0)

    def synthesize(ws):
        return jnp.einsum("nld,dp,l->np", ws, matrix, scales).reshape(3, 4, 5, 2)

    directions = noise.reshape(3, -1) @ matrix.T / np.sqrt(4 * 5)
    expected = np.sqrt((scales[:, None] ** 2 * np.square(directions).sum(1)).mean(0))
    np.testing.assert_allclose(path_lengths(synthesize, jnp.asarray(ws), jnp.asarray(noise)), expected, rtol=1e-4)


def test_the_mean_moves_first_and_carries_gradient():
    lengths = jnp.array([1.0, 4.0])
    penalty, mean = path_length_penalty(lengths, jnp.float32(0.5), 0.1)
    np.testing.assert_allclose(mean, 0.5 + 0.1 * (2.5 - 0.5), rtol=1e-6)
    np.testing.assert_allclose(penalty, ((1 - 0.7) ** 2 + (4 - 0.7) ** 2) / 2, rtol=1e-6)
    gradient = jax.grad(lambda x: path_length_penalty(x, jnp.float32(0.5), 0.1)[0])(lengths)
    # d/dx_i of the mean of (x - m)^2 with m moving by 0.1/2 for each
    own = np.array([1 - 0.7, 4 - 0.7])
    np.testing.assert_allclose(gradient, own - 0.05 * own.sum(), rtol=1e-5)
