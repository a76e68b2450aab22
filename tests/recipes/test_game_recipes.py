"""What recipes add to the game of two: who moves when, and their own terms by their formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import schedule
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.layers.rotation import turned
from tests.game.arena import batch, born, play


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def recipe_of(name, *overrides):
    tiny = ("data.num_classes=3", "train.batch_size=6") if "digits" in name else ()
    return load(configs.load(f"configs/{name}.py:quick", [*tiny, *overrides]))


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


def test_self_supervision_adds_the_turns_to_both_losses():
    recipe, plain = (
        recipe_of("ssgan_digits"),
        recipe_of("ssgan_digits", "phases.rotation=0.0", "phases.rotation_generator=0.0"),
    )
    current = born(recipe)
    for phase, weight in (("discriminator", 1.0), ("generator", 0.2)):
        value, out = play(recipe, phase, current, data(size=8))
        without, _ = play(plain, phase, current, data(size=8))
        np.testing.assert_allclose(value, without + weight * out.metrics["rotation"], rtol=1e-5)
        assert out.metrics["rotation"] > 0


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
