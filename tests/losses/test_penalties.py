"""Gradient penalties of critics whose gradients are known."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.losses.penalties import drift, gradient_penalty, zero_centred_penalty

REAL, FAKE = (np.random.RandomState(seed).standard_normal((5, 2, 3, 1)).astype(np.float32) for seed in (0, 1))
ALPHA = np.linspace(0, 1, 5, dtype=np.float32)


def quadratic(x):
    """Its gradient is 3 x."""
    return 1.5 * jnp.square(x).sum((1, 2, 3))


def norms(x):
    return np.sqrt(np.square(x).sum((1, 2, 3)))


def test_gradient_penalty_is_taken_between_real_and_fake():
    between = (1 - ALPHA)[:, None, None, None] * REAL + ALPHA[:, None, None, None] * FAKE
    expected = np.mean((3 * norms(between) - 1) ** 2)
    np.testing.assert_allclose(gradient_penalty(quadratic, REAL, FAKE, ALPHA), expected, rtol=1e-5)


def test_another_norm_can_be_the_one_that_costs_nothing():
    between = (1 - ALPHA)[:, None, None, None] * REAL + ALPHA[:, None, None, None] * FAKE
    expected = np.mean((3 * norms(between) - 4) ** 2) / 4**2
    np.testing.assert_allclose(gradient_penalty(quadratic, REAL, FAKE, ALPHA, target=4), expected, rtol=1e-5)


def test_drift_is_the_mean_square_of_real_logits():
    np.testing.assert_allclose(drift(jnp.array([1.0, -2.0, 4.0])), 7)


def test_zero_centred_penalty_is_the_mean_squared_norm():
    np.testing.assert_allclose(zero_centred_penalty(quadratic, REAL), np.mean(9 * norms(REAL) ** 2), rtol=1e-5)


def test_penalties_differentiate_through_the_critics_parameters():
    """Of w*x summed, the norm is |w| sqrt(6): both derivatives follow by hand."""

    def by_weight(penalty):
        return jax.grad(lambda w: penalty(lambda x: w * x.sum((1, 2, 3))))(2.0)

    gp = by_weight(lambda critic: gradient_penalty(critic, REAL, FAKE, ALPHA))
    np.testing.assert_allclose(gp, 2 * (2 * 6**0.5 - 1) * 6**0.5, rtol=1e-5)
    np.testing.assert_allclose(by_weight(lambda critic: zero_centred_penalty(critic, REAL)), 2 * 2 * 6, rtol=1e-5)


def test_a_critic_without_slope_costs_one_and_has_a_finite_gradient():
    value, slope = jax.value_and_grad(lambda w: gradient_penalty(lambda x: w * x.sum((1, 2, 3)), REAL, FAKE, ALPHA))(
        0.0
    )
    assert value == 1
    assert jnp.isfinite(slope)
