"""StyleGAN3's recipe: phases, which of them moves the averages, and the blur that fades from the discriminator's images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import schedule, sharding
from gan_jax.engine.recipe import View, load
from gan_jax.errors import ConfigError
from gan_jax.layers.blur import blur
from gan_jax.layers.pixels import to_float
from gan_jax.networks.stylegan3 import FourierFeatures
from gan_jax.networks.stylegan3_filters import layers
from tests.recipes import common_rules

BATCH = 4
T, R = "configs/stylegan3t_ffhq1024.py", "configs/stylegan3r_afhqv2_512.py"


def batch_of(size=BATCH):
    pixels = np.random.RandomState(0).randint(0, 256, (size, 16, 16, 3)).astype(np.uint8)
    return {"image": jnp.asarray(pixels), "label": jnp.zeros(size, jnp.int32)}


def test_phases_are_stylegan2_s_without_paths():
    recipe = load(configs.load(f"{T}:quick"))
    names = [[name for name, _ in schedule.due(recipe, step)] for step in range(17)]
    assert names[0] == names[16] == ["generator", "discriminator", "r1"]
    assert names[1] == names[15] == ["generator", "discriminator"]
    assert (recipe.players["generator"].lazy, recipe.players["discriminator"].lazy) == (None, 16)
    adaptive = load(configs.load(f"{R}:quick"))
    assert [name for name, _ in schedule.due(adaptive, 4)] == ["generator", "discriminator", "augment"]


def view_of(recipe, variables, images=0, stage=None):
    """What a loss sees of networks' variables."""
    modules = {name: recipe.networks[name].module for name in variables}
    params = {name: tree["params"] for name, tree in variables.items()}
    stats = {name: {key: x for key, x in tree.items() if key != "params"} for name, tree in variables.items()}
    stage, mesh = stage or recipe.stages[-1], sharding.data_mesh(1)
    return View(modules, params, stats, {}, {"augment": {}}, jnp.int32(0), jnp.uint32(images), stage, mesh)


def variables_of(network):
    return jax.jit(network.module.init)(jax.random.key(0), *network.inputs())


def test_the_averages_move_in_the_discriminator_s_phase_alone():
    recipe = load(configs.load(f"{T}:quick"))
    variables = {name: variables_of(network) for name, network in recipe.networks.items()}
    losses = {phase.name: phase.loss for phase in recipe.phases}

    @jax.jit
    def advanced(variables):
        view = view_of(recipe, variables)
        outs = [losses[name](view, batch_of(), jax.random.key(0))[1] for name in ("generator", "discriminator")]
        return [out.stats["G"]["buffers"] for out in outs]

    before = variables["G"]["buffers"]
    after_generator, after_discriminator = advanced(variables)
    jax.tree.map(np.testing.assert_array_equal, after_generator, before)
    assert np.abs(after_discriminator["mapping"]["w_avg"]).max() > 0
    after, before = after_discriminator["synthesis"], before["synthesis"]
    jax.tree.map(np.testing.assert_array_equal, after["input"], before["input"])

    # At first the Fourier features are the same for every w, so the first layer's magnitude is known.
    network = recipe.networks["G"].module
    first, *others = layers(16, network.channel_base, network.channel_max, network.kernel_size, network.radial)
    own = {"params": variables["G"]["params"]["synthesis"]["input"], "buffers": before["input"]}
    features = FourierFeatures(first.source).apply(own, jnp.zeros((1, 8)), jnp.eye(3))
    decay = 0.5 ** (BATCH / 20_000)
    expected = jnp.square(features).mean() * (1 - decay) + decay
    np.testing.assert_allclose(after[first.name]["magnitude_ema"], expected, rtol=1e-6)
    assert abs(expected - 1) > 1e-5
    assert all(after[layer.name]["magnitude_ema"] < 1 for layer in others)


def test_the_half_life_of_magnitudes_counts_the_images_of_a_microbatch():
    config = configs.load(f"{T}:quick", ["train.batch_size=64", "train.microbatches=4"])
    np.testing.assert_allclose(load(config).networks["G"].module.magnitude_decay, 0.5 ** (16 / 20_000))


def test_only_r_starts_blurred_and_for_the_published_time():
    blurred, sharp = load(configs.load(R)).stages
    assert (blurred.until, blurred.info is None) == (200_000, False)
    assert (sharp.until, sharp.info) == (None, None)
    assert [stage.info for stage in load(configs.load(T)).stages] == [None]
    assert [stage.info for stage in load(configs.load(f"{R}:t")).stages] == [None]
    assert len(load(configs.load(f"{T}:r")).stages) == 2


def test_the_discriminator_judges_blurred_images_and_r1_looks_through_the_blur():
    """sigma falls from 10 to 0 in a straight line; the gradient is by the sharp images."""
    config = configs.load(f"{R}:quick")
    with config.unlocked():
        config.phases.augment = {"name": "none"}
    recipe, batch = load(config), batch_of()
    variables = variables_of(recipe.networks["D"])
    (r1,) = (phase.loss for phase in recipe.phases if phase.name == "r1")
    real = to_float(batch["image"])

    def measured(images, stage):
        view = view_of(recipe, {"D": variables}, images, stage)
        return r1(view, batch, jax.random.key(0))[1].metrics["squared_gradient"]

    def expected(sigma):
        network = recipe.networks["D"].module
        judge = lambda x: network.apply(variables, blur(x, sigma), batch["label"]).logits.sum()  # noqa: E731
        return jnp.square(jax.grad(judge)(real)).sum((1, 2, 3)).mean()

    measured, expected = jax.jit(measured, static_argnums=1), jax.jit(expected)
    blurred, sharp = recipe.stages
    for images, sigma in ((0, 10.0), (50_000, 7.5), (190_000, 0.5)):
        np.testing.assert_allclose(measured(jnp.uint32(images), blurred), expected(sigma), rtol=1e-4)
    np.testing.assert_allclose(measured(jnp.uint32(200_000), sharp), expected(0.0), rtol=1e-4)
    assert measured(jnp.uint32(0), blurred) < 0.5 * expected(0.0)


def test_common_rules_add_their_weights_times_what_the_log_names():
    """While images are blurred, those that only a rule shows the discriminator are too."""
    weights = common_rules.weights("r1")
    for player, phase in (("D", "discriminator"), ("G", "generator")):
        plain, ruled = (
            load(configs.load(f"{T}:quick", ["phases.blur_sigma=1.0", "phases.blur_fade_kimg=1.0", *rules]))
            for rules in ([], common_rules.overrides(weights[player]))
        )
        assert plain.stages[0].info == "blurred"
        common_rules.assert_paid(plain, ruled, weights[player], phase, batch_of(), stage=plain.stages[0])


def test_r1_s_weight_has_another_name():
    with pytest.raises(
        ConfigError, match="phases.r1 is 1.0, but that weight is config.phases.gamma here: set it to 0.0"
    ):
        load(configs.load(f"{T}:quick", ["phases.r1=1.0"]))
