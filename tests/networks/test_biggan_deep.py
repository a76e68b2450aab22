"""BigGAN-deep: parameter counts, and the numbers of BigGAN-PyTorch and of the TF-Hub generator in PyTorch."""

import jax
import jax.numpy as jnp
import pytest

from gan_jax.networks.biggan_deep import Discriminator, Generator
from gan_jax.weights import biggan_deep
from gan_jax.weights.places import to_variables
from tests import reference
from tests.networks.counting import count_parameters
from tests.reference import Peer

GENERATOR_COUNTS = {
    "32": (Generator(32, 10), 7_435_267),
    "64": (Generator(64, 1000, attention=(32,)), 49_829_636),
    "128": (Generator(128, 1000, attention=(64,)), 50_244_484),
    "256": (Generator(256, 1000, attention=(64,)), 55_736_708),
    "128, TF-Hub": (Generator(128, 1000, attention=(64,), wide_rgb=True), 50_388_609),
    "256, TF-Hub": (Generator(256, 1000, attention=(64,), wide_rgb=True), 55_880_833),
    "512, TF-Hub": (Generator(512, 1000, attention=(64,), wide_rgb=True), 56_163_905),
}
DISCRIMINATOR_COUNTS = {
    "32": (Discriminator(32, 10), 2_581_249),
    "64": (Discriminator(64, 1000, attention=(32,)), 20_951_554),
    "128": (Discriminator(128, 1000, attention=(64,)), 34_590_210),
    "256": (Discriminator(256, 1000, attention=(64,)), 38_247_426),
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


def test_generator_equals_biggan_pytorch():
    module = Generator(32, 5, 8, 10, 6, attention=(16,))
    reference.check_generator(module, Peer("bgdeep32/G"), "bgdeep32")


def test_discriminator_equals_biggan_pytorch():
    module = Discriminator(32, 5, 8)
    reference.check_discriminator(module, Peer("bgdeep32/D"), "bgdeep32")


def test_generator_equals_the_tf_hub_form():
    case, truncation = "hf_layout128", 0.5
    tensors = biggan_deep.with_one_row(reference.hub_deep_tensors(case), truncation)
    variables = to_variables(tensors, biggan_deep.places({name: tensor.shape for name, tensor in tensors.items()}))
    epsilons = {"bn_eps": 1e-4, "output_bn_eps": 1e-4, "sn_eps": 1e-4}
    module = Generator(128, 7, 8, 12, 12, attention=(64,), wide_rgb=True, **epsilons)
    z, labels = reference.normal("z", (2, 12), 1512), reference.integers("y", (2,), 1512, 7)
    images = reference.nchw(jax.jit(lambda v: module.apply(v, z, labels, train=False))(variables))
    reference.assert_array(images[:, :, ::4, ::4], "biggan_deep_hf", case, "trunc0.5/img_stride4")
    reference.assert_array(images.mean((2, 3)), "biggan_deep_hf", case, "trunc0.5/channel_mean")
    reference.assert_array(images.std((2, 3)), "biggan_deep_hf", case, "trunc0.5/channel_std")


def test_networks_exist_at_16_pixels_and_unconditionally():
    generator, discriminator = Generator(16, 0, 4, 8), Discriminator(16, 0, 4)
    labels = jnp.zeros(2, jnp.int32)
    images, _ = jax.eval_shape(generator.init_with_output, jax.random.key(0), jnp.ones((2, 8)), labels)
    verdict, _ = jax.eval_shape(discriminator.init_with_output, jax.random.key(0), images, labels)
    assert images.shape == (2, 16, 16, 3)
    assert verdict.logits.shape == (2,)
