"""The stand-in for LPIPS: what it measures, and what it minds more than squared differences of pixels do."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.losses import perceptual

perceptual_distance = jax.jit(perceptual.perceptual_distance)
RANDOM = np.random.RandomState(0)


def images(n: int, side: int = 16) -> np.ndarray:
    return RANDOM.uniform(-1, 1, (n, side, side, 3)).astype(np.float32)


def test_equal_images_are_at_distance_0_and_it_is_a_metric():
    a, b, c = images(4), images(4), images(4)
    ab, bc, ac = (np.asarray(perceptual_distance(x, y)) for x, y in ((a, b), (b, c), (a, c)))
    np.testing.assert_array_equal(perceptual_distance(a, a), np.zeros(4))
    np.testing.assert_allclose(perceptual_distance(b, a), ab)
    assert ab.shape == (4,)
    assert (ac <= ab + bc).all()
    assert (ab > 0).all()


def test_a_level_of_the_pyramid_is_the_mean_difference_where_there_is_no_other():
    """4 x 4 pixels are the coarsest level and have none below."""
    a, b = images(2, 4), images(2, 4)
    np.testing.assert_allclose(perceptual_distance(a, b), np.abs(a - b).mean((1, 2, 3)), rtol=1e-6)


def test_a_coarse_difference_counts_on_every_level_that_has_it():
    """A smooth difference and noise of the same mean square: the smooth one is the larger for the eye."""
    smooth = np.kron(RANDOM.choice([-0.5, 0.5], (1, 4, 4, 1)), np.ones((1, 16, 16, 1))).astype(np.float32)
    noise = RANDOM.choice([-0.5, 0.5], (1, 64, 64, 1)).astype(np.float32)
    zero = np.zeros_like(noise)
    assert np.square(smooth).mean() == np.square(noise).mean()
    assert perceptual_distance(smooth, zero)[0] > 1.05 * perceptual_distance(noise, zero)[0]


def test_the_gradient_leads_to_the_other_image():
    a, b = jnp.asarray(images(1)), jnp.asarray(images(1))
    step = jax.jit(lambda x, size: x - size * jnp.sign(jax.grad(lambda x: perceptual_distance(x, b)[0])(x)))
    x = a
    for number in range(200):
        x = step(x, 0.05 * (1 - number / 200))
    assert perceptual_distance(x, b)[0] < 0.2 * perceptual_distance(a, b)[0]


def test_any_side_will_do():
    for side in (3, 14, 28):
        assert perceptual_distance(images(1, side), images(1, side))[0] > 0
