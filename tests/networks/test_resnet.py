"""The ResNet of Mescheder et al.: published sizes, what a block computes, classes, shapes and dtypes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers.linear import Conv
from gan_jax.networks.resnet import Discriminator, Generator, ResidualBlock, widths
from tests.networks.counting import count_parameters
from tests.networks.outputs import numbers


def block_parameters(before: int, after: int) -> int:
    """3x3 convolutions to the smaller width and to the new one, with biases; a 1x1 shortcut without, if needed."""
    hidden = min(before, after)
    shortcut = before * after if before != after else 0
    return 9 * before * hidden + hidden + 9 * hidden * after + after + shortcut


def test_parameter_counts_are_those_of_the_published_lsun_networks():
    """GAN_stability, configs/lsun_bedroom.yaml: 256 pixels, nfilter 64, nfilter_max 1024, z of 256; without its
    embedding of one class in one dimension."""
    chain = [1024, 1024, 1024, 512, 256, 128, 64]
    up = [block_parameters(a, b) for a, b in itertools.pairwise([*chain, 64])]
    down = [block_parameters(a, b) for a, b in itertools.pairwise([64, *reversed(chain)])]
    stem, to_rgb = 257 * 16 * 1024, 9 * 64 * 3 + 3
    assert count_parameters(Generator(256, 0), jnp.zeros((2, 256))) == stem + sum(up) + to_rgb
    from_rgb, head = 9 * 3 * 64 + 64, 16 * 1024 + 1
    images = jax.ShapeDtypeStruct((2, 256, 256, 3), jnp.float32)
    assert count_parameters(Discriminator(256, 0), images) == from_rgb + sum(down) + head


def test_classes_cost_an_embedding_its_columns_and_a_logit_each():
    z, images = jnp.zeros((2, 16)), jnp.zeros((2, 16, 16, 3))
    plain, classed = (Generator(16, n, 4, 8, embedding_dim=6) for n in (0, 5))
    assert count_parameters(classed, z) - count_parameters(plain, z) == 5 * 6 + 6 * 16 * 8
    plain, classed = (Discriminator(16, n, 4, 8) for n in (0, 5))
    assert count_parameters(classed, images) - count_parameters(plain, images) == 4 * (16 * 8 + 1)


@pytest.mark.parametrize(("resolution", "expected"), [(8, 2), (16, 3), (28, 3), (64, 5), (256, 7)])
def test_widths_double_to_a_maximum_while_the_resolution_halves(resolution, expected):
    assert widths(resolution, 2, 16) == (2, 4, 8, 16, 16, 16, 16)[:expected]


@pytest.mark.parametrize("resolution", [1, 4, 7, 30, 100])
def test_a_resolution_that_cannot_be_halved_is_a_sentence(resolution):
    with pytest.raises(ConfigError, match=f"resolution is {resolution}: the ResNet needs 4 to 7 pixels"):
        widths(resolution, 64, 512)


def test_a_block_adds_a_tenth_of_two_convolutions_of_leaky_inputs():
    """At one pixel a 3x3 convolution is its central weights."""
    block = ResidualBlock(3, Conv)
    x = np.array([[1.0, -2.0]], np.float32)
    variables = block.init(jax.random.key(0), x.reshape(1, 1, 1, 2))["params"]

    def convolved(name, values):
        layer = variables[name]
        return values @ layer["kernel"][layer["kernel"].shape[0] // 2, layer["kernel"].shape[1] // 2] + layer.get(
            "bias", 0
        )

    def leaky(values):
        return np.where(values > 0, values, 0.2 * values)

    expected = convolved("shortcut", x) + 0.1 * convolved("conv2", leaky(convolved("conv1", leaky(x))))
    found = block.apply({"params": variables}, x.reshape(1, 1, 1, 2)).reshape(1, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert "bias" not in variables["shortcut"]
    assert "shortcut" not in ResidualBlock(2, Conv).init(jax.random.key(0), x.reshape(1, 1, 1, 2))["params"]


def test_weights_begin_as_pytorch_s():
    params = Generator(16, 10, 16, 64, embedding_dim=200).init(jax.random.key(0), jnp.zeros((1, 56)), jnp.zeros(1, int))
    params = params["params"]
    for kernel, fan_in in ((params["stem"]["kernel"], 256), (params["block_0"]["conv1"]["kernel"], 9 * 64)):
        assert 0.95 < jnp.abs(kernel).max() * fan_in**0.5 <= 1
        np.testing.assert_allclose(kernel.std() * (3 * fan_in) ** 0.5, 1, rtol=0.05)
    np.testing.assert_allclose(params["embedding"]["embedding"].std(), 1, rtol=0.1)


@pytest.fixture(scope="module")
def small():
    """A conditional generator and discriminator of 8 pixels with their parameters, and z [3, 4]."""
    z, images = jax.random.normal(jax.random.key(0), (3, 4)), jnp.zeros((3, 8, 8, 1))
    networks = Generator(8, 5, 4, 8, embedding_dim=3, image_channels=1), Discriminator(8, 5, 4, 8)
    labels = jnp.array([0, 1, 4])
    return [(n, n.init(jax.random.key(1), x, labels)) for n, x in zip(networks, (z, images), strict=True)], z


def test_the_generator_makes_images_of_its_class(small):
    (generator, variables), _ = small[0]
    z = small[1]
    images = generator.apply(variables, z, jnp.array([0, 1, 4]))
    assert (images.shape, images.dtype) == ((3, 8, 8, 1), jnp.float32)
    assert jnp.abs(images).max() < 1
    other = generator.apply(variables, z, jnp.array([0, 1, 2]))
    np.testing.assert_allclose(images[:2], other[:2], rtol=1e-6)
    assert jnp.abs(images[2] - other[2]).max() > 1e-4


def test_only_the_direction_of_a_class_embedding_counts(small):
    (generator, variables), _ = small[0]
    longer = jax.tree.map(lambda x: x, variables)
    longer["params"]["embedding"]["embedding"] *= 7
    images, same = (generator.apply(v, small[1], jnp.array([0, 1, 4])) for v in (variables, longer))
    np.testing.assert_allclose(images, same, atol=1e-6)


def test_the_discriminator_s_logit_is_that_of_the_class(small):
    _, (discriminator, variables) = small[0]
    images = jnp.broadcast_to(jax.random.normal(jax.random.key(2), (1, 8, 8, 1)), (5, 8, 8, 1))
    logits = discriminator.apply(variables, images, jnp.arange(5)).logits
    assert (logits.shape, logits.dtype) == ((5,), jnp.float32)
    shifted = jax.tree.map(lambda x: x, variables)
    shifted["params"]["output"]["bias"] += jnp.array([0, 0, 3.0, 0, 0])
    difference = discriminator.apply(shifted, images, jnp.arange(5)).logits - logits
    np.testing.assert_allclose(difference, [0, 0, 3, 0, 0], atol=1e-5)


def test_one_hot_vectors_are_class_numbers_and_no_label_at_all_is_finite(small):
    for (network, variables), x in zip(small[0], (small[1], jnp.ones((3, 8, 8, 1))), strict=True):
        by_number = network.apply(variables, x, jnp.array([0, 1, 4]))
        by_vector = network.apply(variables, x, jax.nn.one_hot(jnp.array([0, 1, 4]), 5))
        np.testing.assert_allclose(numbers(by_number), numbers(by_vector), atol=1e-6)
        assert jnp.isfinite(numbers(network.apply(variables, x, jnp.zeros((3, 5))))).all()


def test_downsampling_takes_means_of_3x3_pixels_with_zeros_beyond_the_edge():
    """With nothing but shortcuts of weight one, the last layer sees the mean image."""
    discriminator = Discriminator(8, 0, channels=1, max_channels=1)
    images = jax.random.uniform(jax.random.key(0), (1, 8, 8, 1), minval=0.1)
    variables = discriminator.init(jax.random.key(1), images, jnp.zeros(1, int))
    params = jax.tree.map(jnp.zeros_like, variables["params"])
    params["input"]["kernel"] = params["input"]["kernel"].at[1, 1].set(1)
    pixel = 4 * 1 + 2  # row 1, column 2 of 4 x 4
    params["output"]["kernel"] = params["output"]["kernel"].at[pixel].set(1)
    logit = discriminator.apply({"params": params}, images, jnp.zeros(1, int)).logits
    np.testing.assert_allclose(logit[0], images[0, 1:4, 3:6, 0].mean(), rtol=1e-5)
    params["output"]["kernel"] = jnp.zeros((16, 1)).at[0].set(1)
    logit = discriminator.apply({"params": params}, images, jnp.zeros(1, int)).logits
    np.testing.assert_allclose(logit[0], images[0, :2, :2, 0].sum() / 9, rtol=1e-5)


def test_bfloat16_concerns_the_convolutions_and_not_the_logits():
    generator = Generator(8, 0, 4, 8, dtype=jnp.bfloat16)
    discriminator = Discriminator(8, 0, 4, 8, dtype=jnp.bfloat16)
    z, images, labels = jnp.ones((2, 4)), jnp.ones((2, 8, 8, 3)), jnp.zeros(2, int)
    for network, x in ((generator, z), (discriminator, images)):
        variables = network.init(jax.random.key(0), x, labels)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
        half = numbers(network.apply(variables, x, labels))
        full = numbers(network.clone(dtype=jnp.float32).apply(variables, x, labels))
        assert half.dtype == jnp.float32
        assert 0 < jnp.abs(half - full).max() < 0.05
