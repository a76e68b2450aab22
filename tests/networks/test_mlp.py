"""Fully connected networks: shapes, labels, dropout."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.networks.mlp import Discriminator, Generator

IMAGES = jnp.asarray(np.random.RandomState(0).uniform(-1, 1, (4, 6, 6, 1)), jnp.float32)
LABELS = jnp.arange(4, dtype=jnp.int32) % 3


def test_images_are_within_range_and_depend_on_z_and_the_label():
    generator = Generator(6, 3, dim_z=5, widths=(8,), embedding=4)
    z = jnp.ones((4, 5))
    images, variables = generator.init_with_output(jax.random.key(0), z, LABELS)
    assert images.shape == (4, 6, 6, 1)
    assert jnp.abs(images).max() < 1
    np.testing.assert_array_equal(images[0], images[3])
    assert not np.allclose(images[0], images[1])
    assert not np.allclose(images[0], generator.apply(variables, -z, LABELS)[0])


def test_dropout_is_that_of_training_and_keeps_the_mean_of_the_pixels():
    discriminator = Discriminator(6, widths=(3,), pieces=2, keep_input=0.5, keep_hidden=1.0)
    variables = discriminator.init(jax.random.key(0), IMAGES, LABELS)

    def logits(train, seed=0):
        return discriminator.apply(variables, IMAGES, LABELS, train=train, rngs={"noise": jax.random.key(seed)}).logits

    np.testing.assert_array_equal(logits(False), logits(False, seed=1))
    assert not np.allclose(logits(True), logits(True, seed=1))
    np.testing.assert_array_equal(logits(True), logits(True))


def test_a_unit_is_the_largest_of_its_pieces():
    discriminator = Discriminator(6, widths=(3,), pieces=2)
    variables = discriminator.init(jax.random.key(0), IMAGES, LABELS)
    hidden = variables["params"]["hidden_0"]["kernel"]
    pixels = (np.asarray(IMAGES).reshape(4, -1) + 1) / 2
    expected = (pixels @ hidden).reshape(4, 3, 2).max(-1)
    verdict = discriminator.apply(variables, IMAGES, LABELS, train=False)
    np.testing.assert_allclose(verdict.features, expected, atol=1e-6)


def test_a_unit_of_one_piece_is_a_relu():
    discriminator = Discriminator(6, widths=(3,), pieces=1)
    variables = discriminator.init(jax.random.key(0), IMAGES, LABELS)
    pixels = (np.asarray(IMAGES).reshape(4, -1) + 1) / 2
    expected = np.maximum(pixels @ variables["params"]["hidden_0"]["kernel"], 0)
    assert (expected == 0).any()
    verdict = discriminator.apply(variables, IMAGES, LABELS, train=False)
    np.testing.assert_allclose(verdict.features, expected, atol=1e-6)


def test_the_discriminator_may_see_the_label():
    discriminator = Discriminator(6, 3, widths=(3,), embedding=4)
    variables = discriminator.init(jax.random.key(0), IMAGES, LABELS)
    same = jnp.broadcast_to(IMAGES[:1], IMAGES.shape)
    logits = discriminator.apply(variables, same, LABELS, train=False).logits
    assert logits[0] == logits[3]
    assert logits[0] != logits[1]
