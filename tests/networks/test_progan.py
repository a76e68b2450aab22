"""ProGAN's networks: published sizes, what they compute, how a level fades in, what a sample shows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks.progan import Discriminator, Generator
from tests.networks import plain
from tests.networks.counting import parameters
from tests.networks.outputs import numbers

Z = np.random.RandomState(0).standard_normal((4, 6)).astype(np.float32)
LABELS = jnp.array([0, 2, 1, 2])
IMAGES = np.random.RandomState(1).standard_normal((4, 16, 16, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("resolution", "generator", "discriminator"),
    [(1024, 23_079_115, 23_087_249), (256, 23_044_309, 23_052_353), (128, 22_933_394, 22_941_313)],
)
def test_parameter_counts_are_the_published_ones(resolution, generator, discriminator):
    assert parameters(Generator(resolution), jnp.zeros((2, 512)), jnp.zeros(2, int)) == generator
    images = jax.ShapeDtypeStruct((2, resolution, resolution, 3), jnp.float32)
    assert parameters(Discriminator(resolution), images) == discriminator


def test_classes_cost_rows_of_the_first_layer_and_columns_of_the_last():
    sizes = [parameters(Generator(8, k), jnp.zeros((2, 512)), jnp.zeros(2, int)) for k in (0, 10)]
    assert sizes[1] - sizes[0] == 10 * 512 * 16
    sizes = [parameters(Discriminator(8, outputs=1 + k), jnp.zeros((2, 8, 8, 3))) for k in (0, 10)]
    assert sizes[1] - sizes[0] == 10 * 513


def varied(params):
    """Parameters with biases that are not zero."""
    keys = iter(jax.random.split(jax.random.key(7), 100))
    return jax.tree.map(lambda x: x + 0.3 * jax.random.normal(next(keys), x.shape), params)


@pytest.fixture(scope="module")
def generator():
    """A conditional generator of 4, 8 and 16 pixels, 12, 6 and 3 channels wide, and its variables."""
    network = Generator(16, num_classes=3, dim_z=6, channel_base=48, channel_max=12, image_channels=2)
    variables = jax.jit(network.init)(jax.random.key(1), Z, LABELS)
    return network, {**variables, "params": varied(variables["params"])}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "blurred"])
def discriminator(request):
    network = Discriminator(16, outputs=4, blur=request.param, group=2, channel_base=48, channel_max=12)
    return network, {"params": varied(jax.jit(network.init)(jax.random.key(2), IMAGES)["params"])}


def images_of_levels(params):
    """What the generator makes at each of its three levels, in plain numpy."""
    x = plain.pixel_norm(np.concatenate([Z, np.eye(3)[np.asarray(LABELS)]], -1))
    x = plain.dense(x, params["dense_4"], gain=plain.HE / 4).reshape(4, 4, 4, 12)
    x = plain.pixel_norm(plain.leaky(x + np.asarray(params["bias_4"])))
    x = plain.pixel_norm(plain.leaky(plain.conv(x, params["conv1_4"])))
    images = [plain.conv(x, params["to_rgb_4"], gain=1)]
    for side in (8, 16):
        x = plain.pixel_norm(plain.leaky(plain.conv(plain.enlarged(x), params[f"conv0_{side}"])))
        x = plain.pixel_norm(plain.leaky(plain.conv(x, params[f"conv1_{side}"])))
        images.append(plain.conv(x, params[f"to_rgb_{side}"], gain=1))
    return images


def test_the_generator_computes_each_level(generator):
    network, variables = generator
    for level, expected in enumerate(images_of_levels(variables["params"])):
        images = network.apply(variables, Z, LABELS, level=level)
        assert (images.shape, images.dtype) == ((4, 4 << level, 4 << level, 2), jnp.float32)
        np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-4)


def test_a_level_of_the_generator_fades_in_over_the_one_below(generator):
    network, variables = generator
    _, old, new = (network.apply(variables, Z, LABELS, level=level) for level in range(3))
    for alpha in (0.0, 0.25, 1.0):
        images = network.apply(variables, Z, LABELS, level=2, alpha=jnp.float32(alpha))
        expected = (1 - alpha) * plain.enlarged(np.asarray(old)) + alpha * np.asarray(new)
        np.testing.assert_allclose(images, expected, atol=1e-5)


def test_samples_show_what_training_has_reached(generator):
    network, variables = generator
    for level, alpha, detail in ((0, None, 0.0), (1, 0.25, 0.25), (1, None, 1.0), (2, 0.5, 1.5), (2, None, 2.0)):
        alpha = None if alpha is None else jnp.float32(alpha)
        images, changed = network.apply(variables, Z, LABELS, level=level, alpha=alpha, mutable=["growth"])
        assert changed["growth"]["detail"] == detail
        sampled = network.apply({**variables, **changed}, Z, LABELS)
        np.testing.assert_allclose(sampled, plain.enlarged(np.asarray(images), 4 >> level), atol=1e-5)


def test_a_generator_begins_where_training_does_and_is_else_fully_grown(generator):
    network, variables = generator
    assert variables["growth"]["detail"] == 2
    assert (
        jax.jit(network.init, static_argnames="level")(jax.random.key(1), Z, LABELS, level=1)["growth"]["detail"] == 1
    )


def test_one_hot_vectors_are_class_numbers_and_without_classes_labels_do_not_matter(generator):
    network, variables = generator
    vectors = network.apply(variables, Z, jax.nn.one_hot(LABELS, 3))
    np.testing.assert_allclose(network.apply(variables, Z, LABELS), vectors, atol=1e-5)
    plainer = network.clone(num_classes=0)
    variables = plainer.init(jax.random.key(1), Z, LABELS)
    np.testing.assert_array_equal(plainer.apply(variables, Z, LABELS), plainer.apply(variables, Z, -LABELS))


def test_the_discriminator_computes_each_level(discriminator):
    network, variables = discriminator
    for side in (4, 8, 16):
        images = IMAGES[:, :side, :side]
        outputs = network.apply(variables, images).logits
        assert (outputs.shape, outputs.dtype) == ((4, 4), jnp.float32)
        expected = plain.discriminator(variables["params"], images, side, group=2, blur=network.blur)
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_a_level_of_the_discriminator_fades_in_over_the_one_below(discriminator):
    network, variables = discriminator

    def judge(images, alpha=None):
        return network.apply(variables, images, alpha=alpha).logits

    new, old = judge(IMAGES), judge(plain.halved(IMAGES))
    np.testing.assert_allclose(judge(IMAGES, jnp.float32(1)), new, atol=1e-5)
    np.testing.assert_allclose(judge(IMAGES, jnp.float32(0)), old, atol=1e-5)
    between = judge(IMAGES, jnp.float32(0.5))
    assert np.abs(between - new).max() > 1e-2
    assert np.abs(between - old).max() > 1e-2


def test_every_weight_begins_standard_normal_and_every_bias_at_zero():
    network = Discriminator(16, channel_base=1024, channel_max=64)
    params = jax.jit(network.init)(jax.random.key(0), jnp.zeros((4, 16, 16, 3)))["params"]
    for name, layer in params.items():
        assert not layer["bias"].any()
        if layer["kernel"].size > 1000:
            np.testing.assert_allclose([layer["kernel"].mean(), layer["kernel"].std()], [0, 1], atol=0.05, err_msg=name)


@pytest.mark.parametrize("resolution", [0, 2, 12, 28, 100])
def test_a_resolution_that_no_growing_reaches_is_a_sentence(resolution):
    with pytest.raises(ConfigError, match=f"resolution is {resolution}: a growing network needs a power of two from 4"):
        Generator(resolution, dim_z=6).init(jax.random.key(0), Z, LABELS)


def test_bfloat16_concerns_the_convolutions_and_not_the_outputs(generator, discriminator):
    for (network, variables), inputs in ((generator, (Z, LABELS)), (discriminator, (IMAGES,))):
        half = network.clone(dtype=jnp.bfloat16)
        shapes = jax.eval_shape(half.init, jax.random.key(0), *inputs)
        assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
        full, half = (numbers(each.apply(variables, *inputs)) for each in (network, half))
        assert half.dtype == jnp.float32
        assert 0 < jnp.abs(half - full).max() < 0.1 * jnp.abs(full).max()
