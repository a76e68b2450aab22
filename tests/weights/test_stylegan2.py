"""StyleGAN2-ADA: every tensor has the place that our networks have for it."""

import jax
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.networks.stylegan2 import Generator
from gan_jax.networks.stylegan2_discriminator import Discriminator
from gan_jax.weights import stylegan2
from gan_jax.weights.places import from_variables, to_variables
from tests.reference import cases, peer_tensors

CASES = ("sg2_uncond32", "sg2_cond64", "sg2_orig32")
LAYOUT = cases("layout_stylegan2")


@pytest.mark.parametrize("case", CASES)
def test_the_places_are_those_of_our_networks(case):
    config = cases("stylegan2")[case]["config"]
    widths = {"channel_base": config["channel_base"], "channel_max": config["channel_max"]}
    generator = Generator(
        config["res"], config["c_dim"], config["w"], config["map_layers"], architecture=config["G_arch"], **widths
    )
    discriminator = Discriminator(
        config["res"],
        config["c_dim"],
        architecture=config["D_arch"],
        mapping_layers=config.get("D_map_layers", 8),
        **widths,
    )
    labels = np.zeros(2, np.int32)
    images = np.zeros((2, config["res"], config["res"], 3), np.float32)
    check(generator, (np.zeros((2, config["z"]), np.float32), labels), f"{case}/G")
    check(discriminator, (images, labels), f"{case}/D")


def check(module, inputs, network):
    tensors = peer_tensors("layout_stylegan2", network)
    found = to_variables(tensors, stylegan2.places({name: tensor.shape for name, tensor in tensors.items()}))
    wanted = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    assert jax.tree.all(jax.tree.map(lambda a, b: a.shape == b.shape, found, wanted))


@pytest.mark.parametrize("network", LAYOUT)
def test_there_and_back_is_the_identity(network):
    tensors = peer_tensors("layout_stylegan2", network)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    places = stylegan2.places(shapes)
    back = from_variables(to_variables(tensors, places), places, shapes)
    assert back.keys() == tensors.keys()
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, tensors[name], err_msg=name)


def test_designed_filters_are_left_out():
    filters = [name for name, _, checksum in LAYOUT["sg2_uncond32/G"]["tensors"] if checksum is None]
    assert filters
    assert set(stylegan2.places(dict.fromkeys(filters, (4, 4))).values()) == {None}


def test_upsampling_kernels_of_the_generator_alone_are_flipped():
    kernel = np.arange(2 * 3 * 9).reshape(2, 3, 3, 3)
    names = ["synthesis.b8.conv0.weight", "synthesis.b8.conv1.weight", "b8.conv0.weight"]
    places = stylegan2.places(dict.fromkeys(names, kernel.shape))
    upsampling, plain, down = (places[name].layout.ours(kernel) for name in names)
    assert upsampling[0, 2, 1, 0] == kernel[0, 1, 2, 0]
    np.testing.assert_array_equal(plain, down)
    assert plain[0, 2, 1, 0] == kernel[0, 1, 0, 2]


def test_the_dense_layer_after_4x4_reads_channels_last():
    weight = np.arange(5 * 3 * 16).reshape(5, 48)
    ours = stylegan2.places({"b4.fc.weight": weight.shape})["b4.fc.weight"].layout.ours(weight)
    assert ours[(4 * 1 + 2) * 3 + 1, 4] == weight[4, 16 * 1 + 4 * 1 + 2]


def test_a_tensor_of_another_network_is_named():
    with pytest.raises(UserError, match="no tensor synthesis.input.freqs"):
        stylegan2.places({"synthesis.input.freqs": (3, 2)})
