"""`gan-jax plan` on simulated CPU devices with made-up figures, and on real compilers where they are installed."""

import dataclasses
import importlib.util
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from gan_jax import config as configs
from gan_jax import estimate, hardware, plan, topology
from gan_jax.collectives import Collective
from gan_jax.engine.recipe import Network, Out, Phase, Player, Recipe, Stage
from gan_jax.errors import ConfigError

PIXELS, WIDTH, BATCH = 16 * 16, 512, 1024
PARAMETERS = PIXELS * WIDTH + WIDTH + WIDTH + 1
ONE = (Stage(),)
FIGURES = {"bfloat16": 4e12, "float32": 1e12, "memory": 10**9, "bandwidth": 1e11, "link": 1e9, "network": 1e8}


class Net(nn.Module):
    @nn.compact
    def __call__(self, images):
        return nn.Dense(1)(nn.relu(nn.Dense(WIDTH)(images)))


def loss(view, batch, key):
    images = batch["image"].astype(jnp.float32).reshape(-1, PIXELS)
    out, _ = view.net("D")(images)
    return jnp.mean(out**2), Out()


def build(config, stages=ONE):
    """One dense network, trained in every step, and once more in every fourth."""
    sgd = {"transform": "identity", "options": {}, "learning_rate": 0.1}
    return Recipe(
        networks={"D": Network(Net(), lambda: (jnp.zeros((1, PIXELS)),))},
        players={"player": Player(("D",), configs.ConfigDict(sgd))},
        phases=(Phase("main", ("player",), loss), Phase("lazy", ("player",), loss, every=4)),
        prior=None,
        sample=None,
        stages=stages,
    )


def make_config(*overrides):
    fixed = [f"train.batch_size={BATCH}", "train.length=1000 steps", "data.num_classes=10"]
    return configs.load("configs/biggan_digits.py", [*fixed, *overrides])


def of_cpu(monkeypatch, recipe=build, **figures):
    """Makes the CPU an accelerator with these figures, and this the recipe."""
    device = dataclasses.replace(hardware.DEVICES["cpu"], **figures)
    monkeypatch.setitem(hardware.DEVICES, "cpu", device)
    monkeypatch.setattr(plan, "load", recipe)


@pytest.fixture(scope="module")
def planned():
    with pytest.MonkeyPatch.context() as monkeypatch:
        of_cpu(monkeypatch, **FIGURES)
        return plan.plan(make_config(), "cpu:4", share=0.5)


def test_a_record_is_json_and_says_what_it_is_of(planned):
    record, _ = planned
    assert json.loads(json.dumps(record)) == record
    assert record["target"]["words"] == "cpu:4"
    assert record["target"]["devices"] == record["config"]["mesh"]["data"] == 4
    assert record["environment"]["packages"]["jax"]


def test_operations_are_those_of_the_products_weighted_by_how_often_a_phase_is_due(planned):
    """Of a dense layer: forward and the kernel's gradient, and but for the first layer the input's."""
    work = planned[0]["work"]
    products = 2 * 2 * PIXELS * WIDTH + 3 * 2 * WIDTH
    assert work["operations_per_image"] == pytest.approx(1.25 * products, rel=0.05)
    assert work["compiler_over_analytic"] == pytest.approx(1, abs=0.05)
    assert {tuple(v["phases"]): v["steps"] for v in work["variants"]} == {("main", "lazy"): 250, ("main",): 750}


def test_collectives_are_the_gradients_of_the_mean_step(planned):
    collectives = planned[0]["work"]["collectives"]
    assert set(collectives) == {"all-reduce"}
    assert collectives["all-reduce"]["bytes"] == pytest.approx(1.25 * 4 * PARAMETERS, rel=0.001)


def test_one_device_sends_nothing_and_need_not():
    record, text = plan.plan(make_config("train.length=1 steps"), "cpu:1")
    assert (record["work"]["collectives"], record["work"]["least"]) == ({}, None)
    assert "all-reduce" not in text


def test_memory_adds_up(planned):
    memory = planned[0]["memory"]
    images = 2 * BATCH // 4 * PIXELS  # the lazy phase sees the same
    state, spread = 4 * PARAMETERS, BATCH // 4 * (PIXELS + 4)
    assert memory["arguments"] == pytest.approx(state + spread, rel=0.01)
    assert memory["temporaries"] > 4 * images
    parts = memory["arguments"] + memory["outputs"] - memory["aliased"] + memory["temporaries"] + memory["code"]
    assert memory["needed"] == parts
    assert memory["free_share"] == pytest.approx(1 - memory["needed"] / FIGURES["memory"])
    assert memory["fits"] is True


def test_times_are_the_terms_of_the_figures(planned):
    record, _ = planned
    times, work = record["time"], record["work"]
    terms = times["terms"]
    per_device = work["operations_per_image"] * BATCH / 4
    assert terms["compute"] == pytest.approx(per_device / (0.5 * FIGURES["float32"]))
    traffic = sum(v["traffic"] * v["steps"] for v in work["variants"]) / 1000
    assert terms["memory"] == pytest.approx(traffic / FIGURES["bandwidth"])
    sent = 2 * 3 / 4 * work["collectives"]["all-reduce"]["bytes"]
    assert terms["links"] == pytest.approx(sent / FIGURES["link"])
    assert terms["latency"] == pytest.approx(estimate.LATENCY * work["collectives"]["all-reduce"]["count"])
    fastest, slowest = times["step_seconds"]
    assert fastest >= max(terms.values())
    assert slowest == pytest.approx(sum(terms.values()))
    assert times["images_per_second"] == pytest.approx([BATCH / fastest, BATCH / slowest])
    assert times["days"] == pytest.approx([1000 * fastest / 86400, 1000 * slowest / 86400])
    assert times["chip_hours"] == pytest.approx([days * 24 * 4 for days in times["days"]])
    assert set(times["assumptions"]) == set(terms)


def test_the_text_has_every_figure_with_its_assumption(planned):
    _, text = planned
    for words in ("4 x CPU", "250 steps of main + lazy", "are free", "per image", "all-reduce", "50% of 1 TFLOP/s"):
        assert words in text
    assert "images/s" in text
    assert "chip-hours" in text
    assert max(map(len, text.splitlines())) < 150


def test_without_figures_there_are_no_times(monkeypatch):
    of_cpu(monkeypatch)
    record, text = plan.plan(make_config("train.length=2 steps"), "cpu:2")
    assert record["time"] is None
    assert record["memory"]["fits"] is None
    assert "no times" in text


def test_what_does_not_fit_is_told_with_what_might_help(monkeypatch, planned):
    needed = planned[0]["memory"]
    of_cpu(monkeypatch, **{**FIGURES, "memory": needed["needed"] - needed["temporaries"] // 4})
    record, text = plan.plan(make_config("train.length=1 steps"), "cpu:4")
    assert record["memory"]["fits"] is False
    assert len(record["tried"]) == 1
    assert "it does not fit" in text
    assert "--config.train.microbatches=2 would" in text
    assert "mesh.rules" in text


@pytest.mark.parametrize(("share", "fits"), [(0.94, True), (0.97, False)])
def test_of_a_gpu_jax_cannot_take_all(monkeypatch, planned, share, fits):
    """Where all of its memory would do, and less of it not, that is not fitting."""
    of_cpu(monkeypatch, **{**FIGURES, "memory": int(planned[0]["memory"]["needed"] / share)})
    place = dataclasses.replace(topology.open_target("cpu:4"), platform="gpu", shape=(1, 1, 4))
    monkeypatch.setattr(topology, "open_target", lambda words: place)
    record, text = plan.plan(make_config("train.length=1 steps"), "gpu")
    assert record["memory"]["fits"] is fits
    assert ("set XLA_PYTHON_CLIENT_MEM_FRACTION=0.95" in text) == fits
    assert ("that JAX can take" in text) == ("--config.train.microbatches=2 would" in text) == (not fits)


def test_fit_doubles_the_microbatches_until_it_fits(monkeypatch):
    # Written out, as it is on CPU, the microbatches would be computed at the same time.
    config = make_config("train.length=1 steps", "train.unroll=False", f"train.batch_size={16 * BATCH}")
    of_cpu(monkeypatch)
    once = plan.plan(config, "cpu:4")[0]["memory"]
    of_cpu(monkeypatch, **{**FIGURES, "memory": int(0.6 * once["needed"])})
    record, text = plan.plan(config, "cpu:4", fit=True)
    fits = [attempt["fits"] for attempt in record["tried"]]
    assert fits == [False] * (len(fits) - 1) + [True]
    assert record["config"]["microbatches"] == 2 ** (len(fits) - 1) > 1
    assert record["memory"]["temporaries"] < 0.6 * once["temporaries"]
    assert record["advice"] == []
    assert f"in {record['config']['microbatches']} microbatches" in text


def test_fit_ends_with_an_image_for_every_device(monkeypatch):
    of_cpu(monkeypatch, **{**FIGURES, "memory": 1000})
    record, _ = plan.plan(make_config("train.length=1 steps", "train.batch_size=8"), "cpu:4", fit=True)
    assert [attempt["microbatches"] for attempt in record["tried"]] == [1, 2]
    assert record["memory"]["fits"] is False


@pytest.mark.parametrize(
    "message", ["temporaries (20.63G) exceeds available HBM (15.75G).", "Used 20.63G of 15.75G hbm."]
)
def test_a_program_that_the_compiler_refuses_does_not_fit(monkeypatch, message):
    class Refused:
        def compile(self):
            raise jax.errors.JaxRuntimeError(f"RESOURCE_EXHAUSTED: Ran out of memory on HBM: {message}")

    of_cpu(monkeypatch, **FIGURES)
    monkeypatch.setattr(plan, "lower_step", lambda *arguments: Refused())
    record, text = plan.plan(make_config("train.length=1 steps"), "cpu:4")
    assert record["memory"]["needed"] == pytest.approx(20.63 * 2**30, rel=0.001)
    assert record["memory"]["fits"] is False
    assert record["time"] is None
    assert "no times: this step does not fit" in text


def test_of_stages_the_dearest_is_compiled_and_the_rest_follow_their_operations(monkeypatch):
    stages = (Stage(until=64 * 100, batch=64), Stage(batch=128))
    of_cpu(monkeypatch, lambda config: build(config, stages), **FIGURES)
    record, text = plan.plan(make_config("train.length=19200 images"), "cpu:4")
    work, times = record["work"], record["time"]
    compiled = {v["stage"] for v in work["variants"] if "compile_seconds" in v}
    assert compiled == {1}
    assert "not compiled" in text
    assert sum(v["steps"] for v in work["variants"]) == 200
    assert times["images_per_second"][0] * times["step_seconds"][0] == pytest.approx(19200 / 200)
    compute = work["operations_per_image"] * 19200 / 200 / 4 / (estimate.SHARE * FIGURES["float32"])
    assert times["terms"]["compute"] == pytest.approx(compute)


def test_arguments_that_cannot_be_used(monkeypatch):
    of_cpu(monkeypatch, **FIGURES)
    with pytest.raises(ConfigError, match="--share is 1.5"):
        plan.plan(make_config(), "cpu:4", share=1.5)
    with pytest.raises(ConfigError, match="config.train.batch_size is 6"):
        plan.plan(make_config("train.batch_size=6"), "cpu:4")
    with pytest.raises(ConfigError, match="config.train.length.*epochs"):
        plan.plan(make_config("train.length=3 epochs"), "cpu:4")
    with pytest.raises(ConfigError, match="config.mesh.shape is"):
        plan.plan(make_config("mesh.shape=(3,)"), "cpu:4")


def seconds(words, kind, size, group, hosts=1):
    platform, _, shape = words.rpartition(":")
    lengths = tuple(map(int, shape.split("x")))
    target = topology.Target(words, words[:3], hardware.DEVICES[platform], lengths, ())
    return estimate.seconds(target, Collective(kind, size, group, hosts, times=1))


def test_links():
    """An all-reduce sends everything twice but for a device's own share; between hosts, each device sends its part."""
    assert seconds("tpu:v5e:16x16", "all-reduce", 1e9, 256) == pytest.approx(2 * 255 / 256 / (4 * 50))
    assert seconds("tpu:v5e:16x16", "all-gather", 1e9, 256) == pytest.approx(255 / 256 / (4 * 50))
    assert seconds("gpu:h200:1x1x8", "all-reduce", 1e9, 8) == pytest.approx(2 * 7 / 8 / 450)
    between = 1 / 8 * 3 / 4 / 50
    assert seconds("gpu:h200:1x4x8", "all-gather", 1e9, 32, hosts=4) == pytest.approx(7 / 8 / 450 + between)
    assert seconds("gpu:h200:1x4x8", "all-reduce", 1e9, 1) == 0


def test_links_of_a_group_are_those_between_its_devices():
    """Of two GPUs on two hosts the network, however many there are; of eight on one NVLink alone."""
    assert seconds("gpu:h200:1x2x8", "all-reduce", 1e9, 2, hosts=2) == pytest.approx(2 * 1 / 2 / 50)
    assert seconds("gpu:h200:1x2x8", "all-reduce", 1e9, 8, hosts=1) == pytest.approx(2 * 7 / 8 / 450)


def test_links_of_a_permutation():
    """All bytes go one way: over one of a TPU's links, over NVLink or over the network."""
    assert seconds("tpu:v5e:16x16", "collective-permute", 1e9, 2) == pytest.approx(1 / 50)
    assert seconds("gpu:h200:1x4x8", "collective-permute", 1e9, 2) == pytest.approx(1 / 450)
    assert seconds("gpu:h200:1x4x8", "collective-permute", 1e9, 2, hosts=2) == pytest.approx(1 / 50)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "module", "install"),
    [
        ("tpu:v5e:2x2", "libtpu", "jax[tpu]"),
        ("tpu:v5e:1x1", "libtpu", "jax[tpu]"),
        ("tpu:v4:2x2x1", "libtpu", "jax[tpu]"),
        ("tpu:v5p:2x2x1", "libtpu", "jax[tpu]"),
        ("tpu:v6e:2x2", "libtpu", "jax[tpu]"),
        ("gpu:a100:1x1x4", "jax_cuda13_plugin", "jax[cuda13]"),
        ("gpu:h100:1x2x2", "jax_cuda13_plugin", "jax[cuda13]"),
        ("gpu:h200:1x1x4", "jax_cuda13_plugin", "jax[cuda13]"),
        ("gpu:b200:1x1x4", "jax_cuda13_plugin", "jax[cuda13]"),
    ],
)
def test_compilers_of_accelerators(monkeypatch, words, module, install):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"the compiler is not installed: pip install '{install}'")
    monkeypatch.setattr(plan, "load", build)
    record, _ = plan.plan(make_config("train.microbatches=2", "train.length=1 steps"), words)
    assert record["memory"]["fits"] is True
    assert record["work"]["loops_counted_once"] == 0
    bytes_of_phases = 2 * 4 * PARAMETERS
    if record["target"]["devices"] > 1:  # microbatches are added up before they are sent, or after
        found = record["work"]["collectives"]["all-reduce"]["bytes"]
        assert found == pytest.approx(bytes_of_phases, rel=0.01) or found == pytest.approx(
            2 * bytes_of_phases, rel=0.01
        )
    assert record["time"]["step_seconds"][0] > 0
