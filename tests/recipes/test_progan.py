"""ProGAN's losses, worked out from what its networks return."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import Stage, View, load
from gan_jax.errors import ConfigError
from gan_jax.recipes import growing
from gan_jax.recipes.growing import Span
from tests.recipes import common_rules

BATCH = 8
STANDING, FADING = Stage(info=Span(1, 2)), Stage(info=Span(1, 2, (0, 400)))


@pytest.fixture(scope="module")
def born():
    recipe = load(configs.load("configs/progan_digits.py:quick", ["phases.auxiliary=3.0", "phases.drift=0.5"]))
    mesh = sharding.data_mesh(1)
    return recipe, state.born(recipe, state.abstract(recipe, mesh, ()), 0), mesh


def view_of(born, stage):
    recipe, first, mesh = born
    modules = {name: network.module for name, network in recipe.networks.items()}
    return View(modules, first.params, first.stats, first.ema, {}, first.step, jnp.uint32(100), stage, mesh)


def batch_of():
    random = np.random.RandomState(0)
    return {
        "image": random.randint(0, 256, (BATCH, 16, 16, 1)).astype(np.uint8),
        "label": jnp.arange(BATCH, dtype=jnp.int32),
    }


def cross_entropy(logits, labels):
    logits = np.asarray(logits, np.float64)
    return np.mean(np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(logits)), labels])


def outputs(view, key):
    """What the discriminator says of real and of generated images, and the images themselves."""
    alpha = growing.alpha(view)
    real = growing.real_images(view, batch_of()["image"])
    z = jax.random.normal(jax.random.split(key)[0], (BATCH, 32))
    fake, _ = view.net("G")(z, batch_of()["label"], level=1, alpha=alpha)
    return *(np.asarray(view.net("D")(images, alpha=alpha)[0].logits) for images in (real, fake)), real, fake


@pytest.mark.parametrize("stage", [STANDING, FADING], ids=["standing", "fading"])
def test_the_critic_s_loss(born, stage):
    """Wasserstein, ten times the gradient penalty, drift and cross-entropies with the weights of the config."""
    view, key = view_of(born, stage), jax.random.key(3)
    value, out = next(p.loss for p in born[0].phases if p.name == "discriminator")(view, batch_of(), key)
    key_fake, key_mix = jax.random.split(key)
    real, fake, real_images, fake_images = outputs(view, key_fake)

    # The penalty as published: with respect to images of the full resolution, which the critic sees averaged down.
    def score(full):
        small = full.reshape(BATCH, 8, 2, 8, 2, 1).mean((2, 4))
        return view.net("D")(small, alpha=growing.alpha(view))[0].logits[:, 0].sum()

    mix = jax.random.uniform(key_mix, (BATCH,))[:, None, None, None]
    full = (real_images + mix * (fake_images - real_images)).repeat(2, 1).repeat(2, 2)
    norms = np.sqrt(np.square(jax.jit(jax.grad(score))(full)).sum((1, 2, 3)))
    penalty = np.mean((norms - 1) ** 2)
    np.testing.assert_allclose(out.metrics["gradient_penalty"], penalty, rtol=1e-4)

    expected = (
        fake[:, 0].mean()
        - real[:, 0].mean()
        + 10 * penalty
        + 0.5 * np.mean(real[:, 0] ** 2)
        + 3 * (cross_entropy(real[:, 1:], np.arange(BATCH)) + cross_entropy(fake[:, 1:], np.arange(BATCH)))
    )
    np.testing.assert_allclose(value, expected, rtol=1e-4)


@pytest.mark.parametrize("stage", [STANDING, FADING], ids=["standing", "fading"])
def test_the_generator_s_loss(born, stage):
    view, key = view_of(born, stage), jax.random.key(3)
    value, _ = next(p.loss for p in born[0].phases if p.name == "generator")(view, batch_of(), key)
    _, fake, _, _ = outputs(view, key)
    expected = -fake[:, 0].mean() + 3 * cross_entropy(fake[:, 1:], np.arange(BATCH))
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_the_critic_moves_first_and_both_start_afresh_at_a_stage(born):
    recipe, first, _ = born
    assert schedule.due(recipe, 0) == schedule.due(recipe, 5) == (("discriminator", 1), ("generator", 1))
    assert all(player.reset_at_stage for player in recipe.players.values())
    assert set(first.ema) == {"G"}


def test_without_classes_there_is_no_auxiliary_classifier():
    recipe = load(configs.load("configs/progan_digits.py:quick", ["data.num_classes=0"]))
    mesh = sharding.data_mesh(1)
    first = state.born(recipe, state.abstract(recipe, mesh, ()), 0)
    assert first.params["D"]["output"]["bias"].shape == (1,)
    view = view_of((recipe, first, mesh), STANDING)
    _, out = recipe.phases[0].loss(view, batch_of(), jax.random.key(0))
    assert "auxiliary" not in out.metrics
    value, _ = recipe.phases[1].loss(view, batch_of(), jax.random.key(0))
    _, fake, _, _ = outputs(view, jax.random.key(0))
    np.testing.assert_allclose(value, -fake.mean(), rtol=1e-4)


def digits(*overrides):
    return load(configs.load("configs/progan_digits.py:quick", overrides))


@pytest.mark.parametrize("stage", [STANDING, FADING], ids=["standing", "fading"])
def test_common_rules_add_their_weights_times_what_the_log_names(stage):
    weights = common_rules.weights("gradient_penalty")
    for player, phase in (("D", "discriminator"), ("G", "generator")):
        ruled = digits(*common_rules.overrides(weights[player]))
        common_rules.assert_paid(digits(), ruled, weights[player], phase, batch_of(), stage=stage)


def test_penalties_are_those_of_images_of_the_full_resolution(born):
    """Which the critic sees averaged down, as published: at 4 x 4 pixels of 16 x 16."""
    rules = {"r1": 2.0, "max_gradient": 3.0}
    stage = Stage(info=Span(0, 4))
    recipe = digits(*(f"phases.{name}={weight}" for name, weight in rules.items()))
    out = common_rules.assert_paid(digits(), recipe, rules, "discriminator", batch_of(), stage=stage)
    view = view_of(born, stage)

    def score(full):
        small = full.reshape(BATCH, 4, 4, 4, 4, 1).mean((2, 4))
        return view.net("D")(small)[0].logits[:, 0].sum()

    real = growing.real_images(view, batch_of()["image"])
    gradient = jax.grad(score)(real.repeat(4, 1).repeat(4, 2))
    np.testing.assert_allclose(2 * out.metrics["r1"], np.square(gradient).sum((1, 2, 3)).mean(), rtol=1e-4)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["phases.gradient_penalty=1.0"],
            "gradient_penalty is 1.0, but that weight is config.phases.penalty here: set it",
        ),
        (["phases.pseudo=0.6"], "pseudo reads the level of logits, for which the loss 'wasserstein' does not care"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_in_a_sentence(overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        digits(*overrides)
