"""Gradient penalties of critics whose gradients are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.losses.penalties import (
    dragan_penalty,
    drift,
    gradient_penalty,
    lecam,
    max_gradient_penalty,
    zero_centred_penalty,
)
from gan_jax.networks.r3gan import Discriminator
from gan_jax.weights.places import from_variables, to_variables
from gan_jax.weights.r3gan import places
from tests.reference import assert_array, assert_scalar, assert_summaries, images, normal, peer_tensors, uniform

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


@pytest.fixture(scope="module")
def critic():
    """The discriminator of the published penalties: `(its tensors, their places, (params, images) -> logits)`."""
    tensors = peer_tensors("layout_losses", "gp_D")
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    network = Discriminator(16, 0, widths=(16, 12, 8), groups=(4, 3, 2), blocks=(1, 1, 1))
    variables = to_variables(tensors, places(shapes))
    return (
        variables["params"],
        shapes,
        lambda params, x: network.apply({"params": params}, x, jnp.zeros(len(x), int)).logits,
    )


def draw(name, shape):
    return uniform(name, shape, 2213)


REAL_16, FAKE_16 = (images(name, (4, 3, 16, 16), 2212) for name in ("x", "xfake"))
ALPHA_GP, ALPHA_MAX = (
    1 - draw(f"{name}_draw0", (4, 1))[:, 0] for name in ("wgan_gp", "max_gp")
)  # there of the real one
NOISE = draw("dragan_draw1", (4, 3, 16, 16)).transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("name", "penalty"),
    [
        ("wgan_gp", lambda c: gradient_penalty(c, REAL_16, FAKE_16, ALPHA_GP)),
        (
            "dragan",
            lambda c: dragan_penalty(c, REAL_16, draw("dragan_draw0", (4, 1, 1, 1)).ravel(), NOISE, unbiased=True),
        ),
        ("max_gp", lambda c: max_gradient_penalty(c, REAL_16, FAKE_16, ALPHA_MAX)),
        ("r1_studiogan", lambda c: zero_centred_penalty(c, REAL_16) / 2),
    ],
)
def test_penalties_and_their_gradients_equal_the_published_ones(critic, name, penalty):
    params, shapes, logits = critic
    value, gradient = jax.value_and_grad(lambda params: penalty(lambda x: logits(params, x)))(params)
    assert_scalar(value, "losses", "gradient_penalties", name)
    tensors = from_variables({"params": gradient}, places(shapes), shapes)
    assert_summaries(tensors, "losses", "gradient_penalties", f"{name}/grad_D")


def test_dragan_s_deviation_is_that_of_all_values():
    noise = np.full_like(REAL, 0.5)
    moved = REAL + ALPHA[:, None, None, None] * 0.25 * REAL.std()
    expected = np.mean((3 * norms(moved) - 1) ** 2)
    np.testing.assert_allclose(dragan_penalty(quadratic, REAL, ALPHA, noise), expected, rtol=1e-5)


def test_lecam_equals_the_published_one():
    real = np.float32(normal("real", (6, 1), 2200).astype(np.float64) * 1.5 + 0.3)[:, 0]
    fake = np.float32(normal("fake", (6, 1), 2200).astype(np.float64) * 1.5 - 0.2)[:, 0]
    means = (0.3121957937, -0.8207877714)
    value, (d_real, d_fake) = jax.value_and_grad(lecam, argnums=(0, 1))(real, fake, *means)
    assert_scalar(value, "losses", "logit_losses", "lecam")
    assert_array(d_real, "losses", "logit_losses", "lecam/dr")
    assert_array(d_fake, "losses", "logit_losses", "lecam/df")
