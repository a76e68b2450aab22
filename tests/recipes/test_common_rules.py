"""The common rules in recipes that have phases of their own: each is played, or refused in a sentence.

What a term is worth, `tests.game.test_terms` says; here, that it is paid by its weight, and seen by the right player.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from tests.game.arena import batch, leaves, play

DISCRIMINATOR = {
    "gradient_penalty": 0.3,
    "dragan": 0.4,
    "max_gradient": 0.05,
    "r1": 0.5,
    "r2": 0.6,
    "lecam": 0.7,
    "consistency": 0.8,
    "consistency_fake": 0.9,
    "latent_consistency": 1.1,
    "rotation": 1.2,
}
GENERATOR = {
    "orthogonal": 0.02,
    "latent_diversity": 1.3,
    "rotation_generator": 1.4,
    "path_length": 1.5,
    "feature_matching": 1.6,
}
BOTH = {"historical_averaging": 0.01}
WEIGHTS = {**DISCRIMINATOR, **GENERATOR, **BOTH}
HEADLESS = ("rotation", "rotation_generator", "minibatch_discrimination")
NO_FEATURES = ("feature_matching", *HEADLESS)
LOW = (
    "lecam",
    "pseudo",
    "top_k",
    "label_smoothing",
    "loss",
)  # where logits of real images are low, and no loss is played
# Fields without which the quick variant would refuse penalties, or answer by chance; and rules that the recipe refuses.
RECIPES = {
    "ali": (("model.D.keep=1.0", "phases.r1=0.0"), (*NO_FEATURES, "top_k")),
    "began": ((), (*NO_FEATURES, *LOW)),
    "bigbigan": (("model.G.dim_z=48",), (*NO_FEATURES, "top_k")),
    "cogan": ((), NO_FEATURES),
    "lapgan": (("model.D.keep=1.0", "model.coarsest=8"), NO_FEATURES),
    "ogan": (("model.E.norm=none",), (*HEADLESS, *LOW)),
    "r1": ((), (*NO_FEATURES, "r1")),
    "semi_supervised": (
        ("model.D.keep_input=1.0", "model.D.keep_hidden=1.0", "model.D.noise=0.0"),
        ("feature_matching", "top_k"),
    ),
    "vae_gan": (("model.D.norm=none",), ("pseudo",)),
}
SLOW = ("bigbigan",)
NAMES, FEW = (
    [pytest.param(name, marks=pytest.mark.slow if slow(name) else ()) for name in RECIPES]
    for slow in (lambda name: name in SLOW, lambda name: name not in ("cogan", "vae_gan"))
)
OTHERS = {
    "minibatch_discrimination": "5",
    "pseudo": "0.6",
    "label_smoothing": "0.1",
    "top_k": "0.5",
    "loss": "wasserstein",
}


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def recipe_of(name, **rules):
    fields, _ = RECIPES[name]
    rules = [f"phases.{rule}={value}" for rule, value in rules.items()]
    return load(configs.load(f"configs/{name}_digits.py:quick", ["train.batch_size=8", *fields, *rules]))


def allowed(name, rules):
    return {rule: value for rule, value in rules.items() if rule not in RECIPES[name][1]}


def current_of(recipe):
    """A first state whose images and answers differ, and that has a history."""
    current = state.init(recipe, 0)
    params = jax.tree.map(lambda w: 1.5 * w + 0.02 * jnp.cos(jnp.arange(w.size)).reshape(w.shape), current.params)
    current = state.dataclasses.replace(current, params=params)
    history = {name: entry for name, entry in current.aux.items() if name.startswith("history")}
    past = {name: {**entry, "count": jnp.float32(1)} for name, entry in history.items()}
    return state.dataclasses.replace(current, aux={**current.aux, **past})


def played(recipe, name, current, **changes):
    """`(value, Out)`, the values of all players added."""
    value, out = play(recipe, name, current, batch(side=16, size=8), step=jnp.int32(1), **changes)
    return leaves(value).sum(), out


def phases(recipe):
    return [phase.name for phase in recipe.phases if phase.players]


def rule_of(metric):
    """The rule of a term in the log, whose name may have something behind it."""
    found = [rule for rule in WEIGHTS if metric == rule or metric.startswith(f"{rule}_")]
    return max(found, key=len) if found else None


@pytest.mark.parametrize("name", NAMES)
def test_terms_are_paid_by_their_weights(name):
    rules = allowed(name, WEIGHTS)
    recipe, without = recipe_of(name, **rules, lecam_start=0), recipe_of(name)
    current, seen = current_of(recipe), {}
    for phase in phases(recipe):
        value, out = played(recipe, phase, current)
        before, _ = played(without, phase, current)
        terms = {metric: float(term) for metric, term in out.metrics.items() if rule_of(metric)}
        paid = sum(rules[rule_of(metric)] * term for metric, term in terms.items())
        np.testing.assert_allclose(value - before, paid, rtol=1e-3, atol=1e-5 * abs(before))
        seen |= {(phase, rule_of(metric)): term for metric, term in terms.items()}
    assert {rule for _, rule in seen} == set(rules)
    assert all(seen.values()), seen


@pytest.mark.parametrize("name", NAMES)
def test_refused_rules_are_refused_in_a_sentence(name):
    for rule in RECIPES[name][1]:
        values = {rule: {**WEIGHTS, **OTHERS}[rule], **({"rotation": 1.0} if rule == "rotation_generator" else {})}
        with pytest.raises(ConfigError, match=r"config\.phases\.\w+ .*: set (it|its|config|one)"):
            recipe_of(name, **values)


@pytest.mark.parametrize("name", NAMES)
def test_the_discriminator_sees_augmented_images_everywhere(name):
    recipe, without = recipe_of(name), recipe_of(name)
    config = configs.load(f"configs/{name}_digits.py:quick", ["train.batch_size=8", *RECIPES[name][0]]).unlock()
    config.phases.augment = {"name": "diffaugment", "policy": ("color",)}
    recipe, current = load(config), current_of(without)
    for phase in phases(recipe):
        assert abs(played(recipe, phase, current)[0] - played(without, phase, current)[0]) > 1e-6


@pytest.mark.parametrize("name", FEW)
def test_other_rules_change_the_game(name):
    """Pseudo augmentation that always acts, smoothed labels, another loss, and learning from the best images alone."""
    for rule, value in allowed(name, OTHERS).items():
        # A loss that is flat nowhere, where the best images are to pay another one; and one that has targets.
        others = {"top_k": {"loss": "wasserstein"}, "label_smoothing": {"loss": "minimax"}}.get(rule, {})
        recipe, without = recipe_of(name, **{rule: value}, **others), recipe_of(name, **others)
        current = current_of(recipe)
        always = {key: {**entry, "p": jnp.float32(1)} for key, entry in current.aux.items() if key.startswith("pseudo")}
        current = state.dataclasses.replace(current, aux={**current.aux, **always})
        late = {"images": jnp.uint32(10_000_000)}  # when top-k training has come to its share
        other = current_of(without) if rule == "minibatch_discrimination" else current
        pairs = [(played(recipe, p, current, **late), played(without, p, other, **late)) for p in phases(recipe)]
        assert max(abs(with_rule[0] - before[0]) for with_rule, before in pairs) > 1e-6, rule
