"""StyleGAN2: published sizes and forward passes, noise, truncation, precision, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks.stylegan2 import Generator
from gan_jax.networks.stylegan2_discriminator import Discriminator
from gan_jax.weights import stylegan2 as names
from gan_jax.weights.places import from_variables, to_variables
from tests.networks.counting import count_parameters
from tests.reference import assert_array, cases, images, integers, nchw, normal, peer_tensors

HALF, FULL = {"channel_base": 16384}, {"channel_base": 32768}
CIFAR = {**FULL, "mapping_layers": 2}


@pytest.mark.parametrize(
    ("resolution", "classes", "settings", "architecture", "generator", "discriminator"),
    [
        (32, 0, {**HALF, "mapping_layers": 2}, "resnet", 19_947_539, 21_507_073),
        (64, 0, {**HALF, "mapping_layers": 2}, "resnet", 22_243_608, 23_407_361),
        (128, 0, {**HALF, "mapping_layers": 2}, "resnet", 22_949_277, 23_882_369),
        (256, 0, {**HALF, "mapping_layers": 2}, "resnet", 23_191_522, 24_001_089),
        (256, 0, HALF, "resnet", 24_767_458, 24_001_089),  # paper256
        (256, 0, FULL, "resnet", 30_034_338, 28_864_129),
        (512, 0, {**FULL, "mapping_layers": 2}, "resnet", 28_700_647, 28_982_849),
        (512, 0, FULL, "resnet", 30_276_583, 28_982_849),  # paper512, stylegan2
        (1024, 0, {**FULL, "mapping_layers": 2}, "resnet", 28_794_124, 29_012_513),
        (1024, 0, FULL, "resnet", 30_370_060, 29_012_513),  # paper1024, stylegan2
        (32, 0, CIFAR, "orig", 19_947_539, 20_720_641),
        (32, 10, CIFAR, "orig", 20_215_315, 23_089_664),
        (128, 1000, {**HALF, "mapping_layers": 2}, "resnet", 23_723_933, 26_758_272),
    ],
)
def test_parameter_counts_are_the_published_ones(resolution, classes, settings, architecture, generator, discriminator):
    assert count_parameters(Generator(resolution, classes, **settings), jnp.zeros((2, 512))) == generator
    pixels = jax.ShapeDtypeStruct((2, resolution, resolution, 3), jnp.float32)
    base = settings["channel_base"]
    network = Discriminator(resolution, classes, channel_base=base, architecture=architecture)
    assert count_parameters(network, pixels) == discriminator


CASES = ("sg2_uncond32", "sg2_cond64", "sg2_orig32")


def variables_of(network: str, layout: str = "layout_stylegan2") -> dict:
    tensors = peer_tensors(layout, network)
    return to_variables(tensors, names.places({name: tensor.shape for name, tensor in tensors.items()}))


def generator_of(config: dict) -> Generator:
    return Generator(
        config["res"],
        config["c_dim"],
        dim_w=config["w"],
        mapping_layers=config["map_layers"],
        channel_base=config["channel_base"],
        channel_max=config["channel_max"],
        architecture=config["G_arch"],
        conv_clamp=config.get("conv_clamp"),
    )


def discriminator_of(config: dict) -> Discriminator:
    return Discriminator(
        config["res"],
        config["c_dim"],
        channel_base=config["channel_base"],
        channel_max=config["channel_max"],
        architecture=config["D_arch"],
        mapping_layers=config.get("D_map_layers", 8),
        stddev_group=config["mbstd_group"],
        conv_clamp=config.get("conv_clamp"),
    )


@pytest.mark.parametrize("case", CASES)
def test_the_generator_is_the_published_one(case):
    config = cases("stylegan2")[case]["config"]
    network, variables, seed = generator_of(config), variables_of(f"{case}/G"), config["input_seed"]
    count, batch, classes = config["n"], config["G_batch"], max(config["c_dim"], 1)
    z = normal("z", (count, config["z"]), seed)
    labels = integers("c", (count,), seed, classes)
    synthesize = jax.jit(
        lambda ws, noise: network.apply(variables, ws, noise=noise, method="synthesize"), static_argnums=1
    )

    def mapped(rows, **options):
        return network.apply(variables, z[:rows], labels[:rows], method="map", **options)

    def check(key, images):
        assert_array(nchw(images)[: cases("stylegan2")[case]["arrays"][key]["shape"][0]], "stylegan2", case, key)

    ws = mapped(batch)
    assert network.num_ws == cases("stylegan2")[case]["arrays"]["num_ws"]["max_abs"]
    assert_array(ws[:, 0], "stylegan2", case, "ws")
    assert_array(mapped(batch, truncation=0.7)[:, 0], "stylegan2", case, "ws_psi0.7")
    assert_array(mapped(batch, truncation=0.7, cutoff=3)[0], "stylegan2", case, "ws_psi0.7_cutoff3")
    check("img_const", synthesize(ws, "constant"))
    check("img_none", synthesize(ws, None))
    check("img_const_unfused", synthesize(ws, "constant"))
    check("img_const_psi0.7", synthesize(mapped(batch, truncation=0.7), "constant"))
    mixed = normal("ws", (2, network.num_ws, config["w"]), seed)
    check("img_const_mixed_ws", synthesize(mixed, "constant"))
    _, changed = network.apply(variables, z, labels, update_average=True, method="map", mutable=["buffers"])
    assert_array(changed["buffers"]["mapping"]["w_avg"], "stylegan2", case, "w_avg_after_train_call")


@pytest.mark.parametrize("case", CASES)
def test_the_discriminator_is_the_published_one(case):
    config = cases("stylegan2")[case]["config"]
    seed, count = config["input_seed"], config["n"]
    x = images("x", (count, 3, config["res"], config["res"]), seed)
    labels = integers("c", (count,), seed, max(config["c_dim"], 1))
    logits = jax.jit(discriminator_of(config).apply)(variables_of(f"{case}/D"), x, labels).logits
    assert_array(logits[:, None], "stylegan2", case, "D")


@pytest.mark.parametrize("network", list(cases("layout_stylegan2")))
def test_names_and_layouts_there_and_back(network):
    tensors = peer_tensors("layout_stylegan2", network)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    back = from_variables(to_variables(tensors, names.places(shapes)), names.places(shapes), shapes)
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(back[name], tensor, err_msg=name)
