"""Metrics that need the generator itself, from the command's side: path lengths, diversity, classifiers, polygons."""

import jax.numpy as jnp
import pytest

from gan_jax import config as configs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.evaluation import Evaluation
from gan_jax.metrics.extractors import lpips
from gan_jax.sampling import Options, Sampler


@pytest.fixture(autouse=True)
def plain_distance(monkeypatch):
    """In place of LPIPS, whose weights are not here: the mean squared difference."""
    monkeypatch.setattr(lpips, "load", lambda folder: lpips.Lpips("00ff", {}))
    monkeypatch.setattr(lpips, "distance", lambda variables, a, b: jnp.square(a - b).mean((1, 2, 3)))


def record_of(name, tmp_path, *overrides, devices=1):
    words = [f"evaluate.cache={tmp_path}", "evaluate.standing=0", "evaluate.reference=", *overrides]
    config = configs.load(f"configs/{name}.py:quick", words)
    recipe, mesh = load(config), sharding.data_mesh(devices)
    evaluation = Evaluation(config, recipe, mesh, Sampler(recipe, mesh, config.evaluate.batch, Options()))
    return evaluation.begin(state.born(recipe, state.abstract(recipe, mesh, ()), 0))()


@pytest.mark.slow
def test_path_lengths_and_diversity_do_not_depend_on_devices(tmp_path):
    words = ("evaluate.settings.path_pairs=10", "evaluate.settings.diversity_pairs=10")
    metrics = "evaluate.metrics=('ppl_w','ppl_w_full','ppl_z','lpips')"
    alone = record_of("stylegan2_digits", tmp_path, *words, metrics, "evaluate.batch=5")
    spread = record_of("stylegan2_digits", tmp_path, *words, metrics, "evaluate.batch=8", devices=4)
    names = {"ppl_w", "ppl_w_full", "ppl_z", "lpips_diversity", "lpips_diversity_error"}
    assert names == alone["protocol"].keys()
    for name in names:
        assert alone[name] > 0
        # A step of 1e-4 leaves few digits of a difference of float32 images.
        assert spread[name] == pytest.approx(alone[name], rel=0.05 if name.startswith("ppl") else 1e-4), name
    assert alone["protocol"]["ppl_w"]["path_pairs"] == 10
    assert alone["protocol"]["ppl_w"]["weights_sha256"] == "00ff"


def test_classification_accuracies_of_an_untrained_generator(tmp_path):
    words = ("evaluate.metrics=('cas',)", "evaluate.samples=100", "evaluate.settings.classifier_steps=100")
    record = record_of("biggan_digits", tmp_path, *words)
    assert record["real_top1"] > 0.9
    assert record["gan_train_top1"] < 0.5
    assert record["protocol"]["gan_train_top1"]["classifier"] == "perceptron"
    assert record["protocol"]["gan_train_top1"]["reference_count"] == 1797


@pytest.mark.slow
def test_polygons_of_an_untrained_generator(tmp_path):
    names = ("evaluate.samples", *(f"evaluate.settings.inversion_{name}" for name in ("targets", "restarts", "steps")))
    few = [f"{name}={count}" for name, count in zip(names, (16, 4, 1, 2), strict=True)]
    record = record_of("wgan_gp_polygons", tmp_path, "data.count=80", "evaluate.metrics=('polygons',)", *few)
    assert (record["polygon_precision"], record["polygon_recall"], record["polygon_f1"]) == (0, 0, 0)
    assert record["polygon_distance_50"] > 5
    assert record["protocol"]["polygon_recall"]["inversion_steps"] == 2


def test_metrics_that_do_not_fit_the_model_are_refused(tmp_path):
    for metrics, message in (
        ("ppl_w", "needs a generator with styles"),
        ("cas", "needs classes"),
        ("is:vgg16", "inception"),
    ):
        with pytest.raises(ConfigError, match=message):
            record_of("wgan_gp_polygons", tmp_path, "data.count=80", f"evaluate.metrics=('{metrics}',)")
