"""Networks by the name of their family."""

import jax
import pytest

from gan_jax import config as configs
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.game.latents import latents


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def build(*overrides):
    return load(configs.load("configs/dcgan_digits.py:quick", overrides))


def test_a_family_may_be_one_s_own():
    recipe = build("model.family=gan_jax.networks.dcgan")
    assert type(recipe.networks["G"].module).__module__ == "gan_jax.networks.dcgan"


@pytest.mark.parametrize("name", ["dcgans", "fir", "mine.networks", "mapping"])
def test_what_is_no_family_is_a_sentence(name):
    with pytest.raises(
        ConfigError, match=f"config.model.family is '{name}', but .* is no module with a Generator and a"
    ):
        build(f"model.family={name}")


def test_latents_have_their_distribution():

    key = jax.random.key(0)
    assert float(latents("uniform", 4).draw(key, 1000).min()) < -0.9
    assert 0 <= float(latents("positive", 4).draw(key, 1000).min()) < 0.01
    assert abs(float(latents("normal", 4).draw(key, 1000).std()) - 1) < 0.05
    with pytest.raises(ConfigError, match="latents is 'cauchy': expected one of 'normal'"):
        latents("cauchy", 4)
    with pytest.raises(ConfigError, match="dim_z is 0"):
        latents("normal", 0)


def test_games_of_normal_latents_truncate():
    for name, truncates in (("normal", True), ("uniform", False), ("positive", False)):
        recipe = build(f"model.latents={name}")
        assert recipe.truncates == truncates
        free, cut = (
            recipe.prior(jax.random.key(0), options) for options in ({}, {"truncation": 0.1, "form": "resampled"})
        )
        assert free.shape == cut.shape
        assert (float(abs(cut).max()) <= 0.1) == truncates
