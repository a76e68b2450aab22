"""CoGAN: what the two halves of its pairs share, and what its second domain is."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.recipes.cogan import edges, pairs
from tests.game.arena import batch, born, play


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def recipe_of(*overrides):
    return load(configs.load("configs/cogan_digits.py:quick", ["train.batch_size=6", *overrides]))


@pytest.mark.parametrize("domain", ["negative", "edges"])
def test_both_players_play_in_both_domains(domain):
    recipe = recipe_of(f"phases.domain={domain}")
    current = state.init(recipe, 0)
    for phase in ("discriminator", "generator"):
        value, out = play(recipe, phase, current, batch(side=16))
        assert abs(value - (4 if phase == "discriminator" else 2) * np.log(2)) < 0.2  # nobody knows anything yet
        assert set(out.stats) == {"G"}
    first, second = pairs(recipe, state.variables(current, averaged=True), jnp.ones((2, 64)))
    assert first.shape == second.shape == (2, 16, 16, 1)
    assert not np.allclose(first, second)


def test_both_domains_add_up_to_the_losses():
    recipe = recipe_of("data.resolution=8")
    current, data = born(recipe), batch()
    real = np.float32(data["image"] / 127.5 - 1)
    networks = {name: recipe.networks[name].module for name in "GD"}

    @functools.partial(jax.jit, static_argnums=0)
    def logits(count):
        """Of real pairs and of so many generated ones."""
        z = jax.random.uniform(jax.random.split(jax.random.key(1), 3)[0], (count, 64), minval=-1, maxval=1)
        variables = {"params": current.params["G"], **current.stats["G"]}
        fake, _ = networks["G"].apply(variables, z, mutable=["batch_stats"])
        judge = functools.partial(networks["D"].apply, {"params": current.params["D"]})
        return [[verdict.logits for verdict in judge(*pair)] for pair in ((real[::2], -real[1::2]), fake)]

    of_real, of_fake = logits(3)
    expected = sum(
        np.log1p(np.exp(-r)).mean() + np.log1p(np.exp(f)).mean() for r, f in zip(of_real, of_fake, strict=True)
    )
    np.testing.assert_allclose(play(recipe, "discriminator", current, data)[0], expected, rtol=1e-4)
    expected = sum(np.log1p(np.exp(-f)).mean() for f in logits(6)[1])
    np.testing.assert_allclose(play(recipe, "generator", current, data)[0], expected, rtol=1e-4)
    assert np.abs(np.subtract(*of_fake)).min() > 1e-3


def test_the_halves_differ_where_images_are_alone():
    shapes = jax.eval_shape(lambda: state.init(recipe_of(), 0)).params
    assert {name for name in shapes["G"] if name.endswith(("_a", "_b"))} == {"output_a", "output_b"}
    assert {name for name in shapes["D"] if name.endswith(("_a", "_b"))} == {"input_a", "input_b"}


def test_edges_are_where_neighbours_differ():
    image = -np.ones((1, 4, 4, 1), np.float32)
    image[0, 1, 1] = 1
    expected = -np.ones((4, 4))
    expected[1, 1] = expected[0, 1] = expected[1, 0] = 1
    np.testing.assert_array_equal(edges(jnp.asarray(image))[0, :, :, 0], expected)


def test_another_domain_is_a_sentence():
    with pytest.raises(ConfigError, match="domain is 'colour': expected one of 'negative', 'edges'"):
        recipe_of("phases.domain=colour")
