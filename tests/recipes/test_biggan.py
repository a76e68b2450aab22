"""BigGAN by the rules of the game, with classes and without; sentences on widths that cannot be."""

import pytest

from gan_jax import config as configs
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.game.checks import collections


@pytest.mark.parametrize("name", ["biggan_digits", "biggan_deep_imagenet128"])
@pytest.mark.parametrize("field", ["G.channels", "G.dim_z", "D.channels"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_width_below_one_names_its_field(name, field, value):
    config = configs.load(f"configs/{name}.py", [f"model.{field}={value}", "data.num_classes=10"])
    with pytest.raises(ConfigError, match=f"config.model.{field} is {value}: expected 1 or more"):
        load(config)


def test_a_width_too_small_for_its_parts_names_the_layer():
    overrides = ["model.G.channels=1", "model.G.attention=16"]  # queries have an eighth of 4
    with pytest.raises(ConfigError, match="the layer attention_1/query would have a weight of shape"):
        load(configs.load("configs/biggan_digits.py", overrides))


def test_hierarchical_latents_have_a_number_for_each_chunk_at_least():
    with pytest.raises(ConfigError, match="model.G.dim_z is 2: expected 3 or more, a number for each chunk"):
        load(configs.load("configs/biggan_digits.py", ["model.G.dim_z=2"]))


def test_without_classes_nobody_looks_at_labels():
    recipe = load(configs.load("configs/biggan_digits.py", ["data.num_classes=0", "phases.conditioning.name=none"]))
    kept = collections(recipe.networks)
    assert "shared" not in kept["G"]["params"]
    assert set(kept["D"]["params"]["output"]) == {"linear"}


@pytest.mark.parametrize("loss", ["hinge", "relativistic_average_hinge", "non_saturating"])
def test_the_rules_of_the_game_are_those_of_biggan(loss):
    rules = [f"phases.loss={loss}", "phases.pseudo=0.6", "phases.lecam=0.1", "phases.r1=1.0", "phases.consistency=10.0"]
    assert {"pseudo", "lecam"} <= set(load(configs.load("configs/biggan_digits.py:quick", rules)).aux())
