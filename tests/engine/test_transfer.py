"""States that begin with networks trained elsewhere."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import config as configs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.transfer import born_with
from gan_jax.errors import ConfigError

CLASSES = 10
TABLES = {"G/params/shared/embedding", "D/params/output/projection/embedding", "D/spectral/output/projection/u"}


def recipe_of(*overrides):
    return load(configs.load("configs/biggan_digits.py:quick", list(overrides)))


def target_of(recipe):
    return state.abstract(recipe, sharding.data_mesh(4), ())


@pytest.fixture(scope="module")
def recipe():
    return recipe_of()


@pytest.fixture(scope="module")
def given(recipe):
    """Networks and averages, each array with numbers of its own."""
    counter = iter(range(10_000))
    current = target_of(recipe)
    number = lambda leaf: np.full(leaf.shape, next(counter), leaf.dtype)  # noqa: E731
    return jax.tree.map(number, state.variables(current, averaged=False)), jax.tree.map(number, current.ema)


def equal(a, b):
    return jax.tree.all(jax.tree.map(np.array_equal, a, b))


def test_everything_given_is_taken_over_and_the_rest_is_new(recipe, given):
    networks, averaged = given
    born, fresh = born_with(recipe, target_of(recipe), 3, networks, averaged)
    assert equal(state.variables(born, averaged=False), networks)
    assert equal(born.ema, averaged)
    assert fresh == []
    assert (int(born.step), int(born.images), int(born.seed)) == (0, 0, 3)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(born.opt))
    assert jax.tree.map(lambda leaf: leaf.sharding, born) == jax.tree.map(lambda leaf: leaf.sharding, target_of(recipe))
    jax.jit(lambda s: jax.tree.map(lambda x: x + x, s), donate_argnums=0)(born)  # no two leaves are one buffer


def test_missing_networks_are_fresh_and_an_average_begins_as_its_network(recipe, given):
    networks, _ = given
    born, fresh = born_with(recipe, target_of(recipe), 3, {"G": networks["G"], "other": networks["D"]}, {})
    plain = state.born(recipe, target_of(recipe), 3)
    assert equal(state.variables(born, averaged=False)["G"], networks["G"])
    assert equal(born.ema["G"], networks["G"])
    assert equal(born.params["D"], plain.params["D"])
    assert fresh == []


def test_another_number_of_classes_begins_tables_anew(given):
    networks, averaged = given
    other = recipe_of("data.num_classes=7")
    born, fresh = born_with(other, target_of(other), 3, networks, averaged, (CLASSES, 7))
    assert set(fresh) == TABLES
    assert born.params["G"]["shared"]["embedding"].shape == (7, 32)
    assert np.std(born.params["G"]["shared"]["embedding"]) > 0
    assert equal(born.ema["G"]["params"]["shared"], born.params["G"]["shared"])
    assert equal(born.params["G"]["stem"], networks["G"]["params"]["stem"])
    assert equal(born.ema["G"]["params"]["stem"], averaged["G"]["params"]["stem"])


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        (
            "data.num_classes=7",
            r"have an array \[10, 8\] as D/params/output/projection/embedding, .* an array \[7, 8\]",
        ),
        ("model.G.channels=4", r"have an array \[.*\] as G/.*, where the config wants an array"),
        ("model.G.attention=(8,)", r"have nothing as G/params/attention_0/.*, where the config wants an array"),
    ],
)
def test_other_networks_are_named(given, override, reason):
    other = recipe_of(override)
    with pytest.raises(ConfigError, match=reason):
        born_with(other, target_of(other), 3, *given)


def test_networks_of_other_names_are_refused(recipe, given):
    with pytest.raises(ConfigError, match=r"those of \['A', 'B'\]: expected some of \['D', 'G'\]"):
        born_with(recipe, target_of(recipe), 0, {"A": given[0]["G"], "B": given[0]["D"]}, {})


def test_an_optimiser_that_begins_with_the_weights_begins_with_these(given):
    """As schedule-free ones do, whose state holds a copy."""
    plain = recipe_of()
    copying = optax.GradientTransformation(lambda params: jax.tree.map(jnp.copy, params), lambda u, s, p=None: (u, s))
    players = {name: dataclasses.replace(player, optimizer=copying) for name, player in plain.players.items()}
    recipe = dataclasses.replace(plain, players=players)
    born, _ = born_with(recipe, target_of(recipe), 0, *given)
    assert equal(born.opt["generator"]["G"], given[0]["G"]["params"])
