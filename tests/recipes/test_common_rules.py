"""The common rules in recipes that have phases of their own: each is played, or refused in a sentence.

What a term is worth, `tests.game.test_terms` says; here, that it is paid by its weight, and seen by the right player.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from tests.game.arena import batch, leaves
from tests.recipes import common_rules

WEIGHTS = {**common_rules.DISCRIMINATOR, **common_rules.GENERATOR}
HEADLESS = ("rotation", "rotation_generator", "minibatch_discrimination")
# Where logits of real images are low, and no loss is played.
LOW = ("lecam", "pseudo", "top_k", "label_smoothing", "loss")
# Fields without which the quick variant would refuse penalties, or answer by chance; and rules that the recipe refuses.
RECIPES = {
    "ali": (("model.D.keep=1.0", "phases.r1=0.0"), ("top_k",)),
    "began": ((), (*HEADLESS, *LOW)),
    "bigbigan": (("model.G.dim_z=48",), ("top_k",)),
    "cogan": ((), ()),
    "lapgan": (("model.D.keep=1.0", "model.coarsest=8"), ()),
    "ogan": (("model.E.norm=none",), (*HEADLESS, *LOW)),
    "r1": ((), ("r1", "minibatch_discrimination")),
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


def different(params):
    """Weights by which images and answers differ."""
    return jax.tree.map(lambda w: 1.5 * w + 0.02 * jnp.cos(jnp.arange(w.size)).reshape(w.shape), params)


def played(recipe, phase, like=None, **options):
    """`(value, Out)`, the values of all players added."""
    value, out = common_rules.outcome(recipe, phase, batch(side=16, size=8), like, change=different, **options)
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
    recipe, without = recipe_of(name, **rules, lecam_start=0, latent_sigma=1.0), recipe_of(name)
    seen = {}
    for phase in phases(recipe):
        value, out = played(recipe, phase)
        before, _ = played(without, phase, recipe)
        terms = {metric: float(term) for metric, term in out.metrics.items() if rule_of(metric)}
        paid = sum(rules[rule_of(metric)] * term for metric, term in terms.items())
        np.testing.assert_allclose(value - before, paid, rtol=1e-3, atol=1e-5 * abs(before))
        for metric, term in terms.items():  # of several games one after the other
            seen[rule_of(metric)] = seen.get(rule_of(metric), 0) + abs(term)
    assert set(seen) == set(rules)
    assert all(seen.values()), seen


@pytest.mark.parametrize("name", [name for name, (_, refused) in RECIPES.items() if refused])
def test_refused_rules_are_refused_in_a_sentence(name):
    for rule in RECIPES[name][1]:
        values = {rule: {**WEIGHTS, **OTHERS}[rule], **({"rotation": 1.0} if rule == "rotation_generator" else {})}
        with pytest.raises(ConfigError, match=r"config\.phases\.\w+ .*: set (it|its|config|one)"):
            recipe_of(name, **values)


@pytest.mark.parametrize("name", NAMES)
def test_the_discriminator_sees_augmented_images_everywhere(name):
    config = configs.load(f"configs/{name}_digits.py:quick", ["train.batch_size=8", *RECIPES[name][0]]).unlock()
    config.phases.augment = {"name": "diffaugment", "policy": ("color",)}
    recipe, without = load(config), recipe_of(name)
    for phase in phases(recipe):
        assert abs(played(recipe, phase)[0] - played(without, phase)[0]) > 1e-6


@pytest.mark.parametrize("name", FEW)
def test_other_rules_change_the_game(name):
    """Pseudo augmentation that always acts, smoothed labels, another loss, and learning from the best images alone."""
    for rule, value in allowed(name, OTHERS).items():
        # A loss that is flat nowhere, where the best images are to pay another one; and one that has targets.
        others = {"top_k": {"loss": "wasserstein"}, "label_smoothing": {"loss": "minimax"}}.get(rule, {})
        recipe, without = recipe_of(name, **{rule: value}, **others), recipe_of(name, **others)
        always = {"p": jnp.float32(1), "signs": jnp.float32(0), "count": jnp.float32(0)}
        late = {"images": 10_000_000}  # when top-k training has come to its share
        acting = {key: always for key in recipe.aux() if key.startswith("pseudo")}
        changed = [played(recipe, p, aux=acting, **late)[0] - played(without, p, **late)[0] for p in phases(recipe)]
        assert max(map(abs, changed)) > 1e-6, rule
