"""The R3GAN recipe: its losses and gradients are the published ones; what is scheduled; who sees which images."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.augment.augmentation import Augmentation
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import Stage, View, load
from gan_jax.errors import ConfigError
from gan_jax.recipes import r3gan
from gan_jax.weights.places import from_variables, to_variables
from gan_jax.weights.r3gan import places
from tests.recipes import common_rules
from tests.reference import arrays, assert_summaries, cases, images, integers, normal, peer_tensors


def config_of(*overrides):
    return configs.load("configs/r3gan_digits.py:quick", [*overrides, "train.batch_size=4"])


def view_of(recipe, params, seen):
    """What a loss sees of these parameters after so many images."""
    modules = {name: network.module for name, network in recipe.networks.items()}
    stats = {name: {} for name in modules}
    return View(
        modules, params, stats, {}, recipe.aux(), jnp.int32(0), jnp.uint32(seen), Stage(), sharding.data_mesh(1), 4
    )


def loss_of(recipe, name):
    """The jitted loss of a phase: (parameters, images seen, batch) -> (value, Out)."""
    loss = next(phase.loss for phase in recipe.phases if phase.name == name)
    return jax.jit(lambda params, seen, batch: loss(view_of(recipe, params, seen), batch, jax.random.key(0)))


@pytest.fixture(scope="module")
def params():
    """Parameters of the tiny networks, with every layer at work."""
    recipe = load(config_of())
    shapes = jax.eval_shape(lambda: state.init(recipe, 0)).params
    return jax.tree.map(lambda leaf: 0.3 * normal("w", leaf.shape, leaf.size), shapes)


@pytest.fixture(scope="module")
def batch():
    random = np.random.RandomState(0)
    pixels = random.randint(0, 256, (4, 16, 16, 1)).astype(np.uint8)
    return {"image": pixels, "label": np.arange(4, dtype=np.int32)}


@pytest.mark.parametrize("case", ["r3_cond16", pytest.param("r3_uncond32", marks=pytest.mark.slow)])
def test_losses_and_gradients_equal_the_published_trainer_s(case, monkeypatch):
    published = cases("r3gan")[case]["config"]
    side, size, seed = published["resolution"], published["batch"], published["input_seed"]
    config = config_of().unlock()
    stages = {"widths": tuple(published["W"]), "groups": tuple(published["C"]), "blocks": tuple(published["B"])}
    network = {**stages, "embedding_dim": published["emb"]}
    config.model = {"dim_z": published["nz"], "G": network, "D": network}
    config.phases = {"gamma": published["gamma"], "augment": {"name": "none"}}
    config.data.update({"resolution": side, "channels": 3, "num_classes": published["cond"] or 0})
    recipe = r3gan.build(config)

    tensors = {name: peer_tensors("layout_r3gan", f"{case}/{name}") for name in ("G", "D")}
    shapes = {name: {key: tensor.shape for key, tensor in tensors[name].items()} for name in tensors}
    weights = {name: to_variables(tensors[name], places(shapes[name]))["params"] for name in tensors}
    z = normal("z", (size, published["nz"]), seed)
    monkeypatch.setattr(View, "normal", lambda view, key, shape: jnp.asarray(z))
    monkeypatch.setattr(r3gan, "to_float", lambda x: x)  # the reals of the vectors are floats already
    reals = {
        "image": images("x", (size, 3, side, side), seed),
        "label": integers("y", (size,), seed, published["cond"] or 1),
    }

    for phase, network, metrics in (
        ("discriminator", "D", {"adversarial": "adv", "r1": "r1", "r2": "r2"}),
        ("generator", "G", {"loss": "adv"}),
    ):
        loss = loss_of(recipe, phase)
        differentiate = jax.value_and_grad(
            lambda own, loss=loss, n=network: loss({**weights, n: own}, 0, reals), has_aux=True
        )
        (value, out), gradient = jax.jit(differentiate)(weights[network])
        for name, key in metrics.items():
            entry = cases("r3gan")[case]["arrays"][f"{network}_step/{key}"]
            tolerance = 20 * entry["f32_err"] + 2e-6 * entry["max_abs"]
            expected = arrays("r3gan")[f"{case}/{network}_step/{key}"].mean()
            found = {**out.metrics, "loss": value}[name]
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=name)
        found = from_variables({"params": gradient}, places(shapes[network]), shapes[network])
        assert_summaries(found, "r3gan", case, f"{network}_step/grad_{network}")


def test_the_discriminator_goes_first_and_the_generator_sees_other_images():
    recipe = load(config_of())
    assert schedule.due(recipe, 7) == (("discriminator", 1), ("generator", 1))
    assert [phase.first_slice for phase in recipe.phases] == [0, 1]
    assert schedule.slices(recipe, schedule.due(recipe, 7)) == 2


def test_gamma_follows_its_cosine(params, batch):
    recipe = load(config_of("phases.gamma.start=1.0", "phases.gamma.end=0.1", "phases.gamma.until=40 kimg"))
    loss = loss_of(recipe, "discriminator")
    for seen, gamma in ((0, 1.0), (10_000, 1 - 0.9 * (1 - 0.5**0.5) / 2), (20_000, 0.55), (40_000, 0.1), (10**6, 0.1)):
        value, out = loss(params, seen, batch)
        np.testing.assert_allclose(out.metrics["gamma"], gamma, rtol=1e-5)
        penalties = out.metrics["r1"] + out.metrics["r2"]
        np.testing.assert_allclose(value, out.metrics["adversarial"] + gamma / 2 * penalties, rtol=1e-5)
        assert penalties > 1e-3


def test_decays_and_averages_follow_theirs():
    """The published schedules of CIFAR-10."""
    config = configs.load("configs/r3gan_cifar10.py")
    decay = schedule.ema_decay(config.ema)
    assert decay(jnp.uint32(0), 512) == 0
    np.testing.assert_allclose(decay(jnp.uint32(20_000_000), 512), 0.5 ** (512 / 5_000_000), rtol=1e-6)
    np.testing.assert_allclose(decay(jnp.uint32(10_000_000), 512), 0.5 ** (512 / 2_500_000), rtol=1e-6)
    rate = schedule.learning_rate(config.players.generator)
    found = [float(rate(jnp.uint32(seen), 512)) for seen in (0, 10_000_000, 20_000_000, 10**9)]
    np.testing.assert_allclose(found, [2e-4, 1.25e-4, 5e-5, 5e-5], rtol=1e-5)


def test_real_and_generated_images_are_augmented_apart_and_alike_in_the_penalty(params, batch, monkeypatch):
    calls = []

    def apply(aux, key, images, images_seen):
        calls.append((key, images_seen))
        return images

    recording = Augmentation(aux=dict, apply=apply, observe=lambda aux, real_logits: aux, adapt=None)
    monkeypatch.setattr("gan_jax.game.referee.augmentation.build", lambda section, where="": recording)
    recipe = r3gan.build(config_of())
    for phase, times in zip(recipe.phases, (2, 1), strict=True):
        calls.clear()
        view = view_of(recipe, params, 7)
        jax.eval_shape(lambda key, phase=phase, view=view: phase.loss(view, batch, key), jax.random.key(0))
        keys = [id(key) for key, _ in calls]
        assert sorted(keys.count(key) for key in set(keys)) == [times, times]
        assert {int(seen) for _, seen in calls} == {7}


def test_an_adaptive_augmentation_adapts_in_a_phase_of_its_own(params, batch):
    config = config_of().unlock()
    ada = {"name": "ada", "transforms": {"brightness": 1}, "p": 0.5, "target": 0.6, "interval": 4, "horizon_kimg": 1}
    config.phases.augment, config.phases.loss = ada, "non_saturating"
    recipe = r3gan.build(config)
    assert [phase.name for phase in recipe.phases] == ["discriminator", "generator", "augment"]
    assert [len(schedule.due(recipe, step)) for step in range(5)] == [3, 2, 2, 2, 3]
    _, out = loss_of(recipe, "discriminator")(params, 0, batch)
    assert out.aux["augment"]["count"] == 4
    view = dataclasses.replace(view_of(recipe, params, 0), aux=out.aux)
    _, out = recipe.phases[-1].loss(view, batch, jax.random.key(0))
    np.testing.assert_allclose(abs(out.aux["augment"]["p"] - 0.5), 4 * 4 / 1000, rtol=1e-5)


def test_common_rules_add_their_weights_times_what_the_log_names(batch):
    weights = common_rules.weights("r1", "r2")
    for player, phase in (("D", "discriminator"), ("G", "generator")):
        small = {"change": lambda params: jax.tree.map(lambda leaf: leaf + 0.02, params)}  # the last layers begin at 0
        ruled = load(config_of(*common_rules.overrides(weights[player])))
        common_rules.assert_paid(load(config_of()), ruled, weights[player], phase, batch, **small)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["phases.r1=1.0"],
            "config.phases.r1 is 1.0, but both have the weight config.phases.gamma here: set it to 0.0",
        ),
        (["phases.r2=1.0"], "config.phases.r2 is 1.0, but both have the weight config.phases.gamma here"),
        (["phases.pseudo=0.6"], "pseudo reads the level of logits, for which the loss 'relativistic' does not care"),
        (["phases.minibatch_discrimination=5"], "is 5, which mixes the images, but config.phases.gamma penalises"),
        (["phases.label_smoothing=0.1"], "label smoothing is 0.1 with the loss 'relativistic'"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_in_a_sentence(overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        load(config_of(*overrides))


def test_images_may_be_compared_where_the_penalties_weigh_nothing():
    compared = load(config_of("phases.minibatch_discrimination=5", "phases.gamma.start=0.0", "phases.gamma.end=0.0"))
    shapes = state.abstract(compared, sharding.data_mesh(1), ()).params["D"]
    assert shapes["minibatch"]["bias"].shape == (5,)


def test_a_number_that_changes_has_both_ends_and_a_duration():
    config = config_of().unlock()
    config.phases.gamma = {"start": 1.0, "until": "10 steps"}
    with pytest.raises(ConfigError, match="phases.gamma has no end: a number that changes has start, end and until"):
        load(config)
