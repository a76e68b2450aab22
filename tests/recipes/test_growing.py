"""Growing: the stages of a config, the real images of each, training and resuming across them, several devices."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.data.source import open_source
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Stage, View, load
from gan_jax.engine.step import abstract_batch, compile_step
from gan_jax.errors import ConfigError
from gan_jax.recipes import growing
from gan_jax.recipes.growing import Span
from gan_jax.run import Run

GROWTH = "train.growth"


def view_at(stage: Stage, images: int) -> View:
    return View({}, {}, {}, {}, {}, jnp.int32(0), jnp.uint32(images), stage, sharding.data_mesh(1))


def test_stages_are_those_of_the_published_schedule():
    """Worked out by hand from train.py's TrainingSchedule with 600 + 600 kimg."""
    stages = growing.stages(configs.load("configs/progan_celebahq1024.py"))
    assert len(stages) == 17
    assert stages[:4] == (
        Stage(600_000, 128, Span(0, 256), 1.0),
        Stage(1_200_000, 128, Span(1, 128, (600_000, 1_200_000)), 1.0),
        Stage(1_800_000, 128, Span(1, 128), 1.0),
        Stage(2_400_000, 128, Span(2, 64, (1_800_000, 2_400_000)), 1.0),
    )
    assert stages[-2:] == (
        Stage(9_600_000, 4, Span(8, 1, (9_000_000, 9_600_000)), 1.5),
        Stage(None, 4, Span(8, 1), 1.5),
    )
    assert [stage.batch for stage in stages[::2]] == [128, 128, 128, 64, 32, 16, 8, 4, 4]


def test_larger_batches_learn_faster():
    for spec in ("configs/progan_celebahq1024.py:8gpus", "configs/stylegan1_ffhq1024.py"):
        stages = growing.stages(configs.load(spec))[-9:]  # from 64 on
        assert [stage.batch for stage in stages] == [32] * 9
        assert [stage.rate for stage in stages] == [1, 1.5, 1.5, 2, 2, 3, 3, 3, 3]
    assert stages[-9] == Stage(4_200_000, 32, Span(4, 16), 1.0)


def test_training_at_the_full_resolution_alone_is_one_stage():
    overrides = [f"{GROWTH}.start=16", f"{GROWTH}.batches=(8,)", f"{GROWTH}.rates=(1.0,)"]
    config = configs.load("configs/stylegan1_ffhq1024.py:quick", overrides)
    assert growing.stages(config) == (Stage(None, 8, Span(2, 1), 1.0),)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("start=12", r"config\.train\.growth\.start is 12: expected one of \[4, 8, 16\]"),
        ("batches=(8, 8)", r"growth\.batches has 2 entries: expected one for each of the resolutions \[4, 8, 16\]"),
        ("rates=(1.0,)", r"growth\.rates has 1 entries: expected one for each of the resolutions \[4, 8, 16\]"),
    ],
)
def test_a_schedule_that_does_not_fit_is_a_sentence(override, message):
    with pytest.raises(ConfigError, match=message):
        load(configs.load("configs/progan_digits.py", [f"{GROWTH}.{override}"]))


def test_alpha_follows_the_images_seen():
    assert growing.alpha(view_at(Stage(info=Span(2, 1)), 500)) is None
    fading = Stage(info=Span(2, 1, (400, 800)))
    assert [float(growing.alpha(view_at(fading, images))) for images in (400, 500, 800)] == [0, 0.25, 1]


def test_real_images_are_means_of_the_pixels_that_become_one():
    images = np.random.RandomState(0).randint(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    floats = images / 127.5 - 1
    np.testing.assert_allclose(growing.real_images(view_at(Stage(info=Span(1, 1)), 0), images), floats, atol=1e-6)
    quarters = np.array([[floats[:, i : i + 4, j : j + 4].mean((1, 2)) for j in (0, 4)] for i in (0, 4)])
    small = growing.real_images(view_at(Stage(info=Span(0, 4)), 0), images)
    np.testing.assert_allclose(small, quarters.transpose(2, 0, 1, 3), atol=1e-6)


def test_real_images_fade_with_the_networks():
    images = np.random.RandomState(0).randint(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    floats = images / 127.5 - 1
    blocks = np.zeros_like(floats)
    for i in range(0, 8, 2):
        for j in range(0, 8, 2):
            blocks[:, i : i + 2, j : j + 2] = floats[:, i : i + 2, j : j + 2].mean((1, 2), keepdims=True)
    faded = growing.real_images(view_at(Stage(info=Span(1, 1, (0, 400))), 100), images)
    np.testing.assert_allclose(faded, 0.75 * blocks + 0.25 * floats, atol=1e-6)


# Steps of 8 images: one at 4 x 4, two while 8 x 8 fades in, one at 8 x 8.
STEPS = 4
OVERRIDES = (
    "data.resolution=8",
    f"{GROWTH}.start=4",
    f"{GROWTH}.fade_kimg=0.016",
    f"{GROWTH}.batches=(8, 8)",
    f"{GROWTH}.rates=(1.0, 1.0)",
    f"train.length={STEPS} steps",
)


@pytest.fixture(scope="module")
def training():
    """A run of ProGAN through three stages, the states before each step and after the last, and the metrics of each."""
    config = configs.load("configs/progan_digits.py:quick", OVERRIDES)
    run = Run(config, load(config), sharding.data_mesh(4), open_source(config.data))
    return (run, *trained(run, state.born(run.recipe, run.target, 0), 0))


def trained(run, current, first):
    states, metrics = [jax.device_get(current)], []
    for work in run.work(first):
        current = run.enter(current, work.stage)
        current, new = run.compiled(work.stage, work.active)(current, work.batch)
        states.append(jax.device_get(current))
        metrics.append(jax.device_get(new))
    return states, metrics


def moved(training, step, network) -> set[str]:
    """Which layers a step moved."""
    before, after = (s.params[network] for s in training[1][step : step + 2])
    same = {name: jax.tree.map(np.array_equal, before[name], after[name]) for name in before}
    return {name for name, equal in same.items() if not all(jax.tree.leaves(equal))}


def test_stages_follow_one_another_and_optimisers_start_afresh(training):
    _, states, metrics = training
    assert [int(s.stage) for s in states] == [0, 0, 1, 1, 2]
    assert [float(m["discriminator/level"]) for m in metrics] == [0, 0, 0.5, 1]
    for player in ("generator", "discriminator"):
        assert [int(s.opt[player][0].count) for s in states] == [0, 1, 1, 2, 1]


def test_only_the_layers_in_use_learn(training):
    body, top = {"dense_4", "bias_4", "conv1_4"}, {"conv0_8", "conv1_8", "to_rgb_8"}
    assert moved(training, 0, "G") == body | {"to_rgb_4"}
    assert moved(training, 1, "G") == body | {"to_rgb_4"}  # with a share of exactly 0 the new layers get no gradient
    assert moved(training, 2, "G") == body | {"to_rgb_4"} | top
    assert moved(training, 3, "G") == body | top
    body, top = {"conv_4", "dense_4", "output"}, {"conv0_8", "conv1_8", "from_rgb_8"}
    assert moved(training, 0, "D") == body | {"from_rgb_4"}
    assert moved(training, 2, "D") == body | {"from_rgb_4"} | top
    assert moved(training, 3, "D") == body | top


@pytest.mark.parametrize("first", [1, 2, 3])
def test_resuming_before_in_and_after_a_stage_gives_the_same_bits(training, first):
    run, states, _ = training
    again = Run(run.config, run.recipe, run.mesh, open_source(run.config.data))
    again.variants = run.variants
    start = jax.device_put(states[first], state.shardings_of(run.target))
    resumed, _ = trained(again, start, first)
    jax.tree.map(np.testing.assert_array_equal, resumed[-1], states[-1])


def test_samples_during_training_show_the_level_reached(training):
    run, states, _ = training
    recipe = run.recipe
    generate = jax.jit(recipe.networks["G"].module.apply, static_argnames="level")
    sample = jax.jit(lambda variables, z, labels: recipe.sample(variables, z, labels, {}))
    z, labels = jax.random.normal(jax.random.key(0), (4, 32)), jnp.arange(4)
    for step, level, alpha, side in ((1, 0, None, 4), (3, 1, 0.5, 8), (4, 1, None, 8)):
        variables = state.variables(states[step], averaged=True)
        expected = generate(variables["G"], z, labels, level=level, alpha=alpha and jnp.float32(alpha))
        assert expected.shape == (4, side, side, 1)
        expected = np.asarray(expected).repeat(8 // side, 1).repeat(8 // side, 2)
        np.testing.assert_allclose(sample(variables, z, labels), expected, atol=1e-5)
        assert expected.std() > 0.1


@pytest.mark.parametrize(("name", "phase"), [("progan_digits", "discriminator"), ("stylegan1_ffhq1024", "generator")])
def test_four_devices_compute_what_one_does_with_a_quarter_of_the_work_each(name, phase):
    config = configs.load(f"configs/{name}.py:quick", OVERRIDES[:-1])
    with config.unlocked():  # plain gradient descent: Adam would blow rounding noise up to full steps
        config.data.num_classes = 10
        for player in config.players.values():
            player.update({"transform": "identity", "learning_rate": 1e-3})
            player.options = {}
    recipe = load(config)
    random = np.random.RandomState(0)
    batch = {
        "image": random.randint(0, 256, (1, 1, 8, 8, 8, config.data.channels)).astype(np.uint8),
        "label": random.randint(0, 10, (1, 1, 8)).astype(np.int32),
    }
    first = dataclasses.replace(jax.device_get(jax.jit(lambda: state.init(recipe, 0))()), images=np.uint32(16))
    results, work = [], []
    for devices in (1, 4):
        mesh = sharding.data_mesh(devices)
        target = state.abstract(recipe, mesh, ())
        step = compile_step(recipe, 1, mesh, ((phase, 1),), target, abstract_batch(batch, mesh))
        halfway = jax.device_put(first, state.shardings_of(target))
        results.append(jax.device_get(step(halfway, sharding.put(batch, mesh))[0]))
        work.append(step.cost_analysis()["flops"])
    for tree in ("params", "stats", "ema"):
        one, four = (getattr(result, tree) for result in results)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), one, four)
    assert 4 * work[1] < 1.25 * work[0]
