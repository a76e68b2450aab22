"""The semi-supervised GAN: its losses by the published formulas, and which images they see."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import schedule, state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.layers.pixels import to_float
from gan_jax.recipes.semi_supervised import classify
from tests.game.arena import batch, play

# Without dropout and noise an answer can be had again.
STILL = ("model.D.keep_input=1.0", "model.D.keep_hidden=1.0", "model.D.noise=0.0")
DATA = batch(side=16, size=8)
LABELLED, UNLABELLED = to_float(DATA["image"][::2]), to_float(DATA["image"][1::2])


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def recipe_of(*overrides):
    return load(configs.load("configs/semi_supervised_digits.py:quick", [*STILL, *overrides]))


def blank(recipe):
    """A state whose generated images are all grey, and whose discriminator has something to say."""
    current = state.init(recipe, 0)
    params = jax.tree.map(lambda w: w + 0.1 * jnp.cos(jnp.arange(w.size)).reshape(w.shape), current.params)
    params["G"]["output"] = jax.tree.map(jnp.zeros_like, params["G"]["output"])
    return dataclasses.replace(current, params=params)


def answers(recipe, current, images):
    """Logits of the classes and features."""
    network, labels = recipe.networks["D"].module, jnp.zeros(len(images), jnp.int32)
    verdict = network.apply({"params": current.params["D"]}, images, labels, train=False)
    return np.asarray(verdict.answers["classes"], np.float64), np.asarray(verdict.features, np.float64)


def log_sum_exp(logits):
    return np.log(np.exp(logits).sum(-1))


@pytest.mark.parametrize(
    "weight", [pytest.param(0.0, marks=pytest.mark.slow), 1.0, pytest.param(3.0, marks=pytest.mark.slow)]
)
def test_the_discriminator_pays_for_classes_and_for_the_game(weight):
    recipe = recipe_of(f"phases.unlabelled_weight={weight}")
    current = blank(recipe)
    value, out = play(recipe, "discriminator", current, DATA)
    known, labels = answers(recipe, current, LABELLED)[0], DATA["label"][::2]
    supervised = (log_sum_exp(known) - known[np.arange(4), labels]).mean()
    l_unl = log_sum_exp(answers(recipe, current, UNLABELLED)[0])
    l_gen = log_sum_exp(answers(recipe, current, jnp.zeros_like(UNLABELLED))[0])
    game = 0.5 * (-l_unl.mean() + np.log1p(np.exp(l_unl)).mean() + np.log1p(np.exp(l_gen)).mean())
    np.testing.assert_allclose(value, supervised + weight * game, rtol=1e-4)
    np.testing.assert_allclose(out.metrics["labelled_loss"], supervised, rtol=1e-4)
    np.testing.assert_allclose(out.metrics["real_logit"], l_unl.mean(), rtol=1e-4)
    assert set(out.stats) == {"G"}


def test_the_generator_matches_mean_features_of_unlabelled_images():
    recipe = recipe_of()
    current = blank(recipe)
    value, out = play(recipe, "generator", current, DATA)
    real, fake = (answers(recipe, current, images)[1].mean(0) for images in (UNLABELLED, jnp.zeros_like(UNLABELLED)))
    np.testing.assert_allclose(value, np.abs(real - fake).mean(), rtol=1e-4)
    assert set(out.stats) == {"G"}


def test_the_generator_has_images_of_its_own():
    recipe = recipe_of()
    assert schedule.slices(recipe, schedule.due(recipe, 0)) == 2
    assert [phase.first_slice for phase in recipe.phases] == [0, 1]


def test_classes_are_told_without_dropout():
    recipe = load(configs.load("configs/semi_supervised_digits.py:quick"))
    current = blank(recipe)
    found = classify(recipe, state.variables(current, averaged=False), UNLABELLED)
    assert found.shape == (4, 10)
    np.testing.assert_allclose(found, answers(recipe, current, UNLABELLED)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("field", ["data.labelled=None", "data.labelled_half=False"])
def test_batches_without_a_labelled_half_are_a_sentence(field):
    with pytest.raises(ConfigError, match="the semi-supervised GAN wants so many images of each class with a label"):
        recipe_of(field)


def test_a_batch_that_leaves_one_image_is_a_sentence():
    with pytest.raises(ConfigError, match=r"train\.batch_size is 2 .*take 4 or more"):
        recipe_of("train.batch_size=2")
