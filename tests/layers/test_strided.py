"""Convolutions that change the size, against flax's and their own adjoints."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.strided import ConvTranspose, StridedConv

RANDOM = np.random.RandomState(0)


def with_random_bias(layer, x):
    params = layer.init(jax.random.key(0), x)["params"]
    return {**params, "bias": jnp.asarray(RANDOM.standard_normal(layer.features), jnp.float32)}


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("size", [(8, 6), (7, 8)])
@pytest.mark.parametrize("stride", [1, 2])
def test_it_is_flax_s_convolution_and_has_its_derivatives(kernel, size, stride):
    x = RANDOM.standard_normal((2, *size, 3)).astype(np.float32)
    ours, theirs = StridedConv(5, kernel, stride), nn.Conv(5, (kernel, kernel), (stride, stride))
    params = with_random_bias(ours, x)
    np.testing.assert_allclose(ours.apply({"params": params}, x), theirs.apply({"params": params}, x), atol=1e-6)

    def penalty(layer):
        slope = jax.grad(lambda x, params: jnp.sin(layer.apply({"params": params}, x)).sum())
        return jax.grad(lambda params: jnp.square(slope(x, params)).sum())(params)["kernel"]

    np.testing.assert_allclose(penalty(ours), penalty(theirs), atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (4, 2), (5, 2), (5, 3)])
def test_the_transposed_one_is_the_adjoint(kernel, stride):
    small, large = (2, 3, 4, 6), (2, 3 * stride, 4 * stride, 5)
    y, x = (RANDOM.standard_normal(shape).astype(np.float32) for shape in (small, large))
    up, down = ConvTranspose(5, kernel, stride, use_bias=False), StridedConv(6, kernel, stride, use_bias=False)
    weights = up.init(jax.random.key(0), y)["params"]["kernel"]
    raised = up.apply({"params": {"kernel": weights}}, y)
    lowered = down.apply({"params": {"kernel": weights.swapaxes(2, 3)}}, x)
    assert raised.shape == large
    np.testing.assert_allclose((raised * x).sum(), (y * lowered).sum(), rtol=1e-4)


def test_a_kernel_of_4_is_pytorch_s_with_a_padding_of_1():
    """An impulse spreads over the 2 x 2 cells around its own."""
    up = ConvTranspose(1, use_bias=False)
    impulse = jnp.zeros((1, 3, 3, 1)).at[0, 1, 1, 0].set(1)
    image = up.apply({"params": {"kernel": jnp.arange(16.0).reshape(4, 4, 1, 1)}}, impulse)[0, :, :, 0]
    np.testing.assert_array_equal(image[1:5, 1:5], np.arange(16).reshape(4, 4))
    assert jnp.abs(image).sum() == sum(range(16))


def test_spectral_normalisation_divides_by_the_largest_singular_value():
    x = RANDOM.standard_normal((2, 4, 4, 3)).astype(np.float32)
    for make in (StridedConv, ConvTranspose):
        layer = make(5, sn_eps=1e-12, use_bias=False)
        variables = layer.init(jax.random.key(0), x)
        for _ in range(60):
            variables |= layer.apply(variables, x, mutable=["spectral"])[1]
        kernel = np.asarray(variables["params"]["kernel"])
        largest = np.linalg.svd(kernel.reshape(-1, 5), compute_uv=False)[0]
        plain = make(5, use_bias=False).apply({"params": {"kernel": kernel / largest}}, x)
        np.testing.assert_allclose(layer.apply(variables, x), plain, rtol=1e-3, atol=1e-5)
