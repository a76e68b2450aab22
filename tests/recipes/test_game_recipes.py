"""What recipes add to the game of two: who moves when, and their own terms by their formulas."""

import dataclasses
import functools
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
from gan_jax.recipes import ebgan, infogan, logan, ls_gan
from tests.game.arena import batch, born, leaves, play, view_of
from tests.slopes import slopes


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


def test_loss_sensitive_terms_are_the_published_ones():
    rules = ls_gan.Rules(distance=3.0)
    real, fake = np.random.RandomState(0).uniform(-1, 1, (2, 5, 4, 4, 2)).astype(np.float32)
    of_real, of_fake = 3 * np.random.RandomState(1).standard_normal((2, 5)).astype(np.float32)
    features = np.zeros((5, 1))

    def round(of_real, of_fake):
        verdicts = {"real_verdict": Verdict(of_real, features, {}), "fake_verdict": Verdict(of_fake, features, {})}
        return SimpleNamespace(real=real, fake=fake, **verdicts)

    def margin(of_real, of_fake):
        return np.maximum(3 * np.abs(real - fake).mean((1, 2, 3)) + of_real - of_fake, 0).mean()

    extras = ls_gan._extras(rules)
    terms = {name: term for name, _, term in (*extras.discriminator, *extras.generator)}
    np.testing.assert_allclose(terms["real_loss"](round(of_real, of_fake), rules, None), of_real.mean(), rtol=1e-5)
    np.testing.assert_allclose(terms["generated_loss"](round(of_real, of_fake), rules, None), of_fake.mean(), rtol=1e-5)

    def found(of_real, of_fake):
        return terms["margin"](round(of_real, of_fake), rules, None)

    value, gradients = jax.jit(jax.value_and_grad(found, argnums=(0, 1)))(of_real, of_fake)
    np.testing.assert_allclose(value, margin(of_real, of_fake), rtol=1e-5)
    expected = slopes(lambda x: margin(x, of_fake), of_real), slopes(lambda x: margin(of_real, x), of_fake)
    np.testing.assert_allclose(gradients, expected, atol=1e-6)
    assert sorted(np.unique(gradients[0])) == [0, np.float32(0.2)]  # some pairs are far enough apart


def test_images_are_turned_in_turns():
    images = jnp.arange(10 * 9.0).reshape(10, 3, 3, 1)
    found, turns = turned(images)
    np.testing.assert_array_equal(turns, [0, 0, 1, 1, 2, 2, 3, 3, 0, 0])
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

    def round(said):
        verdict = Verdict(np.zeros(4), np.zeros((4, 1)), {"codes": said})
        return SimpleNamespace(fake_verdict=verdict, z=np.concatenate([np.ones((4, 7)), wanted], 1))

    def category(said):
        return -np.log(np.exp(said)[np.arange(4), [0, 2, 1, 1]] / np.exp(said[:, :3]).sum(1)).mean()

    def number(said):
        return ((said - wanted)[:, 3:] ** 2).sum(1).mean() / 2

    for error, formula in ((infogan.category_error, category), (infogan.number_error, number)):
        value, gradient = jax.value_and_grad(lambda x, error=error: error(round(x), rules, None))(said)
        np.testing.assert_allclose(value, formula(said), rtol=1e-5)
        np.testing.assert_allclose(gradient, slopes(formula, said), rtol=1e-4, atol=1e-6)


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


def test_began_s_players_learn_from_the_mean_absolute_errors():
    recipe = recipe_of(
        "began_digits", "data.resolution=8", *(f"model.{name}=1" for name in ("G.channels", "D.channels", "D.dim_z"))
    )
    current = dataclasses.replace(state.init(recipe, 0), aux={"k": jnp.float32(0.25)})
    loss, generator, autoencoder = recipe.phases[0].loss, *(recipe.networks[name].module for name in "GD")

    def played(params):
        return loss(view_of(recipe, dataclasses.replace(current, params=params)), batch(), jax.random.key(1))[0]

    def published(params):
        z = jax.random.uniform(jax.random.split(jax.random.key(1), 3)[0], (6, 1), minval=-1, maxval=1)
        real, fake = jnp.asarray(batch()["image"] / 127.5 - 1, jnp.float32), generator.apply({"params": params["G"]}, z)
        errors = [jnp.abs(x - autoencoder.apply({"params": params["D"]}, x)[0]).mean() for x in (real, fake)]
        return {"discriminator": errors[0] - 0.25 * errors[1], "generator": errors[1]}

    def of_both(losses, params):
        """The value of each player's loss and the gradient by its network."""

        def of(player, network, own):
            return losses({**params, network: own})[player]

        pairs = (("discriminator", "D"), ("generator", "G"))
        return [jax.value_and_grad(functools.partial(of, *pair))(params[pair[1]]) for pair in pairs]

    both = jax.jit(lambda params: (of_both(played, params), of_both(published, params)))
    for (value, gradient), (expected, slope) in zip(*both(current.params), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        found, wanted = leaves(gradient), leaves(slope)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
        assert np.abs(wanted).max() > 1e-3


def test_energies_are_errors_and_codes_are_pulled_away():
    recipe = recipe_of("ebgan_digits")
    value, out = play(recipe, "generator", state.init(recipe, 0), data())
    assert 0 < out.metrics["pulling_away"] <= 1
    assert value > 0
    codes = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]], np.float32)

    def found(codes):
        round = SimpleNamespace(fake=codes, fake_verdict=Verdict(np.zeros(3), codes, {}))
        return ebgan.pulling_away(round, None, None)

    def published(codes):
        pairs = [(codes[i], codes[j]) for i in range(3) for j in range(3) if i != j]
        return sum((a @ b) ** 2 / (a @ a) / (b @ b) for a, b in pairs) / 6

    value, gradient = jax.value_and_grad(found)(codes)
    np.testing.assert_allclose([value, published(codes)], (0.5 + 0 + 0.5) * 2 / 6, rtol=1e-5)
    np.testing.assert_allclose(gradient, slopes(published, codes), rtol=1e-4, atol=1e-6)


def test_latents_take_a_step_along_the_natural_gradient_that_the_players_feel():
    """Logits are squares of linear images, so that the gradient by z is linear in z."""
    rules = logan.Rules(latent_rate=3.0, latent_damping=2.0, latent_share=0.6, latent_cost=3.0)
    random = np.random.RandomState(0)
    z, kernel, labels = random.uniform(-1, 1, (4, 3)), random.standard_normal((3, 5)), np.array([0, 1, 1, 0])
    scales, wanted = random.standard_normal((2, 5)), random.standard_normal((4, 3))
    drawn = np.array([[0.1], [0.7], [0.5], [0.2]])  # the second latent stays

    def found(kernel):
        round = SimpleNamespace(
            z=jnp.asarray(z, jnp.float32),
            fake_labels=labels,
            generate=lambda z, labels: z @ kernel * (1.0 + labels[:, None]),
            judge=lambda images, labels: Verdict((scales[labels] * images**2).sum(1), images, {}),
            uniform=lambda key, shape: drawn.reshape(shape),
        )
        moved, cost = logan._refine(rules)(round, None)
        return (moved * wanted).sum() + cost, (moved, cost)

    def published(kernel):
        factors = (1.0 + labels[:, None]) ** 2 * scales[labels]
        gradient = 2 * (z @ kernel * factors) @ kernel.T
        step = 3 * gradient / (2 + (gradient**2).sum(1, keepdims=True))
        return np.clip(z + step * (drawn < 0.6), -1, 1), 3 * (step**2).sum(1).mean()

    gradient, (moved, cost) = jax.jit(jax.grad(found, has_aux=True))(kernel.astype(np.float32))
    expected = published(kernel)
    np.testing.assert_allclose(moved, expected[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(cost, expected[1], rtol=1e-4)
    assert 0 < (np.abs(moved) == 1).sum() < 9

    def total(kernel):
        moved, cost = published(kernel)
        return (moved * wanted).sum() + cost

    np.testing.assert_allclose(gradient, slopes(total, kernel), rtol=1e-3, atol=1e-4)


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
