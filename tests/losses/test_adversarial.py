"""Adversarial losses and their gradients against BigGAN-PyTorch and PyTorch-StudioGAN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.losses.adversarial import adversarial, relativistic
from tests.reference import assert_array, assert_scalar, normal

PUBLISHED = [
    ("hinge", "bigganpt_hinge"),
    ("hinge", "studiogan_hinge"),
    ("non_saturating", "bigganpt_ns"),
    ("non_saturating", "studiogan_vanilla"),
    ("non_saturating", "studiogan_logistic"),
    ("least_squares", "studiogan_ls"),
    ("wasserstein", "studiogan_wasserstein"),
]


def logits():
    """The logits of the vectors: drawn as float32, then moved and rounded again."""
    real = np.float32(normal("real", (6, 1), 2200).astype(np.float64) * 1.5 + 0.3)[:, 0]
    fake = np.float32(normal("fake", (6, 1), 2200).astype(np.float64) * 1.5 - 0.2)[:, 0]
    return real, fake


@pytest.mark.parametrize(("name", "published"), PUBLISHED)
def test_losses_and_gradients_equal_the_published_ones(name, published):
    real, fake = logits()
    loss = adversarial(name)
    value, (d_real, d_fake) = jax.value_and_grad(loss.discriminator, argnums=(0, 1))(real, fake)
    assert_scalar(value, "losses", "logit_losses", f"{published}_D")
    assert_array(d_real, "losses", "logit_losses", f"{published}_D/dr")
    assert_array(d_fake, "losses", "logit_losses", f"{published}_D/df")
    value, d_fake = jax.value_and_grad(loss.generator)(fake)
    assert_scalar(value, "losses", "logit_losses", f"{published}_G")
    assert_array(d_fake, "losses", "logit_losses", f"{published}_G/df")


def test_minimax_is_a_zero_sum_game():
    loss = adversarial("minimax")
    real, fake = logits()
    cross_entropy = -np.log(1 / (1 + np.exp(-real))).mean() - np.log(1 - 1 / (1 + np.exp(-fake))).mean()
    np.testing.assert_allclose(loss.discriminator(real, fake), cross_entropy, rtol=1e-6)
    ours, opposite = jax.grad(loss.generator)(fake), jax.grad(loss.discriminator, argnums=1)(real, fake)
    np.testing.assert_allclose(ours, -opposite, rtol=1e-6)


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_large_logits_stay_finite(name):
    loss = adversarial(name)
    extreme = jnp.array([-1e4, 1e4])
    assert jnp.isfinite(loss.discriminator(extreme, extreme))
    assert jnp.isfinite(loss.generator(extreme))


def test_the_relativistic_loss_compares_logits_in_pairs():
    real, fake = np.array([2.0, -1.0, 0.5]), np.array([1.0, 3.0, 0.5])
    np.testing.assert_allclose(relativistic(real, fake), np.log1p(np.exp([-1, 4, 0])).mean(), rtol=1e-6)
    np.testing.assert_allclose(relativistic(fake, real), np.log1p(np.exp([1, -4, 0])).mean(), rtol=1e-6)
    for_real, for_fake = jax.grad(relativistic, argnums=(0, 1))(real, fake)
    np.testing.assert_allclose(for_real, -1 / (1 + np.exp([1, -4, 0])) / 3, rtol=1e-5)
    np.testing.assert_allclose(for_fake, -for_real, rtol=1e-6)
    assert jnp.isfinite(relativistic(jnp.array([-1e4, 1e4]), jnp.array([1e4, -1e4])))


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match=r"'hinges'.*'hinge'"):
        adversarial("hinges")
