"""StyleGAN3: published sizes, layers, filters and forward passes; the transform; averages; precision; what is refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers.modulated_conv import modulated_conv
from gan_jax.networks import stylegan3_filters as filters
from gan_jax.networks.stylegan3 import FourierFeatures, Generator
from gan_jax.weights.places import to_variables
from gan_jax.weights.stylegan3 import places
from tests.networks.counting import count_parameters
from tests.reference import arrays, assert_array, cases, integers, nchw, normal, peer_tensors, uniform

R = {"kernel_size": 1, "radial": True, "channel_max": 1024}


@pytest.mark.parametrize(
    ("resolution", "settings", "parameters"),
    [
        (256, {"channel_base": 16384}, 23_320_443),
        (256, {}, 28_472_133),
        (512, {}, 24_873_519),
        (1024, {}, 22_313_167),
        (256, {**R, "channel_base": 32768}, 15_779_565),
        (512, {**R, "channel_base": 65536}, 16_665_594),
        (1024, {**R, "channel_base": 65536}, 15_093_151),
    ],
)
def test_parameter_counts_are_the_published_ones(resolution, settings, parameters):
    assert count_parameters(Generator(resolution, 0, **settings), jnp.zeros((2, 512))) == parameters


WIDE = [512] * 7


@pytest.mark.parametrize(
    ("resolution", "channel_base", "channels", "sizes"),
    [
        (
            1024,
            32768,
            [*WIDE, 323, 203, 128, 81, 51, 32, 32, 3],
            [36, 36, 52, 52, 84, 148, 148, 276, 276, 532, 1044, 1044, 1044, 1024, 1024],
        ),
        (
            256,
            16384,
            [*WIDE, 362, 256, 181, 128, 91, 64, 64, 3],
            [36, 36, 36, 52, 52, 84, 84, 148, 148, 148, 276, 276, 276, 256, 256],
        ),
    ],
)
def test_the_layers_of_stylegan3_t_are_the_published_ones(resolution, channel_base, channels, sizes):
    table = filters.layers(resolution, channel_base, 512, kernel_size=3, radial=False)
    assert [layer.target.channels for layer in table] == channels
    assert [layer.target.size for layer in table] == sizes
    assert [layer.name for layer in table] == [
        f"L{i}_{s}_{c}" for i, (s, c) in enumerate(zip(sizes, channels, strict=True))
    ]


CASES = ("sg3t_32", "sg3r_32")


def settings_of(case):
    given = cases("stylegan3")[case]["config"]["kw"]
    return {
        "channel_base": given["channel_base"],
        "channel_max": given["channel_max"],
        "kernel_size": given.get("conv_kernel", 3),
        "radial": given.get("use_radial_filters", False),
    }


@pytest.mark.parametrize("case", CASES)
def test_layers_and_filters_are_the_published_ones(case):
    table = filters.layers(cases("stylegan3")[case]["config"]["res"], **settings_of(case))
    for layer, (name, expected) in zip(table, cases("stylegan3")[case]["layers"], strict=True):
        assert (layer.name, layer.source.size, layer.target.size) == (name, expected["in_size"], expected["out_size"])
        signals = (layer.source, layer.target)
        np.testing.assert_allclose([signal.cutoff for signal in signals], expected["cutoffs"], rtol=1e-8)
        np.testing.assert_allclose([signal.half_width for signal in signals], expected["half_widths"], rtol=1e-8)
        if layer.to_image:
            continue
        assert layer.padding * 2 == tuple(expected["padding"])
        assert (layer.up, layer.down, layer.radial) == tuple(expected[key] for key in ("up", "down", "radial"))
        assert layer.up_filter.shape == (expected["up_taps"],)
        assert layer.down_filter.shape == (expected["down_taps"],) * (2 if layer.radial else 1)
        for direction in ("up", "down"):
            key, taps = f"{case}/filter/{name}/{direction}", getattr(layer, f"{direction}_filter")
            np.testing.assert_allclose(taps.sum(), 1)
            if key in arrays("stylegan3"):
                np.testing.assert_allclose(taps, arrays("stylegan3")[key], atol=2e-8)


def response(taps, frequency, angle):
    """Of taps [k, k] at 32 samples a side to a wave of this frequency and direction."""
    time = (np.arange(len(taps)) - (len(taps) - 1) / 2) / 32
    along = np.cos(angle) * time[:, None] + np.sin(angle) * time
    return (taps * np.cos(2 * np.pi * frequency * along)).sum()


def test_radial_filters_treat_all_directions_alike_and_separable_ones_do_not():
    straight = filters.low_pass(24, 4.0, 8.0, 32)
    taps = {"radial": filters.radial_low_pass(24, 4.0, 8.0, 32), "separable": np.outer(straight, straight)}
    for frequency in (1.0, 4.0, 6.0):
        along, across = (response(taps["radial"], frequency, angle) for angle in (0, np.pi / 4))
        np.testing.assert_allclose(along, across, atol=0.005)
    along, across = (response(taps["separable"], 4.0, angle) for angle in (0, np.pi / 4))
    np.testing.assert_allclose(along, 0.5, atol=0.01)  # the cutoff
    assert across > along + 0.1
    for kind in taps.values():
        np.testing.assert_allclose([response(kind, f, 0.3) for f in (0.0, 0.5, 10.0)], [1, 1, 0], atol=0.02)


@pytest.fixture(scope="module", params=CASES)
def published(request):
    """A case, its network, our variables with the published tensors, ws of its latents, and jitted synthesis."""
    case, config = request.param, cases("stylegan3")[request.param]["config"]
    network = Generator(
        config["res"],
        config["c_dim"],
        dim_w=config["w"],
        mapping_layers=config["map_layers"],
        magnitude_decay=config["kw"].get("magnitude_ema_beta", 0.999),
        **settings_of(case),
    )
    tensors = peer_tensors("layout_stylegan3", f"{case}/G")
    variables = to_variables(tensors, places({name: tensor.shape for name, tensor in tensors.items()}))
    batch, seed = config["batch"], config["input_seed"]
    inputs = normal("z", (batch, config["z"]), seed), integers("c", (batch,), seed, max(config["c_dim"], 1))

    run = jax.jit(lambda *inputs: network.apply(*inputs[:2], transform=inputs[2], method="synthesize"))
    return case, network, variables, inputs, functools.partial(run, variables)


def check(case, key, images):
    count = cases("stylegan3")[case]["arrays"][key]["shape"][0]
    assert_array(nchw(images)[:count], "stylegan3", case, key)


def test_the_variables_are_those_of_the_published_network(published):
    _, network, variables, inputs, _ = published
    shapes = jax.eval_shape(network.init, jax.random.key(0), *inputs)
    assert jax.tree.map(lambda x: x.shape, shapes) == jax.tree.map(lambda x: x.shape, variables)


def test_images_are_the_published_ones(published):
    case, network, variables, inputs, synthesize = published
    config, still = cases("stylegan3")[case]["config"], jnp.eye(3)
    ws = network.apply(variables, *inputs, method="map")
    truncated = network.apply(variables, *inputs, method="map", truncation=0.7)
    assert ws.shape[1] == network.num_ws
    assert_array(ws[:, 0], "stylegan3", case, "ws")
    assert_array(truncated[:, 0], "stylegan3", case, "ws_psi0.7")
    check(case, "img", synthesize(ws, still))
    check(case, "img_psi0.7_stride2", synthesize(truncated, still)[:, ::2, ::2])
    mixed = normal("ws", (config["batch"], network.num_ws, config["w"]), config["input_seed"])
    check(case, "img_mixed_ws", synthesize(mixed, still))
    if config["transform"]:
        check(case, "img_transform", synthesize(ws, jnp.array(config["transform"])))
        own = jnp.stack([jnp.array(config["transform"]), still])  # one for each image
        np.testing.assert_allclose(synthesize(ws, own)[1:], synthesize(ws, still)[1:], atol=1e-6)


def test_fourier_features_are_the_published_ones(published):
    case, network, variables, inputs, _ = published
    signal = filters.layers(network.resolution, **settings_of(case))[0].source
    own = {name: tree["synthesis"]["input"] for name, tree in variables.items()}
    w = network.apply(variables, *inputs, method="map")[:, 0]
    check(case, "input_features", FourierFeatures(signal).apply(own, w, jnp.eye(3)))


def test_averages_move_as_published_and_only_when_asked(published):
    case, network, variables, inputs, _ = published

    @jax.jit
    def trained(variables):
        ws, moved = network.apply(variables, *inputs, update_average=True, method="map", mutable=["buffers"])
        images, again = network.apply(
            {**variables, **moved}, ws, update_magnitudes=True, method="synthesize", mutable=["buffers"]
        )
        return images, again["buffers"]

    images, buffers = trained(variables)
    check(case, "img_update_emas", images)
    assert_array(buffers["mapping"]["w_avg"], "stylegan3", case, "w_avg_after")
    names = [name for name, _ in cases("stylegan3")[case]["layers"]]
    magnitudes = np.array([buffers["synthesis"][name]["magnitude_ema"] for name in names])
    assert_array(magnitudes, "stylegan3", case, "magnitude_ema_after")
    before = variables["buffers"]["synthesis"]
    np.testing.assert_array_equal(buffers["synthesis"]["input"]["freqs"], before["input"]["freqs"])

    ws = jax.ShapeDtypeStruct((2, network.num_ws, network.dim_w), jnp.float32)
    plain = jax.make_jaxpr(lambda ws: network.apply(variables, ws, method="synthesize", mutable=["buffers"])[1])(ws)
    assert all(hasattr(value, "val") or value in plain.jaxpr.constvars for value in plain.jaxpr.outvars)


def test_initial_features_fill_the_band_and_do_not_depend_on_w():
    signal = filters.Signal(channels=256, size=36, rate=16, cutoff=2.0, half_width=6.0)
    module = FourierFeatures(signal)
    variables = module.init(jax.random.key(0), jnp.zeros((1, 8)), jnp.eye(3))
    radius = np.linalg.norm(variables["buffers"]["freqs"], axis=1)
    assert 1.7 < radius.max() <= 2.0
    assert np.abs(variables["buffers"]["phases"]).max() <= 0.5
    features = module.apply(variables, jax.random.normal(jax.random.key(1), (2, 8)), jnp.eye(3))
    np.testing.assert_array_equal(features[0], features[1])
    np.testing.assert_allclose(features.var(), 0.5, rtol=0.25)


def test_a_transform_says_where_the_scene_is_sampled():
    """One sample to the right and two down in the scene is one to the left and two up in the features."""
    signal = filters.Signal(channels=4, size=36, rate=16, cutoff=2.0, half_width=6.0)
    module, w = FourierFeatures(signal), jnp.zeros((1, 8))
    variables = module.init(jax.random.key(0), w, jnp.eye(3))
    still = module.apply(variables, w, jnp.eye(3))
    moved = module.apply(variables, w, jnp.eye(3).at[:2, 2].set(jnp.array([1 / 16, 2 / 16])))
    np.testing.assert_allclose(moved[:, :-2, :-1], still[:, 2:, 1:], atol=1e-4)
    quarter = module.apply(variables, w, jnp.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]))
    np.testing.assert_allclose(quarter, jnp.rot90(still, 1, (1, 2)), atol=1e-4)
    beyond = module.apply(variables, w, jnp.diag(jnp.array([100.0, 100, 1])))  # all frequencies above the limit
    assert np.abs(beyond).max() < 0.2 * np.abs(still).max()


@pytest.mark.parametrize("number", range(3))
def test_the_shared_modulated_convolution_does_what_that_of_this_code_base_does(number):
    """There the input gain is part of the kernel, and kernel and styles are scaled first, which demodulation undoes."""
    seed = cases("stylegan3")["ops"]["config"]["input_seed"]
    x = normal("x", (2, 3, 9, 8), seed).transpose(0, 2, 3, 1)
    kernel = normal(f"w{number}", (4, 3, 3, 3), seed).transpose(2, 3, 1, 0)
    gain = [1.0, uniform("ig1", (3,), seed) + 0.5, uniform("ig2", (2, 3), seed)[:, None, None] + 0.5][number]
    padded = jnp.pad(x * gain, ((0, 0), (1, 1), (1, 1), (0, 0)))
    styles = normal(f"s{number}", (2, 3), seed) + 1
    result = modulated_conv(padded, kernel, styles, demodulate=number != 1)
    assert_array(nchw(result), "stylegan3", "ops", f"modulated_conv{number}")


def equations(jaxpr):
    """All of them, in order, those of inner functions too."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            if hasattr(value, "jaxpr"):
                yield from equations(value.jaxpr)


def test_only_the_highest_rates_compute_in_low_precision():
    small = {"dim_w": 8, "channel_base": 512, "channel_max": 4}
    full, half = (Generator(256, 0, dtype=dtype, half_resolutions=2, **small) for dtype in (jnp.float32, jnp.bfloat16))
    ws = jax.ShapeDtypeStruct((1, full.num_ws, 8), jnp.float32)
    variables = jax.eval_shape(full.init, jax.random.key(0), jnp.zeros((1, 8)), jnp.zeros(1, jnp.int32))

    def dtypes(network):
        """Of the convolutions' results, one in a layer."""
        jaxpr = jax.make_jaxpr(lambda v, ws: network.apply(v, ws, method="synthesize"))(variables, ws)
        assert jaxpr.out_avals[0].dtype == jnp.float32
        return [e.outvars[0].aval.dtype for e in equations(jaxpr.jaxpr) if e.primitive.name == "conv_general_dilated"]

    assert set(dtypes(full)) == {jnp.dtype(jnp.float32)}
    rates = [layer.target.rate for layer in filters.layers(256, 512, 4, 3, False)]
    assert [dtype == jnp.bfloat16 for dtype in dtypes(half)] == [rate >= 128 for rate in rates]


@pytest.mark.parametrize("resolution", [8, 48, 0])
def test_other_resolutions_are_refused(resolution):
    with pytest.raises(ConfigError, match=rf"config\.data\.resolution is {resolution}: .* a power of two from 16"):
        filters.layers(resolution, 32768, 512, 3, False)


def test_too_few_channels_are_refused():
    with pytest.raises(ConfigError, match=r"config\.model\.G\.channel_base is 128: .* at least the resolution, 256"):
        filters.layers(256, 128, 512, 3, False)
