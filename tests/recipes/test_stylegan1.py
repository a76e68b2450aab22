"""StyleGAN's losses, style mixing, noise and sampling, worked out from what its networks return."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import Stage, View, load
from gan_jax.errors import ConfigError
from gan_jax.recipes import growing
from gan_jax.recipes.growing import Span
from gan_jax.recipes.stylegan import mixed
from tests.recipes import common_rules

BATCH = 8
STANDING, FADING = Stage(info=Span(1, 2)), Stage(info=Span(1, 2, (0, 400)))


@pytest.fixture(scope="module")
def born():
    """A recipe with 10 classes, gamma 6 and no mixing, and its first state."""
    overrides = ["phases.gamma=6.0", "phases.mixing=0.0", "data.num_classes=10", "data.channels=1"]
    recipe = load(configs.load("configs/stylegan1_ffhq1024.py:quick", overrides))
    mesh = sharding.data_mesh(1)
    first = state.born(recipe, state.abstract(recipe, mesh, ()), 0)
    # Noise must count to be seen.
    loud = lambda path, x: x + 0.5 if "noise_strength" in str(path) else x  # noqa: E731
    params = {**first.params, "G": jax.tree_util.tree_map_with_path(loud, first.params["G"])}
    return recipe, dataclasses.replace(first, params=params), mesh


def view_of(born, stage):
    recipe, first, mesh = born
    modules = {name: network.module for name, network in recipe.networks.items()}
    return View(modules, first.params, first.stats, first.ema, {}, first.step, jnp.uint32(100), stage, mesh)


def batch_of():
    random = np.random.RandomState(0)
    return {
        "image": random.randint(0, 256, (BATCH, 16, 16, 1)).astype(np.uint8),
        "label": jnp.arange(BATCH, dtype=jnp.int32),
    }


def latents(key):
    return jax.random.normal(jax.random.split(key)[0], (BATCH, 8))


def generated(view, key):
    """The generated images of the generator's loss that is called with a key."""
    _, _, key_generate, _, _ = jax.random.split(key, 5)
    _, _, key_noise = jax.random.split(key_generate, 3)
    ws, _ = view.net("G")(latents(key), batch_of()["label"], method="map")

    def noise(layer, shape):
        return jax.random.normal(jax.random.fold_in(key_noise, layer), shape)

    return view.net("G")(ws, noise=noise, level=1, alpha=growing.alpha(view), method="synthesize")[0]


def logits(view, images):
    """That of the label: image i has label i."""
    return np.diagonal(view.net("D")(images, alpha=growing.alpha(view))[0].logits)


@pytest.mark.parametrize("stage", [STANDING, FADING], ids=["standing", "fading"])
def test_the_discriminator_s_loss_is_logistic_with_half_gamma_times_r1(born, stage):
    view, key = view_of(born, stage), jax.random.key(3)
    value, out = born[0].phases[0].loss(view, batch_of(), key)
    real_images = growing.real_images(view, batch_of()["image"])
    key_round, _ = jax.random.split(key)
    real, fake = logits(view, real_images), logits(view, generated(view, key_round))
    expected = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()

    # R1 as published: with respect to images of the full resolution, which the discriminator sees averaged down.
    def score(full):
        small = full.reshape(BATCH, 8, 2, 8, 2, 1).mean((2, 4))
        return jnp.trace(view.net("D")(small, alpha=growing.alpha(view))[0].logits)

    gradient = jax.jit(jax.grad(score))(real_images.repeat(2, 1).repeat(2, 2))
    squares = np.square(gradient).sum((1, 2, 3)).mean()
    np.testing.assert_allclose(out.metrics["squared_gradient"], squares, rtol=1e-4)
    np.testing.assert_allclose(value, expected + 6 / 2 * squares, rtol=1e-4)


def test_the_generator_s_loss_is_non_saturating(born):
    view, key = view_of(born, FADING), jax.random.key(3)
    value, _ = born[0].phases[1].loss(view, batch_of(), key)
    np.testing.assert_allclose(value, np.log1p(np.exp(-logits(view, generated(view, key)))).mean(), rtol=1e-4)


def test_both_losses_move_the_average_of_w_by_the_first_latents(born):
    view, key = view_of(born, STANDING), jax.random.key(3)
    for phase, key_round in zip(born[0].phases, (jax.random.split(key)[0], key), strict=True):
        w = view.net("G")(latents(key_round), batch_of()["label"], method="map")[0][:, 0]
        _, out = phase.loss(view, batch_of(), key)
        np.testing.assert_allclose(out.stats["G"]["buffers"]["w_avg"], 0.005 * w.mean(0), rtol=1e-4, atol=1e-7)
        assert out.stats["G"]["growth"]["synthesis"]["detail"] == 1


def test_styles_are_mixed_at_one_cutoff_among_the_layers_in_use():
    ws, others = jnp.zeros((3, 10, 2)), jnp.ones((3, 10, 2))
    several = jax.jit(jax.vmap(lambda key, p: mixed(key, ws, others, p, 6), in_axes=(0, None)))
    keys = jax.random.split(jax.random.key(0), 2000)
    always, sometimes = np.asarray(several(keys, 1.0)), np.asarray(several(keys, 0.9))
    assert (np.diff(always, axis=2) >= 0).all()  # of one latent up to the cutoff, of the other behind
    assert (always == always[:, :1, :, :1]).all()  # the same for the whole batch
    cutoffs = 10 - always[:, 0, :, 0].sum(-1)
    np.testing.assert_allclose(np.bincount(cutoffs.astype(int), minlength=7) / 2000, [0, *[0.2] * 5, 0], atol=0.03)
    cutoffs = 10 - sometimes[:, 0, :, 0].sum(-1)
    np.testing.assert_allclose((cutoffs == 6).mean(), 0.1, atol=0.02)


def test_mixing_uses_a_second_latent(born):
    mixing = load(
        configs.load(
            "configs/stylegan1_ffhq1024.py:quick", ["phases.mixing=1.0", "data.num_classes=10", "data.channels=1"]
        )
    )
    view = view_of(born, STANDING)
    plain, _ = born[0].phases[1].loss(view, batch_of(), jax.random.key(3))
    value, _ = mixing.phases[1].loss(view, batch_of(), jax.random.key(3))
    assert abs(value - plain) > 1e-5


def test_the_discriminator_moves_first_and_both_start_afresh_at_a_stage(born):
    recipe, first, _ = born
    assert schedule.due(recipe, 0) == schedule.due(recipe, 5) == (("discriminator", 1), ("generator", 1))
    assert all(player.reset_at_stage for player in recipe.players.values())
    assert recipe.ema.stats == "copy"
    assert set(first.ema) == {"G"}


def test_sampling_maps_truncates_and_synthesises_with_the_stored_noise(born):
    recipe, first, _ = born
    variables = state.variables(first, averaged=False)
    variables["G"]["buffers"]["w_avg"] = jnp.arange(8.0)
    z, labels = jnp.ones((2, 8)), jnp.array([0, 1])
    images, whole = (recipe.sample(variables, z, labels, {"truncation": psi}) for psi in (0.5, None))
    assert images.shape == (2, 16, 16, 1)
    ws = recipe.styles.map(variables, z, labels, {"truncation": None})
    halved = recipe.styles.map(variables, z, labels, {"truncation": 0.5})
    np.testing.assert_allclose(halved, (ws + jnp.arange(8.0)) / 2, rtol=1e-5)
    np.testing.assert_allclose(images, recipe.styles.synthesize(variables, halved), atol=1e-6)
    assert recipe.truncates
    assert np.abs(images - whole).max() > 1e-4


def tiny(*overrides):
    return load(
        configs.load("configs/stylegan1_ffhq1024.py:quick", ["data.num_classes=10", "data.channels=1", *overrides])
    )


def test_common_rules_add_their_weights_times_what_the_log_names():
    weights = common_rules.weights("r1")
    for player, phase in (("D", "discriminator"), ("G", "generator")):
        ruled = tiny(*common_rules.overrides(weights[player]))
        common_rules.assert_paid(tiny(), ruled, weights[player], phase, batch_of(), stage=FADING)


def test_penalties_are_those_of_images_of_the_full_resolution(born):
    """As is the recipe's own R1: were generated images shown as real ones, R2 would be a half of it."""
    entry = {"p": jnp.float32(1), "signs": jnp.float32(0), "count": jnp.float32(0)}
    recipe, options = tiny("phases.r2=1.0", "phases.pseudo=0.6"), {"stage": STANDING, "aux": {"pseudo": entry}}
    _, out = common_rules.outcome(recipe, "discriminator", batch_of(), **options)
    np.testing.assert_allclose(out.metrics["r2"], out.metrics["squared_gradient"] / 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ("phases.r1=1.0", "phases.r1 is 1.0, but that weight is config.phases.gamma here: set it to 0.0"),
        ("phases.mixing=1.5", "phases.mixing is 1.5: expected 0 to 1"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_in_a_sentence(overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        tiny(overrides)
