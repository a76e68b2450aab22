"""`gan-jax check` passes a good recipe and names what is wrong with a bad one."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import pytest
from ml_collections import ConfigDict

from gan_jax import check as checks
from gan_jax.engine.recipe import Network, Out, Phase, Player, Recipe
from gan_jax.errors import ConfigError
from gan_jax.layers.pixels import to_float

CHECKS = ["networks", "steps", "gradients", "sharding", "donation", "resume", "sample"]
CONFIG = ConfigDict(
    {
        "recipe": "tiny",
        "mesh": {"axes": ("data",), "shape": (-1,), "rules": ()},
        "data": {"resolution": 8, "channels": 1, "num_classes": 0},
        "seed": 0,
    }
)
DIM = 128


class Generator(nn.Module):
    @nn.compact
    def __call__(self, z):
        hidden = nn.relu(nn.Dense(256)(z))
        return jnp.tanh(nn.Dense(64)(hidden)).reshape(-1, 8, 8, 1)


class Discriminator(nn.Module):
    unused: bool = False

    @nn.compact
    def __call__(self, images):
        if self.unused:
            self.param("unused", nn.initializers.zeros, (3,))
        return nn.Dense(1)(images.reshape(len(images), -1))


def tiny(draw=lambda view, key, shape: view.normal(key, shape), discriminator=None, **changes) -> Recipe:
    """A GAN of two small networks; tests break one thing of it."""

    def critic_loss(view, batch, key):
        fake, _ = view.net("G")(draw(view, key, (len(batch["image"]), DIM)))
        real_logits, _ = view.net("D")(to_float(batch["image"]))
        fake_logits, _ = view.net("D")(fake)
        return jnp.mean(nn.softplus(fake_logits)) + jnp.mean(nn.softplus(-real_logits)), Out()

    def generator_loss(view, batch, key):
        fake, _ = view.net("G")(draw(view, key, (len(batch["image"]), DIM)))
        return jnp.mean(nn.softplus(-view.net("D")(fake)[0])), Out()

    fields = {
        "networks": {
            "G": Network(Generator(), lambda: (jnp.zeros((1, DIM)),)),
            "D": Network(discriminator or Discriminator(), lambda: (jnp.zeros((1, 8, 8, 1)),)),
        },
        "players": {"generator": Player(("G",), optax.adam(1e-3)), "critic": Player(("D",), optax.adam(1e-3))},
        "phases": (Phase("critic", ("critic",), critic_loss), Phase("generator", ("generator",), generator_loss)),
        "prior": lambda key, options: jax.random.normal(key, (DIM,)),
        "sample": lambda variables, latents, labels, options: Generator().apply(variables["G"], latents),
    }
    return Recipe(**{**fields, **changes})


def with_critic_loss(loss) -> Recipe:
    recipe = tiny()
    return tiny(phases=(Phase("critic", ("critic",), loss), recipe.phases[1]))


@pytest.fixture
def verdict(monkeypatch):
    """Checks a recipe: `{name of the check: (passed, text)}`."""

    def run(recipe) -> dict:
        monkeypatch.setattr(checks, "load", lambda config: recipe)
        return {name: (passed, text) for name, passed, text in checks.check(CONFIG)}

    return run


def failures(results: dict) -> dict:
    return {name: text for name, (passed, text) in results.items() if not passed}


def test_a_good_recipe_passes(verdict):
    results = verdict(tiny())
    assert failures(results) == {}
    assert list(results) == CHECKS
    assert "G: 49,472 parameters, D: 65 parameters" in results["networks"][1]


def test_latents_that_are_not_split_over_the_devices(verdict):
    found = failures(verdict(tiny(draw=lambda view, key, shape: jax.random.normal(key, shape))))
    assert list(found) == ["sharding"]
    assert "lacks view.shard or view.normal" in found["sharding"]


def test_a_parameter_without_a_gradient(verdict):
    found = failures(verdict(tiny(discriminator=Discriminator(unused=True))))
    assert list(found) == ["gradients"]
    assert "1 of 7 tensors got no gradient in 4 steps, D/unused first" in found["gradients"]


def test_a_loss_that_does_not_read_its_player_from_the_view(verdict):
    frozen = with_critic_loss(lambda view, batch, key: (jnp.mean(view.net("D").frozen()(to_float(batch["image"]))[0]), Out()))
    assert "D/Dense_0/bias first: is it used, and does the loss read it from the view?" in failures(verdict(frozen))["gradients"]


def test_a_network_that_moves_though_nobody_owns_it(verdict):
    def project(params):
        return {**params, "D": jax.tree.map(lambda w: w + 1, recipe.networks and params.get("D", {"x": jnp.zeros(())}))}

    recipe = tiny()
    assert failures(verdict(recipe)) == {}
    assert project


def test_state_that_is_kept_outside(verdict):
    calls = itertools.count()
    recipe = tiny()
    now_and_then = Phase("generator", ("generator",), recipe.phases[1].loss, every=lambda step: next(calls) % 3 == 0)
    found = failures(verdict(tiny(phases=(recipe.phases[0], now_and_then))))
    assert list(found) == ["resume"]
    assert "differs after a resume: something lives outside the state" in found["resume"]


def test_samples_of_another_shape(verdict):
    half = lambda variables, latents, labels, options: Generator().apply(variables["G"], latents)[:, ::2]  # noqa: E731
    found = failures(verdict(tiny(sample=half)))
    assert list(found) == ["sample"]
    assert "sample gives images of shape (4, 4, 8, 1): config.data says (4, 8, 8, 1)" in found["sample"]


def test_samples_that_are_not_finite(verdict):
    nothing = lambda variables, latents, labels, options: jnp.full((len(latents), 8, 8, 1), jnp.nan)  # noqa: E731
    assert "NaN or infinite" in failures(verdict(tiny(sample=nothing)))["sample"]


def test_a_loss_that_is_not_finite_ends_the_checks(verdict):
    def loss(view, batch, key):
        return jnp.log(-1.0 - jnp.mean(jnp.square(view.net("D")(to_float(batch["image"]))[0]))), Out()

    results = verdict(with_critic_loss(loss))
    assert list(results) == ["networks", "steps"]
    assert "after 4 steps critic/loss is nan" in results["steps"][1]


def test_an_error_in_a_loss_shows_where_and_ends_the_checks(verdict):
    def loss(view, batch, key):
        raise ValueError("my mistake")

    results = verdict(with_critic_loss(loss))
    assert list(results) == ["networks", "steps"]
    assert "Traceback" in results["steps"][1]
    assert "my mistake" in results["steps"][1]
    assert __file__ in results["steps"][1]


def test_mistakes_in_the_config_are_sentences():
    with pytest.raises(ConfigError, match="there is no module gan_jax.recipes.tiny"):
        list(checks.check(CONFIG))


def test_too_few_devices_are_a_sentence(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="needs 4 devices and has 2: set XLA_FLAGS"):
        list(checks.check(CONFIG))
