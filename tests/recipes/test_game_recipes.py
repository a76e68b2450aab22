"""What recipes add to the game of two: who moves when, and their own terms by their formulas."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import schedule, state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.layers.heads import Verdict
from gan_jax.layers.rotation import turned
from gan_jax.recipes import ebgan, infogan
from tests.game.arena import batch, born, play


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def recipe_of(name, *overrides):
    tiny = ("data.num_classes=3", "train.batch_size=6") if "digits" in name else ()
    return load(configs.load(f"configs/{name}.py:quick", [*tiny, *overrides]))


def test_features_are_matched_with_real_images_that_the_discriminator_has_not_just_seen():
    for matching, first in ((0.0, 0), (1.0, 2)):
        recipe = recipe_of("dcgan_digits", f"phases.feature_matching={matching}", "phases.discriminator_steps=2")
        assert {phase.name: phase.first_slice for phase in recipe.phases} == {"discriminator": 0, "generator": first}


def test_wgan_s_critic_runs_ahead_at_the_beginning_and_now_and_then():
    recipe = load(configs.load("configs/wgan_digits.py"))
    steps = [dict(schedule.due(recipe, step))["discriminator"] for step in (0, 4, 5, 99, 100, 101)]
    assert steps == [20, 20, 5, 5, 20, 5]
    clipped = recipe.players["discriminator"].project({"D": jnp.array([-1.0, 1.0])})
    np.testing.assert_allclose(clipped["D"], [-0.01, 0.01])


def test_a_conditional_gan_needs_classes():
    with pytest.raises(ConfigError, match="num_classes is 0: a conditional GAN needs data with classes"):
        recipe_of("cgan_digits", "data.num_classes=0")


def data(side=16, size=6):
    return batch(side=side, size=size)


def test_loss_sensitive_margins_are_distances_of_pairs():
    recipe = recipe_of("ls_gan_digits", "phases.margin_weight=2.0", "phases.distance=3.0")
    current = born(recipe)
    value, out = play(recipe, "discriminator", current, data())
    np.testing.assert_allclose(value, out.metrics["real_loss"] + 2 * out.metrics["margin"], rtol=1e-5)
    assert out.metrics["real_loss"] == out.metrics["real_logit"]
    assert out.metrics["margin"] > 0
    value, out = play(recipe, "generator", current, data())
    np.testing.assert_allclose(value, out.metrics["generated_loss"], rtol=1e-6)


def test_images_are_turned_in_turns():
    images = jnp.arange(6 * 9.0).reshape(6, 3, 3, 1)
    found, turns = turned(images)
    np.testing.assert_array_equal(turns, [0, 1, 2, 3, 0, 1])
    for index, count in enumerate(turns):
        np.testing.assert_array_equal(found[index, :, :, 0], np.rot90(images[index, :, :, 0], count))


@pytest.mark.slow
def test_self_supervision_adds_the_turns_to_both_losses():
    recipe, plain = (
        recipe_of("ssgan_digits"),
        recipe_of("ssgan_digits", "phases.rotation=0.0", "phases.rotation_generator=0.0"),
    )
    current = born(recipe)
    for phase, name, weight in (("discriminator", "rotation", 1.0), ("generator", "rotation_generator", 0.2)):
        value, out = play(recipe, phase, current, data(size=8))
        without, _ = play(plain, phase, current, data(size=8))
        np.testing.assert_allclose(value, without + weight * out.metrics[name], rtol=1e-5)
        assert out.metrics[name] > 0


def test_codes_are_read_off_the_images_by_q():
    recipe = recipe_of("infogan_digits", "phases.category_weight=2.0")
    current = born(recipe)
    for phase in ("discriminator", "generator"):
        value, out = play(recipe, phase, current, data())
        plain, _ = play(
            recipe_of("infogan_digits", "phases.category_weight=0.0", "phases.number_weight=0.0"),
            phase,
            current,
            data(),
        )
        np.testing.assert_allclose(value, plain + 2 * out.metrics["category"] + out.metrics["number"], rtol=1e-4)
    z = recipe.prior(jax.random.key(0), {})
    assert z.shape == (24,)
    assert sorted(np.unique(z[12:22])) == [0, 1]
    assert z[12:22].sum() == 1
    with pytest.raises(ConfigError, match="dim_z is 12: expected more than the 12 entries of the codes"):
        recipe_of("infogan_digits", "model.G.dim_z=12")


def test_q_s_errors_are_those_of_its_answer():
    rules = infogan.Rules(categories=3, numbers=2)
    said, wanted = np.random.RandomState(0).standard_normal((2, 4, 5)).astype(np.float32)
    wanted[:, :3] = np.eye(3)[[0, 2, 1, 1]]
    verdict = Verdict(np.zeros(4), np.zeros((4, 1)), {"codes": said})
    round = SimpleNamespace(fake_verdict=verdict, z=np.concatenate([np.ones((4, 7)), wanted], 1))
    p = np.exp(said[:, :3]) / np.exp(said[:, :3]).sum(1, keepdims=True)
    expected = -np.log(p[np.arange(4), [0, 2, 1, 1]]).mean()
    np.testing.assert_allclose(infogan.category_error(round, rules, None), expected, rtol=1e-5)
    expected = ((said - wanted)[:, 3:] ** 2).sum(1).mean() / 2
    np.testing.assert_allclose(infogan.number_error(round, rules, None), expected, rtol=1e-5)


def test_the_balance_of_began_follows_its_two_errors():
    recipe = recipe_of("began_digits", "phases.gamma=0.5", "phases.step=0.5")
    current = state.init(recipe, 0)
    current = dataclasses.replace(current, aux={"k": jnp.float32(0.25)})
    values, out = play(recipe, "both", current, data())
    real, fake = out.metrics["real_error"], out.metrics["fake_error"]
    np.testing.assert_allclose(values["discriminator"], real - 0.25 * fake, rtol=1e-5)
    assert values["generator"] == fake
    np.testing.assert_allclose(out.aux["k"], np.clip(0.25 + 0.5 * (0.5 * real - fake), 0, 1), rtol=1e-5)
    np.testing.assert_allclose(out.metrics["convergence"], real + abs(0.5 * real - fake), rtol=1e-5)
    with pytest.raises(ConfigError, match="gamma is 0.0: expected a ratio above 0"):
        recipe_of("began_digits", "phases.gamma=0.0")


def test_energies_are_errors_and_codes_are_pulled_away():
    recipe = recipe_of("ebgan_digits")
    value, out = play(recipe, "generator", state.init(recipe, 0), data())
    assert 0 < out.metrics["pulling_away"] <= 1
    assert value > 0
    codes = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]], np.float32)
    round = SimpleNamespace(fake=codes, fake_verdict=Verdict(np.zeros(3), codes, {}))
    np.testing.assert_allclose(ebgan.pulling_away(round, None, None), (0.5 + 0 + 0.5) * 2 / 6, rtol=1e-5)


@pytest.mark.slow
def test_latents_are_moved_along_the_gradient_and_pay_for_it():
    recipe = recipe_of("logan_digits", "phases.latent_share=1.0")
    plain = recipe_of("logan_digits", "phases.latent_rate=0.0")
    current = born(recipe)
    _, moved = play(recipe, "discriminator", current, data())
    _, still = play(plain, "discriminator", current, data())
    assert moved.metrics["fake_logit"] > still.metrics["fake_logit"]
    free, _ = play(
        recipe_of("logan_digits", "phases.latent_share=1.0", "phases.latent_cost=0.0"), "generator", current, data()
    )
    paying, _ = play(recipe, "generator", current, data())
    assert paying > free
    assert jax.tree.all(jax.tree.map(lambda leaf: bool(jnp.isfinite(leaf).all()), moved.stats))
