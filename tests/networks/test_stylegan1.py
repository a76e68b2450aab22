"""StyleGAN's networks: published sizes, mapping, what synthesis computes, noise, truncation, the average of w."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks.progan import Discriminator
from gan_jax.networks.stylegan1 import Generator
from tests.networks import plain
from tests.networks.counting import parameters

Z = np.random.RandomState(0).standard_normal((4, 6)).astype(np.float32)
LABELS = jnp.array([0, 2, 1, 2])


@pytest.mark.parametrize(
    ("resolution", "generator", "discriminator"),
    [(1024, 26_219_627, 23_087_249), (512, 26_179_768, 23_080_225), (256, 26_086_229, 23_052_353)],
)
def test_parameter_counts_are_the_published_ones(resolution, generator, discriminator):
    assert parameters(Generator(resolution), jnp.zeros((2, 512)), jnp.zeros(2, int)) == generator
    images = jax.ShapeDtypeStruct((2, resolution, resolution, 3), jnp.float32)
    assert parameters(Discriminator(resolution, blur=True), images) == discriminator


def test_classes_cost_a_table_and_columns_of_the_first_layer():
    sizes = [parameters(Generator(8, k), jnp.zeros((2, 512)), jnp.zeros(2, int)) for k in (0, 10)]
    assert sizes[1] - sizes[0] == 10 * 512 + 512 * 512
    shapes = jax.eval_shape(Generator(8).init, jax.random.key(0), jnp.zeros((2, 512)), jnp.zeros(2, int))
    mapping = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes["params"]["mapping"]))
    assert mapping == 2_101_248


@pytest.fixture(scope="module")
def small():
    """A generator of 4, 8 and 16 pixels, 12, 6 and 3 channels wide, and variables with no zeros among them."""
    network = Generator(16, 3, 6, 5, 2, 7, channel_base=48, channel_max=12, image_channels=2, truncation_cutoff=3)
    variables = jax.jit(network.init)(jax.random.key(1), Z, LABELS)
    keys = iter(jax.random.split(jax.random.key(7), 100))
    # The bias of a layer that learns a hundred times as slowly counts a hundredth.
    shift = lambda path, x: x + (30 if "mapping" in str(path) else 0.3) * jax.random.normal(next(keys), x.shape)  # noqa: E731
    variables["params"] = jax.tree_util.tree_map_with_path(shift, variables["params"])
    variables["buffers"]["w_avg"] = jnp.arange(5.0)
    return network, variables


def mapped(params):
    """w [4, 5] in plain numpy."""
    joined = np.concatenate([Z, np.asarray(params["embedding"]["embedding"])[np.asarray(LABELS)]], -1)
    x = plain.pixel_norm(joined.astype(np.float64))
    for name in ("dense0", "dense1"):
        x = plain.leaky(plain.dense(x, params[name], rate=0.01))
    return x


def synthesised(variables, ws, noise):
    """Images of all levels in plain numpy; noise(layer, stored) is what each layer gets."""
    params, buffers = variables["params"]["synthesis"], variables["buffers"]["synthesis"]
    layer = 0

    def epilogue(x, name):
        nonlocal layer
        own = params[name]
        x = x + np.asarray(own["noise_strength"]) * noise(layer, np.asarray(buffers[name]["noise"]))
        x = plain.leaky(x + np.asarray(own["bias"]))
        x = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-8)
        style = plain.dense(np.asarray(ws[:, layer]), own["style"], gain=1)[:, None, None]
        channels, layer = x.shape[-1], layer + 1
        return x * (1 + style[..., :channels]) + style[..., channels:]

    x, images = np.repeat(np.asarray(params["constant"])[None], len(ws), 0), []
    for side in (4, 8, 16):
        if side > 4:
            x = plain.blurred(plain.conv(plain.enlarged(x), params[f"conv0_{side}"]))
        x = epilogue(x, f"epilogue0_{side}")
        x = epilogue(plain.conv(x, params[f"conv1_{side}"]), f"epilogue1_{side}")
        images.append(plain.conv(x, params[f"to_rgb_{side}"], gain=1))
    return images


def styles(network, count=4):
    return np.random.RandomState(3).standard_normal((count, network.layers, network.dim_w)).astype(np.float32)


def test_mapping_normalises_latents_and_labels_together(small):
    network, variables = small
    ws = network.apply(variables, Z, LABELS, method="map")
    assert (ws.shape, ws.dtype) == ((4, 6, 5), jnp.float32)
    expected = np.repeat(mapped(variables["params"]["mapping"])[:, None], 6, 1)
    np.testing.assert_allclose(ws, expected, rtol=1e-4, atol=1e-5)
    vectors = network.apply(variables, Z, jax.nn.one_hot(LABELS, 3), method="map")
    np.testing.assert_allclose(ws, vectors, atol=1e-5)


def test_truncation_draws_the_first_layers_towards_the_average(small):
    network, variables = small
    ws = np.asarray(network.apply(variables, Z, LABELS, method="map"))
    truncated = network.apply(variables, Z, LABELS, truncation=0.5, method="map")
    np.testing.assert_allclose(truncated[:, :3], (ws[:, :3] + np.arange(5)) / 2, atol=1e-5)
    np.testing.assert_array_equal(truncated[:, 3:], ws[:, 3:])


def test_the_average_of_w_moves_only_when_asked(small):
    network, variables = small
    w = np.asarray(network.apply(variables, Z, LABELS, method="map"))[:, 0]
    for update, expected in ((True, 0.995 * np.arange(5) + 0.005 * w.mean(0)), (False, np.arange(5))):
        _, changed = network.apply(
            variables, Z, LABELS, update_average=update, method="map", mutable=["buffers", "growth"]
        )
        np.testing.assert_allclose(changed["buffers"]["w_avg"], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["constant", "none", "drawn"])
def test_synthesis_computes_each_level_with_any_noise(small, kind):
    network, variables = small
    ws = styles(network)

    def drawn(layer, shape):
        return jnp.full(shape, layer / 10.0) + jnp.arange(shape[0])[:, None, None, None]

    given, expected_noise = {
        "constant": ("constant", lambda layer, stored: stored),
        "none": (None, lambda layer, stored: 0.0),
        "drawn": (drawn, lambda layer, stored: np.asarray(drawn(layer, (4, *stored.shape[1:])))),
    }[kind]
    for level, expected in enumerate(synthesised(variables, ws, expected_noise)):
        images = network.apply(variables, ws, noise=given, level=level, method="synthesize")
        assert (images.shape, images.dtype) == ((4, 4 << level, 4 << level, 2), jnp.float32)
        np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-3)


def test_a_level_fades_in_and_samples_show_it(small):
    network, variables = small
    ws = styles(network)
    old, new = (np.asarray(network.apply(variables, ws, level=level, method="synthesize")) for level in (1, 2))
    for alpha in (0.0, 0.25, 1.0):
        images, changed = network.apply(
            variables, ws, level=2, alpha=jnp.float32(alpha), method="synthesize", mutable=["growth"]
        )
        np.testing.assert_allclose(images, (1 - alpha) * plain.enlarged(old) + alpha * new, atol=1e-4)
        assert changed["growth"]["synthesis"]["detail"] == 1 + alpha
        np.testing.assert_allclose(network.apply({**variables, **changed}, ws, method="synthesize"), images, atol=1e-4)


def test_a_level_takes_two_styles_and_each_layer_its_own(small):
    network, variables = small
    ws = styles(network)
    images = network.apply(variables, ws, level=1, method="synthesize")
    for layer in range(6):
        changed = network.apply(variables, np.array(ws) + np.eye(6)[layer][:, None], level=1, method="synthesize")
        assert (np.abs(changed - images).max() > 1e-3) == (layer < 4)


def test_a_call_maps_and_synthesises(small):
    network, variables = small
    ws = network.apply(variables, Z, LABELS, truncation=0.5, method="map")
    images = network.apply(variables, Z, LABELS, truncation=0.5)
    np.testing.assert_allclose(images, network.apply(variables, ws, method="synthesize"), atol=1e-5)
    assert np.abs(images - network.apply(variables, Z, LABELS)).max() > 1e-3
    assert np.abs(images - network.apply(variables, Z, LABELS, truncation=0.5, noise=None)).max() > 1e-3


def test_it_begins_as_published():
    network = Generator(16, dim_z=6, channel_base=48, channel_max=12)
    variables = jax.jit(network.init, static_argnames="level")(jax.random.key(0), Z, LABELS, level=1)
    params, buffers = variables["params"]["synthesis"], variables["buffers"]
    np.testing.assert_array_equal(params["constant"], np.ones((4, 4, 12)))
    assert not params["epilogue1_8"]["noise_strength"].any()
    assert not params["epilogue1_8"]["style"]["bias"].any()
    assert not buffers["w_avg"].any()
    assert variables["growth"]["synthesis"]["detail"] == 1
    np.testing.assert_allclose(variables["params"]["mapping"]["dense0"]["kernel"].std(), 100, rtol=0.1)
    noise = np.concatenate([np.ravel(layer["noise"]) for layer in buffers["synthesis"].values()])
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 1], atol=0.1)


def test_bfloat16_concerns_the_convolutions_and_not_the_images(small):
    network, variables = small
    full, half = (n.apply(variables, Z, LABELS) for n in (network, network.clone(dtype=jnp.bfloat16)))
    assert half.dtype == jnp.float32
    assert 0 < jnp.abs(half - full).max() < 0.1 * jnp.abs(full).max()
