"""The networks of improved-gan: sizes by hand from the published layers, dropout and noise in training only."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks.improved_gan import Discriminator, Generator
from tests.networks.counting import count_parameters

LABELS = jnp.zeros(2, jnp.int32)
K_LOGITS = {"questions": {"classes": 10}, "summed": True}


def test_parameter_counts_are_those_of_the_published_layers():
    shifts = 4 * 4 * 512 + 256 + 128
    kernels = 100 * 4 * 4 * 512 + 25 * (512 * 256 + 256 * 128 + 128 * 3)
    assert count_parameters(Generator(32), jnp.zeros((2, 100))) == kernels + shifts + 2 * 3 == 4_933_382
    layers = [
        (9, 3, 96),
        (9, 96, 96),
        (9, 96, 96),
        (9, 96, 192),
        *[(9, 192, 192)] * 3,
        *[(1, 192, 192)] * 2,
        (1, 192, 10),
    ]
    expected = sum(taps * before * after + 2 * after for taps, before, after in layers)  # biases and scales
    found = count_parameters(Discriminator(32, head=K_LOGITS), jnp.zeros((2, 32, 32, 3)))
    assert found == expected == 1_408_244


def test_shapes_and_what_is_refused():
    images, variables = Generator(16, channels=2, image_channels=1).init_with_output(
        jax.random.key(0), jnp.ones((2, 5)), LABELS
    )
    assert images.shape == (2, 16, 16, 1)
    assert set(variables["params"]["output"]) == {"kernel", "bias", "scale"}
    assert set(variables["params"]["norm_0"]) == {"bias"}
    verdict, _ = Discriminator(16, channels=3, head=K_LOGITS).init_with_output(jax.random.key(0), images, LABELS)
    assert (verdict.features.shape, verdict.answers["classes"].shape) == ((2, 6), (2, 10))
    with pytest.raises(
        ConfigError, match="resolution is 8: improved-gan's discriminator needs a multiple of 4 from 12"
    ):
        Discriminator(8).init(jax.random.key(0), images, LABELS)


@pytest.mark.parametrize("fields", [{"keep_input": 0.5}, {"keep_hidden": 0.5}, {"noise": 0.5}])
def test_dropout_and_noise_are_drawn_in_training_only(fields):
    still = {"keep_input": 1.0, "keep_hidden": 1.0, "noise": 0.0}
    network = Discriminator(12, channels=8, **{**still, **fields})
    images = jnp.asarray(np.random.RandomState(0).standard_normal((2, 12, 12, 1)), jnp.float32)
    variables = network.init(jax.random.key(0), images, LABELS)

    def features(train, key):
        return network.apply(variables, images, LABELS, train=train, rngs={"noise": jax.random.key(key)}).features

    assert not np.allclose(features(True, 0), features(True, 1))
    np.testing.assert_array_equal(features(False, 0), features(False, 1))
    plain = Discriminator(12, channels=8, **still).apply(variables, images, LABELS).features
    np.testing.assert_array_equal(features(False, 0), plain)
