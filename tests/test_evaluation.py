"""Evaluations of a state: the same numbers on any devices and in any batches, each with all that it depends on."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError, UserError
from gan_jax.evaluate import evaluate
from gan_jax.evaluation import Evaluation
from gan_jax.sampling import Options, Sampler

METRICS = "('frechet:digits','pr:digits','prdc:digits','kid:digits','recognised:digits')"
FEW = (
    "evaluate.samples=150",
    "evaluate.standing=0",
    "evaluate.settings.kid_size=100",
    "evaluate.settings.kid_subsets=5",
)


def config_of(tmp_path, *overrides):
    places = (f"evaluate.cache={tmp_path}/references", f"evaluate.weights={tmp_path}/weights")
    words = [f"evaluate.metrics={METRICS}", *FEW, *places, *overrides]
    return configs.load("configs/biggan_digits.py:quick", words)


def evaluation_of(config, devices=1, recipe=None):
    mesh, recipe = sharding.data_mesh(devices), recipe or load(config)
    sampler = Sampler(recipe, mesh, config.evaluate.batch, Options(standing=config.evaluate.standing))
    target = state.abstract(recipe, mesh, ())
    return Evaluation(config, recipe, mesh, sampler), state.born(recipe, target, 0)


def numbers(record):
    return {name: value for name, value in record.items() if isinstance(value, float)}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The evaluation of a newborn BigGAN on one device, in batches of 64."""
    folder = tmp_path_factory.mktemp("alone")
    evaluation, current = evaluation_of(config_of(folder, "evaluate.batch=64"))
    return evaluation.begin(current)()


@pytest.mark.parametrize(("batch", "devices"), [(28, 4), (150, 2)])
def test_scores_depend_neither_on_devices_nor_on_batches(alone, tmp_path, batch, devices):
    evaluation, current = evaluation_of(config_of(tmp_path, f"evaluate.batch={batch}"), devices)
    record = evaluation.begin(current)()
    assert numbers(record) == pytest.approx(numbers(alone), rel=1e-4, abs=1e-6)
    assert len(numbers(alone)) == 9


def test_every_score_carries_its_protocol(alone):
    assert alone["protocol"].keys() == numbers(alone).keys()
    expected = {
        "samples": 150, "seed": 0, "weights": "average", "batch_statistics": "running", "truncation": None,
        "labels": "balanced", "quantised": True, "extractor": "digits", "resize": "clean", "reference": "digits, center",
        "reference_count": 1797, "kid_size": 100, "kid_subsets": 5,
    }  # fmt: skip
    protocol = alone["protocol"]["kid_digits"]
    assert expected.items() <= protocol.items()
    assert len(protocol["weights_sha256"]) == 64
    assert "1797 examples" in protocol["reference_identity"]
    assert "neighbours" not in protocol
    assert alone["protocol"]["precision_digits"]["neighbours"] == 3


def test_what_the_protocol_says_changes_with_what_is_done(tmp_path):
    changed = (
        "evaluate.averaged=False",
        "evaluate.standing=2",
        "evaluate.labels=empirical",
        "evaluate.reference_count=90",
    )
    evaluation, current = evaluation_of(config_of(tmp_path, *changed, "evaluate.metrics=('frechet:digits',)"))
    record = evaluation.begin(current, 0.5, 3)()
    expected = {
        "weights": "as trained", "batch_statistics": "standing, 2 batches of 256", "labels": "empirical",
        "truncation": 0.5, "seed": 3, "reference_count": 90,
    }  # fmt: skip
    assert expected.items() <= record["protocol"]["frechet_digits"].items()
    assert (record["truncation"], record["seed"]) == (0.5, 3)


def test_few_images_for_many_features_are_noted(tmp_path):
    evaluation, current = evaluation_of(
        config_of(tmp_path, "evaluate.samples=20", "evaluate.metrics=('frechet:digits',)")
    )
    (warning,) = evaluation.begin(current)()["warnings"]
    assert warning.startswith("frechet_digits: 20 images for ")


def test_too_few_images_for_a_metric_are_a_sentence(tmp_path):
    evaluation, current = evaluation_of(config_of(tmp_path, "evaluate.samples=20", "evaluate.metrics=('kid:digits',)"))
    with pytest.raises(UserError, match="20"):
        evaluation.begin(current)()


# ---- the command ----


@pytest.fixture
def born(tmp_path):
    """A workdir with the checkpoint of an untrained model."""
    config = config_of(tmp_path, "evaluate.metrics=('frechet:digits','nearest:digits')")
    workdir = tmp_path / "run"
    workdirs.record(workdir, config)
    recipe, mesh = load(config), sharding.make_mesh(config.mesh)
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(state.born(recipe, state.abstract(recipe, mesh, ()), 0), 1)
    return config, workdir


def test_several_truncations_and_seeds_have_files_of_their_own_and_a_page(born, tmp_path):
    config, workdir = born
    records, text = evaluate(config, workdir, (0.5, 1.5), (0, 1), tmp_path / "all.json")
    names = sorted(path.name for path in (workdir / "evaluations").iterdir())
    words = [f"psi{psi}{seed}" for psi in ("0.5", "1.5") for seed in ("", "_seed1")]
    assert names == sorted(
        [f"0000000000_{word}{end}" for word in words for end in (".json", "_nearest_digits.png")]
        + ["0000000000_truncation.html"]
    )
    assert [(r["truncation"], r["seed"]) for r in records] == [(0.5, 0), (0.5, 1), (1.5, 0), (1.5, 1)]
    assert records[0]["frechet_digits"] != records[1]["frechet_digits"]
    assert json.loads((tmp_path / "all.json").read_text()) == records
    assert "trade-off" in text


def test_a_model_that_makes_nan_fails_and_that_is_written_down(born, monkeypatch):
    config, workdir = born
    recipe = load(config)
    broken = dataclasses.replace(recipe, sample=lambda *a: recipe.sample(*a) * jnp.nan)
    monkeypatch.setattr("gan_jax.evaluate.load", lambda _: broken)
    with pytest.raises(UserError, match="NaN or infinite"):
        evaluate(config, workdir)
    record = json.loads((workdir / "evaluations" / "0000000000.json").read_text())
    assert record["status"].startswith("failed: the generator makes NaN")


def test_weights_that_are_not_there_are_asked_for(born, tmp_path):
    _, workdir = born
    for metrics, file in (("('fid',)", "pt_inception-2015-12-05-6726825d.pth"), ("('pr',)", "vgg16-397923af.pth")):
        with pytest.raises(ConfigError, match=f"weights/{file} is missing: get it from http.* and put it there"):
            evaluate(configs.read(workdir, [f"evaluate.metrics={metrics}"]), workdir)


def test_images_are_what_the_evaluation_saw(tmp_path):
    evaluation, current = evaluation_of(config_of(tmp_path), 4)
    generator = evaluation._generator_of(current, None, 0)
    every = generator.to_host(generator.labels(30))
    np.testing.assert_array_equal(evaluation.images(current, None, 0, [29, 3]), every[[29, 3]])
    assert jax.device_count() == 4


def test_empirical_labels_come_of_the_seed_of_the_evaluation(tmp_path):
    evaluations = [
        evaluation_of(config_of(tmp_path, "evaluate.labels=empirical", f"evaluate.seed={seed}")) for seed in (0, 3)
    ]
    (first, other, again), (asked, _, _) = (
        [evaluation._generator_of(current, None, seed).labels(50) for seed in (3, 0, 3)]
        for evaluation, current in evaluations
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, asked)  # whatever the config's seed
    assert (first != other).any()
