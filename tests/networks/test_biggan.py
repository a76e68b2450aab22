"""BigGAN: parameter counts of the published networks, and BigGAN-PyTorch's own numbers for small ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks.biggan import Discriminator, Generator
from tests import reference
from tests.networks import plain
from tests.networks.counting import count_parameters
from tests.reference import Peer

GENERATOR_COUNTS = {
    "SNGAN 128": (Generator(128, 1000, 64, 128, hierarchical=False, shared_embedding=False), 41_996_931),
    "SAGAN 128": (
        Generator(128, 1000, 64, 128, hierarchical=False, shared_embedding=False, attention=(64,)),
        42_017_412,
    ),
    "SNGAN CIFAR": (Generator(32, 0, 64, 128, hierarchical=False, sn_eps=None), 4_276_739),
    "CIFAR-10": (Generator(32, 10, 64, 128, hierarchical=False, shared_embedding=False), 4_304_387),
    "CIFAR-100": (Generator(32, 100, 64, 128, hierarchical=False, shared_embedding=False), 4_580_867),
    "32": (Generator(32, 10, 96, 80), 9_231_875),
    "StudioGAN 32": (Generator(32, 10, 96, 80, attention=(16,)), 9_416_196),
    "64, ch 64": (Generator(64, 1000, 64, 120, attention=(32,)), 31_969_540),
    "64": (Generator(64, 1000, 96, 120, attention=(32,)), 70_377_348),
    "128, ch 64": (Generator(128, 1000, 64, 120, attention=(64,)), 31_978_628),
    "128": (Generator(128, 1000, 96, 120, attention=(64,)), 70_433_988),
    "256": (Generator(256, 1000, 96, 140, attention=(128,)), 82_097_604),
    "512": (Generator(512, 1000, 96, 160, attention=(64,)), 82_468_068),
    "512, TF-Hub": (Generator(512, 1000, 96, 128, attention=(64,)), 82_296_804),
}
DISCRIMINATOR_COUNTS = {
    "SNGAN 128": (Discriminator(128, 1000, 64, wide=False), 30_005_013),
    "SAGAN 128": (Discriminator(128, 1000, 64, attention=(64,)), 39_448_258),
    "CIFAR-10": (Discriminator(32, 10, 64), 4_207_361),
    "CIFAR-100": (Discriminator(32, 100, 64), 4_230_401),
    "32": (Discriminator(32, 10, 96), 9_456_769),
    "StudioGAN 32": (Discriminator(32, 10, 48, attention=(16,)), 2_415_170),
    "64, ch 64": (Discriminator(64, 1000, 64, attention=(32,)), 20_571_842),
    "64": (Discriminator(64, 1000, 96, attention=(32,)), 45_511_970),
    "128": (Discriminator(128, 1000, 96, attention=(64,)), 87_982_370),
    "256": (Discriminator(256, 1000, 96, attention=(128,)), 99_191_330),
    "256, compare_gan": (Discriminator(256, 1000, 96, attention=(64,), equal_width_shortcut=False), 98_635_298),
    "512, compare_gan": (Discriminator(512, 1000, 96, attention=(64,), equal_width_shortcut=False), 98_801_378),
}


@pytest.mark.parametrize("name", GENERATOR_COUNTS)
def test_generator_parameter_count(name):
    module, expected = GENERATOR_COUNTS[name]
    assert count_parameters(module, jnp.zeros((2, module.latent_dim))) == expected


@pytest.mark.parametrize("name", DISCRIMINATOR_COUNTS)
def test_discriminator_parameter_count(name):
    module, expected = DISCRIMINATOR_COUNTS[name]
    images = jax.ShapeDtypeStruct((2, module.resolution, module.resolution, 3), jnp.float32)
    assert count_parameters(module, images) == expected


CASES = {
    "bg32_hier": (
        Generator(32, 5, 8, 20, 12, attention=(16,)),
        Discriminator(32, 5, 8, attention=(16, 8)),
    ),
    "bg64_hier": (
        Generator(64, 4, 4, 30, 8, attention=(32,), bn_eps=1e-4, sn_eps=1e-4),
        Discriminator(64, 4, 8, attention=(32,), sn_eps=1e-4),
    ),
    "bg32_unshared": (
        Generator(32, 7, 4, 16, hierarchical=False, shared_embedding=False, sn_eps=1e-8),
        Discriminator(32, 7, 4, wide=False, sn_eps=1e-8),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_generator_equals_biggan_pytorch(case):
    reference.check_generator(CASES[case][0], Peer(f"{case}/G"), case)


@pytest.mark.parametrize("case", CASES)
def test_discriminator_equals_biggan_pytorch(case):
    reference.check_discriminator(CASES[case][1], Peer(f"{case}/D"), case)


def test_discriminator_equals_biggan_pytorch_on_real_and_fake_apart():
    """One call on a batch and two calls on its halves from the same variables give the same logits."""
    module, peer = CASES["bg32_unshared"][1], Peer("bg32_unshared/D")
    variables = peer.variables()
    images, labels = reference.images("x", (4, 3, 32, 32), 0), jnp.arange(4)

    @jax.jit
    def apply(x, y):
        verdict, advanced = module.apply(variables, x, y, mutable=["spectral"])
        return verdict.logits, advanced

    together, advanced = apply(images, labels)
    first, _ = apply(images[:2], labels[:2])
    second, again = apply(images[2:], labels[2:])
    assert jnp.allclose(together, jnp.concatenate([first, second]), atol=1e-5)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, advanced, again))


@pytest.mark.parametrize(
    "module",
    [
        Generator(16, 0, 4, 12, weight_init="N02"),
        Generator(16, 0, 4, 12, hierarchical=False, weight_init="N02"),
        Generator(16, 3, 4, 12, shared_dim=0, hierarchical=False, weight_init="N02"),
    ],
    ids=["unconditional, hierarchical", "unconditional", "shared, not hierarchical"],
)
def test_other_conditionings_at_16_pixels(module):
    z, labels = jnp.ones((2, module.latent_dim)), jnp.array([0, 1])
    images, _ = jax.jit(lambda key: module.init_with_output(key, z, labels, train=False))(jax.random.key(0))
    assert images.shape == (2, 16, 16, 3)
    assert (module.num_classes == 0) == bool(jnp.array_equal(images[0], images[1]))


def test_unconditional_discriminator_at_16_pixels_ignores_labels():
    module = Discriminator(16, 0, 4, weight_init="N02")
    images = jnp.ones((2, 16, 16, 1))
    labels = jnp.array([0, 1])
    verdict, _ = jax.jit(lambda key: module.init_with_output(key, images, labels))(jax.random.key(0))
    assert verdict.logits.shape == (2,)
    assert verdict.logits[0] == verdict.logits[1]


def test_a_discriminator_may_have_another_head_and_mean_features():
    images, labels = jnp.ones((2, 16, 16, 1)), jnp.array([0, 1])
    summed = Discriminator(16, 3, 4, head={"questions": {"classes": 3}})
    variables = summed.init(jax.random.key(0), images, labels)
    by_sum, by_mean = (m.apply(variables, images, labels) for m in (summed, summed.clone(pool="mean")))
    assert by_sum.answers["classes"].shape == (2, 3)
    assert jnp.allclose(by_sum.features, 16 * by_mean.features, rtol=1e-5)  # of 4 x 4 pixels
    with pytest.raises(ConfigError, match="pool is 'max'"):
        summed.clone(pool="max").apply(variables, images, labels)


def test_latent_dim_is_a_multiple_of_the_chunks():
    assert Generator(32, 10, dim_z=128).latent_dim == 128
    assert Generator(128, 10, dim_z=128).latent_dim == 126
    assert Generator(128, 10, dim_z=128, hierarchical=False).latent_dim == 128


def test_bfloat16_keeps_parameters_statistics_images_and_logits_in_float32():
    generator = Generator(16, 3, 4, 12, attention=(8,), dtype=jnp.bfloat16)
    discriminator = Discriminator(16, 3, 4, attention=(8,), dtype=jnp.bfloat16)
    labels = jnp.arange(2)
    images, g = jax.eval_shape(generator.init_with_output, jax.random.key(0), jnp.ones((2, 12)), labels)
    verdict, d = jax.eval_shape(discriminator.init_with_output, jax.random.key(0), images, labels)
    assert {leaf.dtype for leaf in jax.tree.leaves((images, g, verdict, d))} == {jnp.dtype("float32")}
    hlo = jax.jit(generator.apply).lower(g, jnp.ones((2, 12)), labels).as_text()
    convolutions = [line for line in hlo.splitlines() if "stablehlo.convolution" in line]
    assert convolutions
    assert all("xbf16>" in line and "xf32>" not in line for line in convolutions)


@pytest.mark.parametrize(
    ("norm", "shared"),
    [("categorical", True), ("categorical", False), ("conditional", False), ("self_modulated", False)],
)
def test_a_named_normalisation_that_wants_a_condition_is_given_the_class(norm, shared):
    generator = Generator(16, 3, 4, 12, hierarchical=False, shared_embedding=shared, norm=norm, sn_eps=None)
    z = jnp.broadcast_to(jax.random.normal(jax.random.key(1), (1, 12)), (3, 12))

    @jax.jit
    def images(z):  # tables begin at zero
        variables = generator.init(jax.random.key(0), z, jnp.arange(3))
        moved = jax.tree.map(lambda w: w + 0.1 * jnp.cos(jnp.arange(w.size)).reshape(w.shape), variables["params"])
        return generator.apply({**variables, "params": moved}, z, jnp.arange(3), train=False)

    images = images(z)
    assert np.isfinite(images).all()
    assert np.abs(images[0] - images[1]).max() > 1e-4
    assert np.abs(images[1] - images[2]).max() > 1e-4


def test_labels_joined_to_the_map_in_the_middle_change_the_logit_by_the_class_alone():
    images = jnp.broadcast_to(jax.random.normal(jax.random.key(1), (1, 16, 16, 3)), (3, 16, 16, 3))
    discriminator = Discriminator(16, 3, 2, embedding=4, head={})
    (logits, _, _), variables = discriminator.init_with_output(jax.random.key(0), images, jnp.array([0, 1, 0]))
    assert logits[0] == logits[2] != logits[1]
    widths = [variables["params"][f"block_{i}"]["conv1"]["kernel"].shape[2] for i in range(3)]
    assert widths == [3, 8 + 4, 8]


@pytest.mark.parametrize(
    "module",
    [
        Generator(100, 10),
        Generator(32, 10, attention=(64,)),
        Generator(32, 10, shared_embedding=False),
        Generator(32, 10, weight_init="orthogonall"),
    ],
    ids=["resolution", "attention", "unshared hierarchical", "weight_init"],
)
def test_impossible_generators_are_refused(module):
    with pytest.raises(ConfigError):
        jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((2, 120)), jnp.zeros(2, jnp.int32))


def test_impossible_discriminators_are_refused():
    for module in (Discriminator(100, 10), Discriminator(32, 10, attention=(4,))):
        with pytest.raises(ConfigError):
            module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), jnp.zeros(1, jnp.int32))


def convolved(x, layer):
    side, _, channels, _ = layer["kernel"].shape
    return plain.conv(x, layer, gain=np.sqrt(side**2 * channels))  # not scaled


def standard(x):
    return (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)


def test_blocks_with_batch_normalisation_are_pytorch_studiogan_s():
    """The block at the images pools before it normalises and convolves its shortcut; the next one pools last."""
    images = np.random.RandomState(0).uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32)
    discriminator = Discriminator(16, 0, 2, sn_eps=None, norm="batch")
    variables = discriminator.init(jax.random.key(0), images, jnp.zeros(3, jnp.int32))
    params, relu = variables["params"], lambda x: np.maximum(x, 0)
    first, second, third = (params[f"block_{i}"] for i in range(3))

    h = plain.halved(convolved(relu(standard(convolved(images, first["conv1"]))), first["conv2"]))
    x = h + convolved(standard(plain.halved(images)), first["shortcut"])
    h = convolved(relu(standard(convolved(relu(standard(x)), second["conv1"]))), second["conv2"])
    x = plain.halved(h + convolved(standard(x), second["shortcut"]))
    x = x + convolved(relu(standard(convolved(relu(standard(x)), third["conv1"]))), third["conv2"])

    verdict, _ = discriminator.apply(variables, images, jnp.zeros(3, jnp.int32), train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(verdict.features, relu(x).sum((1, 2)), rtol=1e-3, atol=1e-3)
