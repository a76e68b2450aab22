"""R3GAN's networks: published sizes, forward vectors, what a block computes, precision, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks.r3gan import Discriminator, Generator, ResidualBlock, grouped_conv
from gan_jax.weights.places import to_variables
from gan_jax.weights.r3gan import places
from tests.networks.counting import count_parameters
from tests.networks.outputs import numbers
from tests.reference import assert_array, cases, images, integers, nchw, normal, peer_tensors

WIDE, FFHQ = (768,) * 4, (768,) * 4 + (384, 192, 96)
PUBLISHED = {  # widths, groups, classes, embeddings of G and D, parameters of G and D
    "CIFAR-10": (WIDE, (96,) * 4, 10, (64, 768), (20_781_952, 21_280_512)),
    "CIFAR-10 without classes": (WIDE, (96,) * 4, 0, (64, 768), (20_732_160, 20_683_776)),
    "FFHQ-64": (FFHQ[:5], (96,) * 4 + (48,), 0, (64, 768), (22_429_824, 22_381_440)),
    "FFHQ-256": (FFHQ, (96,) * 4 + (48, 24, 12), 0, (64, 768), (23_057_952, 23_009_568)),
    "ImageNet-32": ((1536,) * 4, (96,) * 4, 1000, (64, 1536), (82_914_304, 86_548_992)),
    "ImageNet-64": ((1536,) * 5, (96,) * 5, 1000, (64, 1536), (103_570_432, 107_205_120)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts_are_the_published_ones(name):
    widths, groups, classes, embeddings, counts = PUBLISHED[name]
    side = 2 << len(widths)
    stages = {"widths": widths, "groups": groups, "blocks": (2,) * len(widths)}
    generator = Generator(side, classes, **stages, embedding_dim=embeddings[0])
    discriminator = Discriminator(side, classes, **stages, embedding_dim=embeddings[1])
    found = (
        count_parameters(generator, jnp.zeros((2, 64))),
        count_parameters(discriminator, jnp.zeros((2, side, side, 3))),
    )
    assert found == counts


def published(case: str):
    """Generator, discriminator, their variables, and z, images and labels of a case of the vectors."""
    config = cases("r3gan")[case]["config"]
    side, batch, seed = config["resolution"], config["batch"], config["input_seed"]
    stages = {"widths": tuple(config["W"]), "groups": tuple(config["C"]), "blocks": tuple(config["B"])}
    given = (side, config["cond"] or 0)
    networks = [network(*given, **stages, embedding_dim=config["emb"]) for network in (Generator, Discriminator)]
    variables = []
    for name in ("G", "D"):
        tensors = peer_tensors("layout_r3gan", f"{case}/{name}")
        variables.append(to_variables(tensors, places({name: tensor.shape for name, tensor in tensors.items()})))
    z, x = normal("z", (batch, config["nz"]), seed), images("x", (batch, 3, side, side), seed)
    return networks, variables, z, x, integers("y", (batch,), seed, config["cond"] or 1)


@pytest.mark.parametrize("case", ["r3_uncond32", "r3_cond16"])
def test_images_and_logits_equal_the_published_ones(case):
    (generator, discriminator), (g, d), z, x, labels = published(case)
    assert_array(nchw(jax.jit(generator.apply)(g, z, labels)), "r3gan", case, "G")
    assert_array(jax.jit(discriminator.apply)(d, x, labels).logits, "r3gan", case, "D")


def test_one_hot_vectors_are_class_numbers_and_classes_differ():
    (generator, discriminator), (g, d), z, x, labels = published("r3_cond16")
    for network, variables, inputs in ((generator, g, z), (discriminator, d, x)):
        apply = jax.jit(network.apply)
        said, by_vector, others = (
            numbers(apply(variables, inputs, given)) for given in (labels, jax.nn.one_hot(labels, 5), (labels + 1) % 5)
        )
        np.testing.assert_allclose(by_vector, said, rtol=1e-5, atol=1e-6)
        assert np.abs(others - said).min() > 1e-6


def test_a_grouped_convolution_sees_the_channels_of_its_group_alone():
    """Against one convolution with a kernel that is zero between groups, and in both forms that a backend may get."""
    x, kernel = normal("x", (2, 5, 6, 12), 0), normal("kernel", (3, 3, 4, 6), 1)
    whole = np.zeros((3, 3, 12, 6), np.float32)
    for group in range(3):
        whole[:, :, 4 * group : 4 * group + 4, 2 * group : 2 * group + 2] = kernel[..., 2 * group : 2 * group + 2]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = sum(padded[:, i : i + 5, j : j + 6] @ whole[i, j] for i in range(3) for j in range(3))
    np.testing.assert_allclose(grouped_conv(x, kernel, 3), expected, rtol=1e-5, atol=1e-5)
    elsewhere = (
        jax.jit(grouped_conv, static_argnums=2).trace(x, kernel, 3).lower(lowering_platforms=("cuda",)).as_text()
    )
    here = jax.jit(grouped_conv, static_argnums=2).lower(x, kernel, 3).as_text()
    assert [text.count("stablehlo.convolution") for text in (elsewhere, here)] == [1, 3]
    assert "feature_group_count = 3" in elsewhere


def test_a_block_adds_three_layers_with_leaky_units_between():
    """At one pixel a 3x3 convolution is its central weights."""
    block = ResidualBlock(groups=2, depth=4, dtype=jnp.float32)
    x = np.array([[1.0, -2.0]], np.float32)
    pixel = x.reshape(1, 1, 1, 2)
    params = block.init(jax.random.key(0), pixel)["params"]
    np.testing.assert_array_equal(block.apply({"params": params}, pixel), pixel)  # it begins as the identity

    params = jax.tree.map(lambda leaf: normal("w", leaf.shape, leaf.size), params)
    leaky = lambda values: np.where(values > 0, values, 0.2 * values)  # noqa: E731
    wide = leaky(x @ params["conv1"]["kernel"] + params["conv1"]["bias"])
    centre = params["conv2"]["kernel"][1, 1]
    grouped = np.concatenate([wide[:, :2] @ centre[:, :2], wide[:, 2:] @ centre[:, 2:]], axis=1)
    expected = x + leaky(grouped + params["conv2"]["bias"]) @ params["conv3"]["kernel"]
    np.testing.assert_allclose(block.apply({"params": params}, pixel).reshape(1, 2), expected, rtol=1e-5)


def test_weights_begin_as_published():
    stages = {"widths": (256, 128), "groups": (4, 2), "blocks": (1, 3)}
    label = jnp.zeros(1, int)
    generator, discriminator = (network(8, 9, **stages, embedding_dim=400) for network in (Generator, Discriminator))
    g = jax.jit(generator.init)(jax.random.key(0), jnp.zeros((1, 112)), label)["params"]
    d = jax.jit(discriminator.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), label)["params"]
    gain = (2 / 1.04) ** 0.5 * 4**-0.25
    for kernel, expected in (
        (g["block_4_0"]["conv1"]["kernel"], gain / 256**0.5),
        (g["block_8_1"]["conv2"]["kernel"], gain / (9 * 128) ** 0.5),
        (g["coefficients"]["kernel"], 1 / 512**0.5),
        (g["up_8"]["kernel"], 1 / 256**0.5),
        (g["basis"], 1),
        (g["embedding"]["embedding"], 1 / 9**0.5),
        (d["embedding"]["embedding"], 1 / (9 * 400) ** 0.5),
        (d["basis"], 1 / 4),
        (d["features"]["kernel"], 1 / 256**0.5),
        (d["down_8"]["kernel"], 1 / 128**0.5),
    ):
        np.testing.assert_allclose(kernel.std(), expected, rtol=0.05)
    for network in (g, d):
        for i in range(3):
            assert not network[f"block_8_{i}"]["conv3"]["kernel"].any()


def test_bfloat16_begins_above_the_lowest_stages():
    stages = {"widths": (8, 8), "groups": (2, 2), "blocks": (1, 1)}
    z, x, label = jnp.ones((2, 4)), jnp.ones((2, 8, 8, 3)), jnp.zeros(2, int)
    for network, inputs in ((Generator(8, 0, **stages), z), (Discriminator(8, 0, **stages), x)):
        variables = jax.jit(network.init)(jax.random.key(0), inputs, label)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}

        def run(network, inputs=inputs, variables=variables):
            apply = jax.jit(lambda v, i: network.apply(v, i, label, capture_intermediates=True))
            output, seen = apply(variables, inputs)
            return numbers(output), [seen["intermediates"][f"block_{side}_0"]["__call__"][0].dtype for side in (4, 8)]

        (full, _), (half, dtypes) = run(network), run(network.clone(dtype=jnp.bfloat16))
        assert dtypes == [jnp.float32, jnp.bfloat16]
        assert half.dtype == jnp.float32
        assert 0 < jnp.abs(full - half).max() < 0.1
        np.testing.assert_array_equal(run(network.clone(dtype=jnp.bfloat16, float32_stages=2))[0], full)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 32}, r"resolution is 32 and .*'widths': 2"),
        ({"groups": (2,)}, "'groups': 1"),
        ({"groups": (2, 3)}, r"widths \(8, 8\) and groups \(2, 3\)"),
        ({"widths": (8, 0)}, r"widths \(8, 0\)"),
    ],
)
def test_stages_that_do_not_fit_are_a_sentence(changes, message):
    stages = {"resolution": 8, "num_classes": 0, "widths": (8, 8), "groups": (2, 2), "blocks": (1, 1)}
    for network, inputs in ((Generator, jnp.ones((1, 4))), (Discriminator, jnp.ones((1, 8, 8, 3)))):
        with pytest.raises(ConfigError, match=message):
            jax.eval_shape(network(**stages | changes).init, jax.random.key(0), inputs, jnp.zeros(1, int))
