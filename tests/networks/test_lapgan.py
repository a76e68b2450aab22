"""LAPGAN's networks: the pyramid, sizes by hand from the published layers, what each level sees."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks import lapgan
from tests.networks.counting import parameters

RANDOM = np.random.RandomState(0)
LABELS = jnp.array([0, 2], jnp.int32)
SMALL = lapgan.Generator(16, 4, num_classes=3, dim_z=5, width=8, channels=4, image_channels=1)


def test_a_pyramid_blurs_and_halves_and_grows_back_smoothly():
    image = jnp.asarray(RANDOM.standard_normal((1, 8, 8, 1)), jnp.float32)
    small = np.asarray(lapgan.shrink(image))[0, :, :, 0]
    taps = np.array([1, 3, 3, 1]) / 8
    window = np.asarray(image)[0, 1:5, 3:7, 0]  # the cells (2..3, 4..5) and their neighbours
    np.testing.assert_allclose(small[1, 2], taps @ window @ taps, rtol=1e-4)
    sizes = [level.shape[1] for level in lapgan.pyramid(image, 3)]
    assert sizes == [2, 4, 8]
    ramp = jnp.arange(4.0)[None, :, None, None] * jnp.ones((1, 4, 4, 1))
    np.testing.assert_allclose(lapgan.grow(ramp)[0, 1:-1, 0, 0], np.arange(1, 7) / 2 - 0.25, rtol=1e-5)
    constant = jnp.full((1, 8, 8, 1), 0.7)
    np.testing.assert_allclose(lapgan.grow(lapgan.shrink(constant)), constant, rtol=1e-5)  # edges too


def test_parameter_counts_are_those_of_the_published_layers():
    def dense(*widths):
        return sum((before + 1) * after for before, after in itertools.pairwise(widths))

    def conv(kernel, before, after):
        return kernel**2 * before * after + after

    generator = lapgan.Generator(32, 8, num_classes=10)
    refiners = [dense(10, side**2) + conv(7, 5, 128) + conv(7, 128, 128) + conv(5, 128, 3) for side in (16, 32)]
    expected = dense(110, 1200, 1200, 192) + sum(refiners)
    assert parameters(generator, jnp.zeros((2, generator.latent_dim)), LABELS) == expected == 3_507_142
    judges = [
        dense(10, s**2) + conv(5, 4, 128) + conv(5, 128, 128) + dense(e**2 * 128, 1) for s, e in ((16, 4), (32, 12))
    ]
    images = tuple(jnp.zeros((2, side, side, 3)) for side in (8, 16, 32))
    expected = dense(202, 600, 600, 1) + sum(judges)
    assert parameters(lapgan.Discriminator(10), images, LABELS) == expected == 1_362_875


def test_a_level_refines_what_it_is_given():
    z = jnp.asarray(RANDOM.uniform(-1, 1, (2, SMALL.latent_dim)), jnp.float32)
    assert SMALL.latent_dim == 5 + 8 * 8 + 16 * 16
    images, variables = SMALL.init_with_output(jax.random.key(0), z, LABELS)
    assert [level.shape for level in images] == [(2, side, side, 1) for side in (4, 8, 16)]
    np.testing.assert_allclose(SMALL.apply(variables, z, LABELS, images[:-1])[-1], images[-1], rtol=1e-5)
    real = lapgan.pyramid(jnp.asarray(RANDOM.standard_normal((2, 16, 16, 1)), jnp.float32), 3)
    refined = SMALL.apply(variables, z, LABELS, real[:-1])
    np.testing.assert_array_equal(refined[0], images[0])
    assert np.abs(refined[1] - lapgan.grow(real[0])).max() < np.abs(real[0]).max(), "near the coarse image at first"


def test_no_gradient_goes_from_one_level_to_another_in_training():
    z = jnp.asarray(RANDOM.uniform(-1, 1, (2, SMALL.latent_dim)), jnp.float32)
    variables = SMALL.init(jax.random.key(0), z, LABELS)
    real = lapgan.pyramid(jnp.asarray(RANDOM.standard_normal((2, 16, 16, 1)), jnp.float32), 3)

    def finest(params, coarse):
        return jnp.square(SMALL.apply({"params": params}, z, LABELS, coarse)[-1]).sum()

    def moved(coarse):
        gradient = jax.grad(finest)(variables["params"], coarse)
        return {name for name, tree in gradient.items() if any(np.any(leaf) for leaf in jax.tree.leaves(tree))}

    assert moved(real[:-1]) == {"level_2"}
    assert moved(None) == {"level_1", "level_2", "hidden_0", "hidden_1", "output"}


def test_every_level_sees_the_label_and_has_a_logit():
    images = tuple(jnp.asarray(RANDOM.standard_normal((2, side, side, 1)), jnp.float32) for side in (4, 8, 16))
    network = lapgan.Discriminator(3, width=8, channels=4, padded=True)
    verdicts, variables = network.init_with_output(jax.random.key(0), images, LABELS, train=False)
    logits = [level.logits for level in verdicts]
    assert [(level.shape, level.dtype) for level in logits] == [((2,), jnp.float32)] * 3
    others = [level.logits for level in network.apply(variables, images, LABELS[::-1], train=False)]
    assert all(not np.allclose(one, other) for one, other in zip(logits, others, strict=True))
    z = jnp.ones((2, SMALL.latent_dim))
    drawn, variables = SMALL.init_with_output(jax.random.key(0), z, LABELS)
    others = SMALL.apply(variables, z, LABELS[::-1])
    assert all(not np.allclose(one, other) for one, other in zip(drawn, others, strict=True))


@pytest.mark.parametrize(("resolution", "coarsest"), [(16, 16), (16, 3), (24, 8), (16, 0), (4, 8)])
def test_sides_that_do_not_double_are_refused(resolution, coarsest):
    with pytest.raises(
        ConfigError, match=f"coarsest is {coarsest} and config.data.resolution is {resolution}: expected"
    ):
        lapgan.sides(resolution, coarsest)


def test_levels_too_small_for_convolutions_without_padding_are_refused():
    images = tuple(jnp.zeros((2, side, side, 1)) for side in (4, 8))
    with pytest.raises(ConfigError, match="padded is False, and a level has 8 pixels: set it to True"):
        lapgan.Discriminator().init(jax.random.key(0), images, LABELS)
