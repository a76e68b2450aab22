"""LAPGAN: a game on every level, and images that one level hands to the next."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import state
from gan_jax.engine.recipe import load
from gan_jax.recipes.lapgan import of_all_levels
from tests.game.arena import batch, play


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


@pytest.fixture(scope="module")
def recipe(request):
    return load(configs.load(f"{request.config.rootpath}/configs/lapgan_digits.py:quick"))


@pytest.fixture(scope="module")
def current(recipe):
    return state.init(recipe, 0)


def test_the_games_of_all_levels_are_added(recipe, current):
    """Where a level's discriminator is at a loss it costs log 2 for every image, and the others what they cost."""
    data = batch(side=16)

    def cost(phase, *ignorant):
        params = dict(current.params["D"])
        for name in ignorant:
            params[name] = jax.tree.map(jnp.zeros_like, params[name])
        changed = dataclasses.replace(current, params={**current.params, "D": params})
        return play(recipe, phase, changed, data)

    outputs = ("output", "output_1", "output_2")
    assert cost("discriminator", *outputs)[0] == pytest.approx(3 * 2 * np.log(2), rel=1e-5)
    value, out = cost("generator", *outputs)
    assert value == pytest.approx(3 * np.log(2), rel=1e-5)
    assert set(out.metrics) == {"loss_4", "loss_8", "loss_16"}
    value, out = cost("generator", "output_1")
    assert out.metrics["loss_8"] == pytest.approx(np.log(2), rel=1e-5)
    np.testing.assert_allclose(value, sum(out.metrics.values()), rtol=1e-6)
    assert out.metrics["loss_4"] != pytest.approx(np.log(2), rel=1e-4)


def test_refined_images_are_judged_beside_the_real_ones_that_they_refine(recipe, current):
    """With generators that add nothing, the finer levels judge blurred real images: others than the real ones."""
    zeros = {name: jax.tree.map(jnp.zeros_like, tree) for name, tree in current.params["G"].items()}
    changed = dataclasses.replace(current, params={**current.params, "G": zeros})
    _, out = play(recipe, "discriminator", changed, batch(side=16))
    flat = np.full((6, 16, 16, 1), 128, np.uint8)  # which blurring leaves as they are
    _, grey = play(recipe, "discriminator", changed, {**batch(side=16), "image": flat})
    assert abs(out.metrics["real_logit_16"] - out.metrics["fake_logit_16"]) > 1e-4
    assert set(grey.metrics) == {
        f"{what}_{size}" for what in ("real_logit", "fake_logit", "loss") for size in (4, 8, 16)
    }


def test_a_sample_is_the_finest_image_of_one_pyramid(recipe, current):
    variables = state.variables(current, averaged=True)
    z = jnp.stack([recipe.prior(key, {}) for key in jax.random.split(jax.random.key(0), 2)])
    assert z.shape == (2, 32 + 8 * 8 + 16 * 16)
    assert float(jnp.abs(z).max()) <= 1
    labels = jnp.array([0, 1])
    levels = of_all_levels(recipe, variables, z, labels)
    assert [level.shape[1] for level in levels] == [4, 8, 16]
    np.testing.assert_allclose(recipe.sample(variables, z, labels, {}), np.clip(levels[-1], -1, 1), rtol=1e-5)
