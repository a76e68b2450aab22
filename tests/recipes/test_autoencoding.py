"""GANs with an encoder: who learns from what, and that reconstruction goes through both networks."""

import dataclasses

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


def gradients(recipe, player=None, current=None):
    """Of the only phase's loss (that of a player) by the weights of every network: `{network: array}`."""
    phase, current = recipe.phases[0], current or state.init(recipe, 0)

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


def o_gan(recipe, current):
    """z, images of it, and codes of real and of these images, by weights `{network: tree}`."""
    noise = jax.random.normal(jax.random.split(jax.random.key(1), 5)[0], (6, recipe.networks["G"].module.dim_z))
    real = jnp.asarray(batch(side=16)["image"] / 127.5 - 1, jnp.float32)

    def call(params, name, *inputs):
        variables, module = {"params": params[name], **current.stats[name]}, recipe.networks[name].module
        return module.apply(variables, *inputs, mutable=list(current.stats[name]))[0]

    def made(params):
        fake = call(params, "G", noise, jnp.zeros(6, jnp.int32))
        return noise, real, fake, call(params, "E", real), call(params, "E", fake)

    return made


def test_o_gan_s_score_is_the_published_loss():
    recipe = recipe_of("ogan")
    current = born(recipe)
    value, out = play(recipe, "both", current, batch(side=16))
    noise, real, fake, of_real, of_fake = jax.device_get(jax.jit(o_gan(recipe, current))(current.params))
    gap = of_real.mean(1) - of_fake.mean(1)
    penalty = gap**2 / (4 * ((real - fake) ** 2).mean((1, 2, 3)))
    rho = np.array([np.corrcoef(z, code)[0, 1] for z, code in zip(noise, of_fake, strict=True)])
    np.testing.assert_allclose(value, (gap - rho + penalty).mean(), rtol=1e-4)
    assert penalty.mean() > 0.01
    np.testing.assert_allclose(out.metrics["correlation"], rho.mean(), rtol=1e-3)
    np.testing.assert_allclose(out.metrics["real_score"] - out.metrics["fake_score"], gap.mean(), rtol=1e-3)


def test_o_gan_s_generator_learns_from_scores_and_the_correlation_alone():
    """The encoder learns from the whole value, in which images are given."""
    recipe = recipe_of("ogan")
    current = born(recipe)

    def of_generator(params):
        noise, _, _, _, codes = o_gan(recipe, current)({**current.params, "G": params})
        return (codes.mean(1) - ogan.correlation(noise, codes)).mean()

    def of_encoder(params):
        noise, real, fake, of_real, codes = o_gan(recipe, current)({**current.params, "E": params})
        gap, distance = of_real.mean(1) - codes.mean(1), ((real - fake) ** 2).mean((1, 2, 3))
        return (gap - ogan.correlation(noise, codes) + gap**2 / (4 * distance)).mean()

    slopes = jax.jit(lambda params: {"G": jax.grad(of_generator)(params["G"]), "E": jax.grad(of_encoder)(params["E"])})
    found = gradients(recipe, current=current)
    for name, tree in slopes(current.params).items():
        expected = leaves(tree)
        np.testing.assert_allclose(found[name], expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
        assert np.abs(expected).max() > 0


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

    slopes = jax.jit(jax.grad(lambda x, z: call("D", x, z).logits.sum(), argnums=(0, 1)))(real, call("E", real))
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


def test_the_losses_of_vae_gan_s_three_players_are_the_published_ones():
    """But for the generator's side of the game, which is non-saturating."""
    recipe = recipe_of(
        "vae_gan", "data.resolution=8", "phases.gamma=0.3", *(f"model.{name}.norm=none" for name in "GED")
    )
    current = born(recipe)
    real, labels = np.float32(batch()["image"] / 127.5 - 1), jnp.zeros(6, jnp.int32)
    key_z, key_e = jax.random.split(jax.random.key(1))

    def call(name, *inputs):
        return recipe.networks[name].module.apply({"params": current.params[name]}, *inputs)

    @jax.jit
    def together():
        mean, log_variance = jnp.split(call("E", real), 2, axis=1)
        z = mean + jnp.exp(log_variance / 2) * jax.random.normal(key_e, mean.shape)
        images = (real, call("G", z, labels), call("G", jax.random.normal(key_z, mean.shape), labels))
        return mean, log_variance, [call("D", each, labels) for each in images]

    mean, log_variance, (of_real, of_rebuilt, of_drawn) = jax.device_get(together())
    prior = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(1).mean()
    error = 0.5 * ((of_real.features - of_rebuilt.features) ** 2).sum(1).mean()
    fake = np.concatenate([of_rebuilt.logits, of_drawn.logits])
    values, _ = play(recipe, "together", current, batch())
    np.testing.assert_allclose(values["encoder"], prior + error, rtol=1e-4)
    np.testing.assert_allclose(values["generator"], 0.3 * error + np.log1p(np.exp(-fake)).mean(), rtol=1e-4)
    game = np.log1p(np.exp(-of_real.logits)).mean() + np.log1p(np.exp(fake)).mean()
    np.testing.assert_allclose(values["discriminator"], game, rtol=1e-4)
    assert min(prior, error) > 1e-3
    assert np.ptp(fake) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("mixing", ["model.F.norm=batch", "phases.minibatch_discrimination=5"])
def test_bigbigan_judges_real_images_apart_from_generated_ones_where_images_are_mixed(mixing):
    recipe = recipe_of("bigbigan", "model.G.dim_z=48", mixing)
    current = state.init(recipe, 0)
    louder = jax.tree.map(lambda weight: 2 * weight, current.params["G"])
    others = dataclasses.replace(current, params={**current.params, "G": louder})
    (_, one), (_, other) = (play(recipe, "discriminator", each, batch(side=16)) for each in (current, others))
    assert one.metrics["real_logit"] == other.metrics["real_logit"]
    assert abs(one.metrics["fake_logit"] - other.metrics["fake_logit"]) > 1e-4


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
    pairs = [apart(score) for score in scores.logits]
    hinges = [np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean() for r, f in pairs]
    np.testing.assert_allclose(value, sum(hinges), rtol=1e-4)
    np.testing.assert_allclose(made, sum((r - f).mean() for r, f in pairs), rtol=1e-3, atol=1e-5)

    moved = call("D", in_turns(real, fake), in_turns(z, z))
    (of_images, of_z, of_pairs), (unmoved, *others) = scores.logits, moved.logits
    np.testing.assert_array_equal(unmoved, of_images)
    assert not any(np.allclose(*pair) for pair in zip(others, (of_z, of_pairs), strict=True))


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
