"""Random keys of losses: each is for one purpose.

`jax.random.split(key, n)[i]` is `fold_in(key, i)`: a key that is both split and folded into gives the same randomness to
two purposes, and one that is drawn from and derived from tells in its draws what the other keys are.
"""

import collections

import jax
import jax.numpy as jnp
import pytest

from gan_jax import config as configs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import View, load
from gan_jax.game import latents

DRAWS = (
    "bits",
    "uniform",
    "normal",
    "truncated_normal",
    "bernoulli",
    "randint",
    "categorical",
    "permutation",
    "choice",
)
# Rules that draw, and which of them a recipe refuses.
DRAWING = ("augment.name=ada", "pseudo=0.6", "dragan=1.0", "consistency=1.0", "latent_consistency=1.0")
RECIPES = {
    "ali": ("dragan=1.0",),
    "began": ("pseudo=0.6",),
    "bigbigan": (),
    "cogan": (),
    "dcgan": ("dragan=1.0",),
    "lapgan": (),
    "logan": (),
    "ogan": ("pseudo=0.6", "dragan=1.0"),
    "progan": ("pseudo=0.6",),
    "r1": (),
    "r3gan": ("augment.name=ada", "pseudo=0.6"),
    "semi_supervised": (),
    "sngan": (),
    "ssgan": (),
    "stylegan2": (),
    "vae_gan": ("pseudo=0.6", "dragan=1.0"),
}


@pytest.fixture
def uses(monkeypatch):
    """What every key, by its words, has been used for, while keys are no tracers."""
    uses = collections.defaultdict(set)

    def watched(name, function):
        def call(key, *args, **kwargs):
            if isinstance(key, jax.core.Tracer):
                return function(key, *args, **kwargs)
            with jax.ensure_compile_time_eval():
                words = tuple(jax.random.key_data(key).ravel().tolist())
                if name == "fold_in":
                    uses[words].add(name)
                    return function(key, *args, **kwargs)
                if name == "split":
                    keys = list(function(key, *args, **kwargs))
                    uses[words].add(f"{name} {len(keys)}")
                    return keys
            drawn = function(key, *args, **kwargs)
            uses[words].add(f"{name} {drawn.shape}")
            return drawn

        return call

    for name in (*DRAWS, "split", "fold_in"):
        monkeypatch.setattr(jax.random, name, watched(name, getattr(jax.random, name)))
    for name, draw in latents._DISTRIBUTIONS.items():
        monkeypatch.setitem(latents._DISTRIBUTIONS, name, watched(name, draw))
    return uses


def trace(recipe, data):
    """Traces every loss of a recipe, each with a key of its own."""
    mesh = sharding.data_mesh(1)
    modules = {name: network.module for name, network in recipe.networks.items()}
    batch = {
        "image": jax.ShapeDtypeStruct((8, data.resolution, data.resolution, data.channels), jnp.uint8),
        "label": jax.ShapeDtypeStruct((8,), jnp.int32),
    }
    for number, phase in enumerate(recipe.phases):
        key = jax.random.key(number)

        def act(kept, batch, loss=phase.loss, key=key):
            seen = (kept.step, kept.images, recipe.stages[-1])
            return loss(View(modules, kept.params, kept.stats, kept.ema, kept.aux, *seen, mesh), batch, key)

        jax.eval_shape(act, state.abstract(recipe, mesh, ()), batch)


@pytest.mark.parametrize("drawing", [False, True], ids=["plain", "with rules that draw"])
@pytest.mark.parametrize("name", RECIPES)
def test_no_key_has_two_uses(request, monkeypatch, uses, name, drawing):
    monkeypatch.chdir(request.config.rootpath)
    rules = [f"phases.{rule}" for rule in DRAWING if drawing and rule not in RECIPES[name]]
    config = configs.load(f"configs/{name}_digits.py:quick", ["train.batch_size=8", *rules])
    recipe = load(config)
    uses.clear()  # Only losses are looked at.
    trace(recipe, config.data)
    assert len(uses) > (10 if drawing else 3)
    assert [use for use in uses.values() if len(use) > 1] == []
