"""What a study is: the settings that are drawn, the runs that follow, and the best of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.study import analysis, definition
from gan_jax.study.definition import Choice, LogUniform, Method, Study, Uniform
from gan_jax.study.records import Record, Records

ROOT = Path(__file__).resolve().parent.parent


def small(**changes) -> Study:
    method = Method("configs/wgan_gp_polygons.py:quick")
    fields = {
        "title": "x",
        "methods": {"A": method, "B": method},
        "scores": {"frechet_polygons": "Distance"},
        "samples": 4,
        "budgets": (1, 2),
        "space": {"players.*.learning_rate": LogUniform(1e-5, 1e-2), "phases.label_smoothing": Uniform(0.1, 0.3)},
    }
    return Study(**{**fields, **changes})


def test_settings_follow_from_the_seed_the_method_the_sample_and_the_field_alone():
    draws = {(m, i): definition.draw(small(), m, i) for m in "AB" for i in range(3)}
    assert len({str(values) for values in draws.values()}) == 6
    more = small(samples=40, budgets=(1,), space={**small().space, "model.D.norm": Choice(("batch", "none"))})
    for (method, sample), values in draws.items():
        assert values.items() <= definition.draw(more, method, sample).items()
    assert definition.draw(small(seed=1), "A", 0) != draws["A", 0]


def test_distributions_are_what_they_are_called():
    study = small(space={"a": LogUniform(1e-4, 1), "b": Uniform(2, 4), "c": Choice((1, 5))})
    draws = [definition.draw(study, "A", i) for i in range(400)]
    logs = np.log10([draw["a"] for draw in draws])
    assert -4 <= logs.min() < -3.9
    assert -0.1 < logs.max() <= 0
    assert np.median(logs) == pytest.approx(-2, abs=0.3)
    assert 2 <= min(draw["b"] for draw in draws) < 2.05
    assert np.mean([draw["b"] for draw in draws]) == pytest.approx(3, abs=0.1)
    assert 0.4 < np.mean([draw["c"] == 5 for draw in draws]) < 0.6


def test_one_value_goes_to_all_fields_that_an_entry_stands_for_and_runs_come_sample_by_sample():
    runs = list(definition.searches(small(seeds=2)))
    assert [run.name for run in runs[:5]] == ["A-000-0", "A-000-1", "B-000-0", "B-000-1", "A-001-0"]
    assert len(runs) == 16
    overrides = dict(override.split("=") for override in runs[1].overrides)
    rate = str(definition.draw(small(), "A", 0)["players.*.learning_rate"])
    assert overrides["players.generator.learning_rate"] == overrides["players.discriminator.learning_rate"] == rate
    assert overrides["seed"] == "1"
    again = [run.name for run in definition.repeats(small(seeds=2, repeats=2), {"A": 3, "B": 1})]
    assert again == ["A-003-2", "B-001-2", "A-003-3", "B-001-3"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 0}, "samples is 0"),
        ({"budgets": (1, 3)}, "expected numbers from 1 to 2, half the samples"),
        ({"repeats": 1}, "repeats is 1: expected 0, or 2 or more"),
        ({"methods": {}}, "no methods"),
        ({"methods": {"A B": Method("x")}}, "a method 'A B'"),
        ({"scores": {"loss": "Loss"}}, "compares 'loss', of which it is not known"),
    ],
)
def test_a_study_that_makes_no_sense_is_a_sentence(changes, message):
    with pytest.raises(ConfigError, match=message):
        small(**changes)


def test_a_field_that_no_config_has_is_a_sentence(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(
        ConfigError, match=r"draws 'phases.nonsense' for A: configs/wgan_gp_polygons.py:quick has no such field"
    ):
        list(definition.searches(small(space={"phases.nonsense": Uniform(0, 1)})))


def test_a_field_that_is_fixed_and_drawn_is_a_sentence(monkeypatch):
    monkeypatch.chdir(ROOT)
    twice = small(overrides={"players.generator.learning_rate": 1e-3})
    with pytest.raises(
        ConfigError, match=r"draws 'players.\*.learning_rate' for A, of which players.generator.learning_rate is among"
    ):
        list(definition.searches(twice))


def test_a_failed_seed_counts_as_the_worst_when_the_best_setting_is_chosen(tmp_path):
    chosen = small(seeds=2, samples=4)
    found = Records(tmp_path)
    for run in definition.searches(chosen):
        value = 10.0 - run.sample
        failed = run.method == "A" and run.seed == 0
        status, scores = ("failed: x", {}) if failed else ("done", {"frechet_polygons": value})
        found.add(run, Record(status, scores, 0.0, run.overrides))
    assert analysis.best(chosen, found) == {"A": 3, "B": 3}


@pytest.mark.parametrize("argument", ["", ":short", ":quick"])
def test_the_shipped_study_draws_what_its_configs_have(argument, monkeypatch):
    monkeypatch.chdir(ROOT)
    shipped = definition.load(f"configs/studies/polygons.py{argument}")
    runs = list(definition.searches(shipped))
    assert len(runs) == 7 * shipped.samples
    assert len(shipped.methods) == 7


def test_a_field_that_a_newer_version_brings_changes_no_study(monkeypatch):
    monkeypatch.chdir(ROOT)
    now = definition.as_json(small())
    before = json.loads(json.dumps(now))
    for method in before["methods"].values():
        del method["resolved"]["train.max_skipped"]
    assert definition.changes(before, now) == []
    now["methods"]["A"]["resolved"]["train.max_skipped"] = 3
    (change,) = definition.changes(before, now)
    assert change == "methods.A.resolved.train.max_skipped is 3 but 25 there"


def test_the_example_of_the_docs_is_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs/studies.md").read_text().partition("## A study file")[2]
    code = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ") or not line)
    (tmp_path / "study.py").write_text(code)
    assert len(list(definition.searches(definition.load(str(tmp_path / "study.py"))))) == 32
