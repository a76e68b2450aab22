"""DCGAN's networks: published sizes, any side, conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks.dcgan import Discriminator, Generator
from tests.networks.counting import count_parameters


def test_parameter_counts_are_the_published_ones():
    assert count_parameters(Generator(64), jnp.zeros((2, 100))) == 3_576_704
    assert count_parameters(Discriminator(64), jnp.zeros((2, 64, 64, 3))) == 2_765_568


@pytest.mark.parametrize(("side", "lowest"), [(8, 4), (16, 4), (28, 7), (32, 4)])
def test_images_and_logits_have_their_shapes(side, lowest):
    z, labels = jnp.ones((3, 5)), jnp.zeros(3, jnp.int32)
    images, variables = Generator(side, channels=2, image_channels=1).init_with_output(jax.random.key(0), z, labels)
    assert images.shape == (3, side, side, 1)
    assert variables["params"]["stem"]["kernel"].shape[1] % lowest**2 == 0
    verdict, _ = Discriminator(side, channels=2).init_with_output(jax.random.key(0), images, labels)
    assert verdict.logits.shape == (3,)
    assert verdict.features.shape[1] % lowest**2 == 0


@pytest.mark.parametrize("side", [4, 6, 34])
def test_other_sides_are_refused(side):
    with pytest.raises(ConfigError, match=f"resolution is {side}: DCGAN needs 4 to 7 pixels doubled"):
        Generator(side).init(jax.random.key(0), jnp.zeros((1, 5)), jnp.zeros(1, jnp.int32))


@pytest.mark.parametrize(
    ("fields", "uses"),
    [
        ({}, False),
        ({"embedding": 4}, True),
        ({"norm": "categorical"}, True),
        ({"norm": "self_modulated"}, False),
        ({"norm": "conditional", "embedding": 4}, True),
    ],
)
def test_the_generator_takes_labels_in_by_an_embedding_or_its_normalisations(fields, uses):
    z = jnp.asarray(np.random.RandomState(0).standard_normal((4, 5)), jnp.float32)
    generator = Generator(8, num_classes=3, channels=2, **fields)
    variables = generator.init(jax.random.key(0), z, jnp.zeros(4, jnp.int32))
    params = jax.tree.map(lambda w: w + 0.3 * jnp.cos(jnp.arange(w.size)).reshape(w.shape), variables["params"])
    one, other = (
        generator.apply({**variables, "params": params}, z, jnp.full(4, label, jnp.int32), train=False)
        for label in (0, 2)
    )
    assert np.allclose(one, other) != uses


def test_the_discriminator_takes_labels_in_by_an_embedding_or_its_head():
    images = jnp.asarray(np.random.RandomState(0).standard_normal((4, 8, 8, 1)), jnp.float32)
    for fields in ({"embedding": 4}, {"head": {"projection": True, "num_classes": 3}}):
        discriminator = Discriminator(8, num_classes=3, channels=2, norm="none", **fields)
        variables = discriminator.init(jax.random.key(0), images, jnp.zeros(4, jnp.int32))
        one, other = (discriminator.apply(variables, images, jnp.full(4, label, jnp.int32)).logits for label in (0, 2))
        assert not np.allclose(one, other)
