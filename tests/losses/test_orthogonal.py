"""Orthogonal regularisation against BigGAN-PyTorch, and on matrices that need none."""

import jax
import numpy as np

from gan_jax.losses.orthogonal import orthogonal_penalty
from tests.reference import Peer, assert_array, assert_summaries


def test_gradient_equals_biggan_pytorch():
    peer = Peer("ortho/G")
    gradient = jax.jit(jax.grad(lambda params: orthogonal_penalty(params, 1e-4)))(peer.variables()["params"])
    tensors = peer.from_ours({"params": gradient})
    assert_summaries(tensors, "biggan", "ortho", "modified")
    assert_array(tensors["blocks.0.0.conv1.weight"], "biggan", "ortho", "modified_conv1_blocks0")


def test_orthogonal_rows_of_any_length_vectors_and_the_shared_embedding_cost_nothing():
    params = {
        "dense": {"kernel": 3 * np.eye(4, 2, dtype=np.float32), "bias": np.ones(2, np.float32)},
        "shared": {"embedding": np.ones((3, 2), np.float32)},
    }
    value, gradient = jax.value_and_grad(orthogonal_penalty)(params, 1.0)
    assert value == 0
    for leaf in jax.tree.leaves(gradient):
        np.testing.assert_array_equal(leaf, 0)


def test_rows_of_a_table_and_columns_of_a_kernel_are_pushed_apart():
    """Rows (1, 1) and (1, 0) have the product 1, which counts twice."""
    rows = np.array([[1, 1], [1, 0]], np.float32)
    params = {"table": {"embedding": rows}, "dense": {"kernel": rows.T}}
    value, gradient = jax.value_and_grad(orthogonal_penalty)(params, 0.5)
    assert value == 0.5 / 2 * (2 + 2)
    np.testing.assert_allclose(gradient["table"]["embedding"], [[1, 0], [1, 1]])
    np.testing.assert_allclose(gradient["dense"]["kernel"], np.array([[1, 0], [1, 1]]).T)
