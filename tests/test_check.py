"""`gan-jax check` passes a good recipe and names what is wrong with a bad one."""

import dataclasses
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import pytest
from ml_collections import ConfigDict

from gan_jax import check as checks
from gan_jax.engine.recipe import Network, Out, Phase, Player, Recipe, Stage
from gan_jax.errors import ConfigError
from gan_jax.layers.pixels import to_float

CONFIG = ConfigDict(
    {
        "recipe": "tiny",
        "mesh": {"axes": ("data",), "shape": (-1,), "rules": ()},
        "data": {"resolution": 8, "channels": 1, "num_classes": 0, "labels": "index"},
        "train": {"unroll": None},
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
    """A scale that is wanted and perhaps another that is not."""

    unused: bool = False

    @nn.compact
    def __call__(self, images):
        if self.unused:
            self.param("unused", nn.initializers.zeros, (3,))
        return nn.Dense(1)(images.reshape(len(images), -1)) * self.param("scale", nn.initializers.ones, ())


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
        "players": {"generator": Player(("G",), optax.sgd(1e-2)), "critic": Player(("D",), optax.sgd(1e-2))},
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
    """Checks a recipe up to the first failure: `{name of the check: text}`, and the name of the one that failed."""

    def run(recipe) -> tuple[dict[str, str], str | None]:
        monkeypatch.setattr(checks, "load", lambda config: recipe)
        texts = {}
        for name, passed, text in checks.check(CONFIG):
            texts[name] = text
            if not passed:
                return texts, name
        return texts, None

    return run


def test_a_good_recipe_passes(verdict):
    texts, failed = verdict(tiny())
    assert failed is None
    assert list(texts) == ["networks", "steps", "gradients", "sharding", "donation", "resume", "sample"]
    assert "G: 49,472 parameters, D: 66 parameters" in texts["networks"]


def test_latents_that_are_not_split_over_the_devices(verdict):
    texts, failed = verdict(tiny(draw=lambda view, key, shape: jax.random.normal(key, shape)))
    assert failed == "sharding"
    assert "lacks view.shard or view.normal" in texts[failed]


def test_a_parameter_without_a_gradient(verdict):
    texts, failed = verdict(tiny(discriminator=Discriminator(unused=True)))
    assert failed == "gradients"
    assert "1 of 8 tensors got no gradient in 4 steps, D/unused first" in texts[failed]


def test_a_bias_that_cancels_out(verdict):
    """A critic's score may have any number added."""

    def loss(view, batch, key):
        fake, _ = view.net("G")(view.normal(key, (len(batch["image"]), DIM)))
        return jnp.mean(view.net("D")(fake)[0] - view.net("D")(to_float(batch["image"]))[0]), Out()

    texts, failed = verdict(with_critic_loss(loss))
    assert failed is None
    assert texts["gradients"] == "6 tensors move, but D/Dense_0/bias, whose gradient cancels out"


def test_a_loss_that_does_not_read_its_player_from_the_view(verdict):
    def loss(view, batch, key):
        return jnp.mean(view.net("D").frozen()(to_float(batch["image"]))[0]), Out()

    texts, failed = verdict(with_critic_loss(loss))
    assert failed == "gradients"
    assert "D/Dense_0/bias first: is it used, and does the loss read it from the view?" in texts[failed]


def test_a_network_that_moves_though_nobody_owns_it(verdict):
    game = tiny()
    meddler = Player(
        ("D",), optax.sgd(1e-2), project=lambda params: {**params, "F": jax.tree.map(jnp.ones_like, params["D"])}
    )
    networks = {**game.networks, "F": game.networks["D"]}
    texts, failed = verdict(tiny(networks=networks, players={**game.players, "critic": meddler}))
    assert failed == "gradients"
    assert "F/Dense_0/bias changed, but no player owns its network" in texts[failed]


def test_state_that_is_kept_outside(verdict):
    calls = itertools.count()
    critic, generator = tiny().phases
    now_and_then = dataclasses.replace(generator, every=lambda step: next(calls) % 3 == 0)
    texts, failed = verdict(tiny(phases=(critic, now_and_then)))
    assert failed == "resume"
    assert "differs after a resume: something lives outside the state" in texts[failed]


def test_samples_of_another_shape(verdict):
    half = lambda variables, latents, labels, options: Generator().apply(variables["G"], latents)[:, ::2]  # noqa: E731
    texts, failed = verdict(tiny(sample=half))
    assert failed == "sample"
    assert "sample gives images of shape (4, 4, 8, 1): config.data says (4, 8, 8, 1)" in texts[failed]


def test_a_loss_that_is_not_finite_ends_the_checks(monkeypatch):
    def loss(view, batch, key):
        return jnp.log(-1.0 - jnp.mean(jnp.square(view.net("D")(to_float(batch["image"]))[0]))), Out()

    monkeypatch.setattr(checks, "load", lambda config: with_critic_loss(loss))
    results = list(checks.check(CONFIG))
    assert [(name, passed) for name, passed, _ in results] == [("networks", True), ("steps", False)]
    assert "after 4 steps critic/loss is nan" in results[-1][2]


def test_an_error_in_a_loss_shows_where_and_ends_the_checks(monkeypatch):
    def loss(view, batch, key):
        raise ValueError("my mistake")

    monkeypatch.setattr(checks, "load", lambda config: with_critic_loss(loss))
    results = list(checks.check(CONFIG))
    assert [(name, passed) for name, passed, _ in results] == [("networks", True), ("steps", False)]
    assert "Traceback" in results[-1][2]
    assert "my mistake" in results[-1][2]
    assert __file__ in results[-1][2]


def test_mistakes_in_the_config_are_sentences():
    with pytest.raises(ConfigError, match="there is no module gan_jax.recipes.tiny"):
        list(checks.check(CONFIG))


def test_too_few_devices_are_a_sentence(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="needs 4 devices and has 2: set XLA_FLAGS"):
        list(checks.check(CONFIG))


@pytest.mark.parametrize("used", [True, False])
def test_a_growing_network_is_judged_over_all_its_stages(verdict, used):
    """The parameter `unused` of D enters the second stage's loss, or none."""
    recipe = tiny(discriminator=Discriminator(unused=True))
    plain = recipe.phases[0].loss

    def loss(view, batch, key):
        value, out = plain(view, batch, key)
        late = used and view.stage.info == "late"
        return value + (jnp.sum(view.params["D"]["unused"]) if late else 0.0), out

    phases = (Phase("critic", ("critic",), loss), recipe.phases[1])
    stages = (Stage(until=1000, info="early"), Stage(info="late"))
    texts, failed = verdict(dataclasses.replace(recipe, phases=phases, stages=stages))
    if used:
        assert failed is None
    else:
        assert failed == "gradients"
        assert "D/unused first" in texts["gradients"]
