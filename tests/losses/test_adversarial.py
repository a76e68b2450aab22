"""Adversarial losses and their gradients against BigGAN-PyTorch and PyTorch-StudioGAN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.losses.adversarial import adversarial, top_share
from tests.reference import assert_array, assert_scalar, normal
from tests.slopes import slopes

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
    loss = adversarial("relativistic")
    np.testing.assert_allclose(loss.discriminator(real, fake), np.log1p(np.exp([-1, 4, 0])).mean(), rtol=1e-6)
    np.testing.assert_allclose(loss.generator(fake, real), np.log1p(np.exp([1, -4, 0])).mean(), rtol=1e-6)
    for_real, for_fake = jax.grad(loss.discriminator, argnums=(0, 1))(real, fake)
    np.testing.assert_allclose(for_real, -1 / (1 + np.exp([1, -4, 0])) / 3, rtol=1e-5)
    np.testing.assert_allclose(for_fake, -for_real, rtol=1e-6)
    assert jnp.isfinite(loss.discriminator(jnp.array([-1e4, 1e4]), jnp.array([1e4, -1e4])))


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("", lambda x: np.log1p(np.exp(-x)), lambda x: np.log1p(np.exp(x))),
        ("_hinge", lambda x: np.maximum(1 - x, 0), lambda x: np.maximum(1 + x, 0)),
        ("_least_squares", lambda x: (x - 1) ** 2, lambda x: (x + 1) ** 2),
    ],
)
def test_relativistic_average_losses_compare_with_the_mean_of_the_others(name, first, second):
    real, fake = np.array([2.0, -1.0, 0.7, 0.0]), np.array([1.0, 3.0, 0.5])
    loss = adversarial(f"relativistic_average{name}")

    def contest(ahead, behind, weights):
        mean = (weights * ahead).sum()
        return (weights * first(ahead - behind.mean())).sum() + second(behind - mean).mean()

    def discriminator(real, fake):
        return contest(real, fake, np.full(4, 1 / 4))

    value, gradients = jax.value_and_grad(loss.discriminator, argnums=(0, 1))(real, fake)
    np.testing.assert_allclose(value, discriminator(real, fake), rtol=1e-6)
    np.testing.assert_allclose(gradients[0], slopes(lambda x: discriminator(x, fake), real), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gradients[1], slopes(lambda x: discriminator(real, x), fake), rtol=1e-4, atol=1e-6)
    for weights in (None, np.array([0.5, 0.5, 0.0])):
        shares = np.full(3, 1 / 3) if weights is None else weights
        value, gradient = jax.value_and_grad(loss.generator)(fake, real, weights)
        np.testing.assert_allclose(value, contest(fake, real, shares), rtol=1e-6)
        expected = slopes(lambda x, shares=shares: contest(x, real, shares), fake)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_only_relativistic_generators_need_real_logits():
    assert [adversarial(name).compares for name in ("hinge", "relativistic", "relativistic_average")] == [0, 1, 1]


def test_the_energy_of_generated_images_is_raised_up_to_the_margin():
    real, fake = np.array([1.0, 3.0]), np.array([0.5, 12.0])
    loss = adversarial("energy:10")
    np.testing.assert_allclose(loss.discriminator(real, fake), 2 + 9.5 / 2)
    np.testing.assert_allclose(loss.generator(fake), 6.25)
    for_real, for_fake = jax.grad(loss.discriminator, argnums=(0, 1))(real, fake)
    np.testing.assert_allclose(for_real, [0.5, 0.5])
    np.testing.assert_allclose(for_fake, [-0.5, 0])  # beyond the margin nothing is raised
    np.testing.assert_allclose(jax.grad(loss.generator)(fake), [0.5, 0.5])
    for wrong in ("energy", "energy:", "energy:-1", "energy:ten", "energy:inf"):
        with pytest.raises(ConfigError, match="margin above 0"):
            adversarial(wrong)


def test_smoothing_moves_the_target_of_real_images_only():
    real, fake = logits()
    p = 1 / (1 + np.exp(-real))
    expected = -(0.9 * np.log(p) + 0.1 * np.log(1 - p)).mean() + np.log1p(np.exp(fake)).mean()
    smooth, plain = adversarial("non_saturating", smoothing=0.1), adversarial("non_saturating")
    np.testing.assert_allclose(smooth.discriminator(real, fake), expected, rtol=1e-6)
    np.testing.assert_array_equal(smooth.generator(fake), plain.generator(fake))
    gradient = jax.grad(lambda x: adversarial("least_squares", smoothing=0.2).discriminator(x, fake))(real)
    np.testing.assert_allclose(gradient, (real - 0.8) / len(real), rtol=1e-5)
    for name, smoothing in (("hinge", 0.1), ("wasserstein", 0.1), ("relativistic", 0.1), ("non_saturating", -0.1)):
        with pytest.raises(ConfigError, match="label smoothing is"):
            adversarial(name, smoothing)


def test_the_top_share_is_what_the_generator_learns_from():
    fake = np.array([0.5, 3.0, -1.0, 2.0], np.float32)
    np.testing.assert_array_equal(top_share(fake, 0.5), [0, 0.5, 0, 0.5])
    np.testing.assert_array_equal(top_share(fake, 0.0), [0, 1, 0, 0])
    loss = adversarial("hinge")
    np.testing.assert_allclose(loss.generator(fake, weights=top_share(fake, 0.5)), -2.5)
    np.testing.assert_allclose(loss.generator(fake, weights=top_share(fake, 1.0)), loss.generator(fake), rtol=1e-6)
    np.testing.assert_array_equal(
        jax.grad(lambda x: loss.generator(x, weights=top_share(x, 0.5)))(fake), [0, -0.5, 0, -0.5]
    )


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match=r"'hinges'.*'hinge'"):
        adversarial("hinges")
