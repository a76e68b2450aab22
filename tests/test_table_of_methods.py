"""The README's table of methods is the one that its script makes."""

import importlib.util
import json
from pathlib import Path

import pytest

from gan_jax import config as configs

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("table_of_methods", ROOT / "benchmarks/table_of_methods.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table(script):
    return script.table()


def test_the_table_is_up_to_date(script, table):
    readme = (ROOT / "README.md").read_text()
    assert script.BEGIN + table + script.END in readme, "run python benchmarks/table_of_methods.py"


def test_every_config_has_its_place_in_it(table):
    for path in (ROOT / "configs").glob("*.py"):
        assert table.count(f"(configs/{path.name})") == 1
        assert table.count(f"(gan_jax/recipes/{configs.load(str(path)).recipe}.py)") == 1


def test_evidence_and_scores_are_said(script, table, monkeypatch, tmp_path):
    rows = {line.split(" | ")[0]: line.split(" | ")[3:] for line in table.splitlines()}
    assert rows["| [SNGAN](gan_jax/recipes/sngan.py)"][0] == "counts, vectors, losses"
    assert rows["| [BEGAN](gan_jax/recipes/began.py)"][0] == "counts, losses"
    (tmp_path / "benchmarks/results").mkdir(parents=True)
    scores = {
        "a_digits": {"frechet": 1.416, "recognised": 0.992},
        "b_digits": {"frechet": 12.34},
        "e_digits": {"frechet": 2.0, "told": 0.95},
        "f_polygons": {"frechet": 1.36},
    }
    (tmp_path / "benchmarks/results/scores.json").write_text(json.dumps(scores))
    monkeypatch.setattr(script, "ROOT", tmp_path)
    found = [script.score(stems) for stems in (["a_digits", "a_mnist"], ["b_digits"], ["c_digits"], ["d_mnist"])]
    assert found == ["99.2 %, 1.42", "12.3", "no score yet", ""]
    found = [script.score(stems) for stems in (["e_polygons", "e_digits"], ["f_polygons"])]
    assert found == ["95.0 % told right, 2", "1.36 (polygons)"]


def test_evidence_that_is_gone_is_an_error(script, monkeypatch):
    monkeypatch.setitem(script.LOSSES, "gan", "losses/test_adversarial.py::test_of_old")
    with pytest.raises(ValueError, match="has no test_of_old, by which gan is said to be verified"):
        script.verified("gan", ["gan_digits"])
