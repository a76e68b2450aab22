"""GANs with an encoder: who learns from what, and that reconstruction goes through both networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import state
from gan_jax.engine.recipe import load
from gan_jax.layers.pairs import apart, in_turns
from gan_jax.recipes import ali, bigbigan, ogan, vae_gan
from tests.game.arena import batch, born, leaves, play, view_of

NAMES = ("ogan", "ali", "vae_gan", "bigbigan")


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def recipe_of(name, *overrides):
    return load(configs.load(f"configs/{name}_digits.py:quick", ["train.batch_size=6", *overrides]))


def gradients(recipe, player=None):
    """Of the only phase's loss (that of a player) by the weights of every network: `{network: array}`."""
    phase, current = recipe.phases[0], state.init(recipe, 0)

    def loss(params):
        view = view_of(recipe, state.dataclasses.replace(current, params=params))
        value, _ = phase.loss(view, batch(side=16), jax.random.key(1))
        return value if player is None else value[player]

    return {name: leaves(tree) for name, tree in jax.jit(jax.grad(loss))(current.params).items()}


@pytest.mark.parametrize("name", [*NAMES[:3], pytest.param("bigbigan", marks=pytest.mark.slow)])
def test_losses_are_finite_and_all_statistics_advance(name):
    recipe = recipe_of(name)
    current = state.init(recipe, 0)
    values, out = play(recipe, recipe.phases[0].name, current, batch(side=16))
    assert np.isfinite(leaves(values)).all()
    assert set(out.stats) == set(recipe.networks)
    kept = [name for name in recipe.networks if current.stats[name]]
    assert {"G", "E"} <= set(kept)
    assert all(not np.array_equal(leaves(out.stats[name]), leaves(current.stats[name])) for name in kept)


def test_correlation_is_pearson_s():
    a, b = np.random.RandomState(0).standard_normal((2, 5, 7)).astype(np.float32)
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ogan.correlation(a, b), expected, rtol=1e-4)


def test_o_gan_s_score_is_the_published_loss():
    recipe = recipe_of("ogan")
    value, out = play(recipe, "both", state.init(recipe, 0), batch(side=16))
    gap = out.metrics["real_score"] - out.metrics["fake_score"]
    assert value > gap - out.metrics["correlation"] - 1e-5  # what is missing is the penalty, a square
    by_network = gradients(recipe)
    assert all(np.abs(gradient).max() > 0 for gradient in by_network.values())


def test_o_gan_s_generator_learns_from_scores_and_the_correlation_alone():
    recipe = recipe_of("ogan")
    current, generator, encoder = state.init(recipe, 0), recipe.networks["G"].module, recipe.networks["E"].module
    noise = jax.random.normal(jax.random.key(1), (6, generator.dim_z))

    def call(module, params, stats, *inputs):
        return module.apply({"params": params, **stats}, *inputs, mutable=list(stats))[0]

    def value(params):
        fake = call(generator, params, current.stats["G"], noise, jnp.zeros(6, jnp.int32))
        codes = call(encoder, current.params["E"], current.stats["E"], fake)
        return (codes.mean(1) - ogan.correlation(noise, codes)).mean()

    expected = leaves(jax.jit(jax.grad(value))(current.params["G"]))
    np.testing.assert_allclose(gradients(recipe)["G"], expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_pairs_are_a_game_with_the_labels_changed():
    recipe = recipe_of("ali", "phases.r1=0.0")
    for player in ("discriminator", "generator"):
        by_network = gradients(recipe, player)
        assert all(np.abs(gradient).max() > 0 for gradient in by_network.values())  # the encoder learns through D
    values, out = play(recipe, "both", state.init(recipe, 0), batch(side=16))
    # softplus(-x) - softplus(x) is -x.
    gap = out.metrics["fake_logit"] - out.metrics["real_logit"]
    np.testing.assert_allclose(values["discriminator"] - values["generator"], gap, rtol=1e-4)
    assert abs(gap) > 1e-2


def test_pairs_may_pay_for_the_slope_of_their_score():
    still = ("phases.stochastic=False", "model.D.keep=1.0")
    recipe, plain = (recipe_of("ali", f"phases.r1={weight}", *still) for weight in (3.0, 0.0))
    current = born(recipe)
    real = jnp.asarray(batch(side=16)["image"] / 127.5 - 1, jnp.float32)

    def call(name, *inputs):
        stats = current.stats[name]
        return recipe.networks[name].module.apply(
            {"params": current.params[name], **stats}, *inputs, mutable=list(stats)
        )[0]

    slopes = jax.jit(jax.grad(lambda x, z: call("D", x, z).sum(), argnums=(0, 1)))(real, call("E", real))
    expected = 1.5 * sum(jnp.square(slope).reshape(6, -1).sum(1) for slope in slopes).mean()
    (values, _), (without, _) = (play(each, "both", current, batch(side=16)) for each in (recipe, plain))
    np.testing.assert_allclose(values["discriminator"] - without["discriminator"], expected, rtol=1e-3)
    assert expected > 1e-2
    assert values["generator"] == without["generator"]


def test_an_encoder_without_noise_has_half_the_outputs():
    outputs = [
        load(configs.load(f"configs/ali_digits.py{size}")).networks["E"].module.outputs for size in ("", ":bigan")
    ]
    assert outputs == [24, 12]


def test_each_of_three_players_learns_from_its_own_loss():
    recipe = recipe_of("vae_gan")
    assert np.abs(gradients(recipe, "encoder")["E"]).max() > 0
    assert np.abs(gradients(recipe, "generator")["G"]).max() > 0
    assert np.abs(gradients(recipe, "discriminator")["D"]).max() > 0
    mean, log_variance = jnp.array([[0.0, 2.0]]), jnp.array([[0.0, np.log(4)]])
    np.testing.assert_allclose(vae_gan.divergence(mean, log_variance), [(4 + 4 - 1 - np.log(4)) / 2], rtol=1e-5)


@pytest.mark.slow
def test_images_latents_and_pairs_are_scored_one_by_one():
    recipe = recipe_of("bigbigan", "model.G.dim_z=48")
    current = state.init(recipe, 0)
    value, out = play(recipe, "discriminator", current, batch(side=16))
    made, makers = play(recipe, "generator", current, batch(side=16))
    # Both phases draw the same latents here, from the same networks: what one wants low the other wants high.
    assert abs(made - (out.metrics["real_logit"] - out.metrics["fake_logit"])) < 1e-4
    assert set(makers.stats) == {"G", "E", "D"}

    real = jnp.asarray(batch(side=16)["image"] / 127.5 - 1, jnp.float32)
    key_z, key_e = jax.random.split(jax.random.key(1))
    z, noise = jax.random.normal(key_z, (6, 48)), jax.random.normal(key_e, (6, 48))

    def call(name, *arguments):
        variables = {"params": current.params[name], **current.stats[name]}
        return jax.jit(
            lambda: recipe.networks[name].module.apply(variables, *arguments, mutable=list(current.stats[name]))
        )()[0]

    code, fake = call("E", real), call("G", z, jnp.zeros(6, jnp.int32))
    scores = call("D", in_turns(real, fake), in_turns(code.mean + code.deviation * noise, z))
    pairs = [apart(score) for score in scores]
    hinges = [np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean() for r, f in pairs]
    np.testing.assert_allclose(value, sum(hinges), rtol=1e-4)
    np.testing.assert_allclose(made, sum((r - f).mean() for r, f in pairs), rtol=1e-3, atol=1e-5)

    of_images, of_z, _ = scores
    moved = call("D", in_turns(real, fake), in_turns(z, z))
    np.testing.assert_array_equal(moved.image, of_images)
    assert not np.allclose(moved.latent, of_z)
    assert not np.allclose(moved.joint, scores.joint)


def test_an_encoder_draws_from_positive_deviations():
    recipe = recipe_of("bigbigan", "model.G.dim_z=48")
    current = state.init(recipe, 0)
    images = jax.random.normal(jax.random.key(0), (4, 16, 16, 1))
    encode = recipe.networks["E"].module
    code = jax.jit(lambda x: encode.apply({"params": current.params["E"], **current.stats["E"]}, x, train=False))(
        images
    )
    assert code.mean.shape == code.deviation.shape == (4, 48)
    assert code.deviation.min() > 0
    assert code.features.shape == (4, 64)  # four times the width of the last stage


@pytest.mark.parametrize("module", [ogan, ali, bigbigan])
def test_reconstructions_are_images(module):
    recipe = recipe_of(module.__name__.rpartition(".")[2])
    variables = state.variables(state.init(recipe, 0), averaged=True)
    images = jnp.asarray(batch(side=16)["image"] / 127.5 - 1, jnp.float32)
    rebuilt = jax.jit(lambda images: module.reconstruct(recipe, variables, images))(images)
    assert rebuilt.shape == images.shape
    assert jnp.abs(rebuilt).max() <= 1
