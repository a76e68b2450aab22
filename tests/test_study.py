"""Studies: what is run and what is not run again, what a failure counts. A stand-in trains."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gan_jax import main
from gan_jax.errors import ConfigError, UserError
from gan_jax.study import definition, report, together
from gan_jax.study.command import study

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
COMMAND = "import sys; sys.executable = {program!r}; from gan_jax.main import run; run()"
STUDY = """
from gan_jax.study.definition import LogUniform, Method, Study

def get_study(samples=""):
    config = "configs/wgan_gp_polygons.py:quick"
    return Study(
        title="A study",
        methods={name: Method(config, {"phases.loss": loss}) for name, loss in (("A", "hinge"), ("B", "minimax"))},
        space={"players.*.learning_rate": LogUniform(1e-5, 1e-2)},
        scores={"frechet_polygons": "Distance", "polygon_f1": "F1"},
        samples=int(samples or 4), budgets=(1, 2), repeats=2,
    )
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts the stand-in in the place of training; returns what says how a run is to behave."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {PYTHON} -S {ROOT / "tests/stand_in_study.py"} "$@"\n')
    program.chmod(0o755)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "executable", str(program))
    return lambda **manners: monkeypatch.setenv(
        "STAND_IN", ",".join(f"{k.replace('_', '-')}={v}" for k, v in manners.items())
    )


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "study.py").write_text(STUDY)
    return str(tmp_path / "study.py")


def starts(workdir: Path) -> dict[str, list[str]]:
    return {path.parent.name: path.read_text().split() for path in (workdir / "runs").glob("*/starts")}


def records(workdir: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in (workdir / "records").iterdir()}


def test_everything_is_run_once_and_the_repeats_are_of_the_best(stand_in, spec, tmp_path):
    stand_in()
    workdir = tmp_path / "study"
    code, found, text = study(spec, workdir)
    assert code == 0
    assert found["runs"] == {"planned": 12, "ended": 12, "failed": 0, "seconds": 0.0}
    rates = {
        m: [definition.draw(definition.load(spec), m, i)["players.*.learning_rate"] for i in range(4)] for m in "AB"
    }
    assert found["scores"]["frechet_polygons"]["values"]["B"] == pytest.approx([100 + 10 * rate for rate in rates["B"]])
    best = {m: int(np.argmin(rates[m])) for m in "AB"}
    assert {m: found["methods"][m]["best"] for m in "AB"} == best
    assert {f"A-{best['A']:03d}-1", f"B-{best['B']:03d}-2"} <= records(workdir).keys()
    assert "Distance, best of 1 and 2; repeats: A is better than B; these are all pairs" in text
    assert "F1, best of 1 and 2: no two methods are told apart" in text
    first, second = sorted("AB", key=lambda m: rates[m][best[m]])  # of F1 more is better, and it is 1 - rate
    assert found["scores"]["polygon_f1"]["answers"]["repeats"] == {first: [second], second: []}
    shown = found["scores"]["polygon_f1"]["intervals"]["best of 2"]["A"]
    assert 0.98 < shown["low"] <= shown["mean"] <= shown["high"] <= 1 - min(rates["A"])
    before = starts(workdir)
    assert all(words == ["train"] for words in before.values())
    assert study(spec, workdir)[0] == 0
    assert starts(workdir) == before
    for name in ("REPORT.md", "report.html", "findings.json"):
        assert (workdir / name).stat().st_size > 1000


def test_several_at_once_find_the_same(stand_in, spec, tmp_path):
    stand_in()
    _, alone, _ = study(spec, tmp_path / "one")
    _, together, _ = study(spec, tmp_path / "three", processes=3)
    assert together["scores"] == alone["scores"]


def test_seeds_of_a_setting_are_trained_at_once_where_there_are_devices(stand_in, spec, tmp_path):
    stand_in()
    _, alone, _ = study(spec, tmp_path / "one")
    _, together, _ = study(spec, tmp_path / "two", devices=2)
    assert together["scores"] == alone["scores"]
    assert records(tmp_path / "two").keys() == records(tmp_path / "one").keys()
    started = starts(tmp_path / "two")
    repeated = [name for name in started if not name.endswith("-0")]
    assert len(repeated) == 4
    assert all(started[name] == (["together", "evaluate"] if name in repeated else ["train"]) for name in started)


def test_seeds_that_cannot_be_trained_at_once_go_on_alone(stand_in, spec, tmp_path):
    stand_in()
    _, alone, _ = study(spec, tmp_path / "one")
    best = alone["methods"]["A"]["best"]
    stand_in(**{f"A_00{best}_2": "alone"})
    _, together, _ = study(spec, tmp_path / "two", devices=4)
    assert together["scores"] == alone["scores"]
    assert starts(tmp_path / "two")[f"A-00{best}-1"] == ["together", "train"]


def test_a_failed_run_is_recorded_and_counts_as_the_worst(stand_in, spec, tmp_path):
    stand_in(A_001_0="fail")
    code, found, _ = study(spec, tmp_path / "study")
    assert code == 0
    assert found["runs"]["failed"] == found["methods"]["A"]["failed"] == 1
    assert records(tmp_path / "study")["A-001-0"]["status"] == "failed: step 3: training has diverged"
    distances = found["scores"]["frechet_polygons"]["values"]
    assert distances["A"][1] == max(distances["B"]) > 100
    scores = found["scores"]["polygon_f1"]["values"]
    assert scores["A"][1] == min(scores["A"] + scores["B"])
    assert "1 of which failed" in (tmp_path / "study/REPORT.md").read_text()


def test_a_config_that_cannot_be_used_ends_the_study(stand_in, spec, tmp_path):
    stand_in(B_000_0="refuse")
    with pytest.raises(ConfigError, match="B-000-0: config.x is 3: expected 2"):
        study(spec, tmp_path / "study")


@pytest.mark.parametrize(("manner", "how"), [("die", "signal 9"), ("stumble", "exit code 1")])
def test_a_run_that_was_killed_or_met_a_bug_says_nothing_and_is_run_again(stand_in, spec, tmp_path, manner, how):
    stand_in(B_000_0=manner)
    with pytest.raises(UserError, match=f"B-000-0 was ended by {how}, which says nothing about its method"):
        study(spec, tmp_path / "study")
    assert records(tmp_path / "study").keys() == {"A-000-0"}
    stand_in()
    assert study(spec, tmp_path / "study")[0] == 0
    assert (tmp_path / "study/runs/B-000-0/done").read_text().split() == ["0", "1", "2", "3", "4"]


def test_trouble_of_the_machine_says_nothing_of_a_method(stand_in, spec, tmp_path):
    stand_in(B_000_0="full")
    with pytest.raises(UserError, match=r"B-000-0 was ended by exit code 1, .* \(the disk is full\): see .* again"):
        study(spec, tmp_path / "study")
    assert records(tmp_path / "study").keys() == {"A-000-0"}
    stand_in()
    assert study(spec, tmp_path / "study")[1]["runs"]["failed"] == 0


def test_a_run_that_was_stopped_behind_an_evaluation_is_trained_to_its_end(stand_in, spec, tmp_path):
    stand_in()
    workdir, begun = tmp_path / "study", tmp_path / "study/runs/A-000-0"
    stand_in(A_000_0="hold")
    process = started(spec, workdir)
    until((begun / "step").exists)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    (begun / "metrics.jsonl").write_text(json.dumps({"step": 1, "images": 16, "time": 1.0}) + "\n")
    (begun / "evaluations").mkdir()
    (begun / "evaluations/0000000016.json").write_text(json.dumps({"step": 1, "images": 16, "frechet_polygons": -7.0}))
    stand_in()
    assert study(spec, workdir)[0] == 0
    assert (begun / "done").read_text().split() == ["0", "1", "2", "3", "4"]
    assert records(workdir)["A-000-0"]["scores"]["frechet_polygons"] >= 0


def test_one_method_is_not_told_apart_from_any():
    assert report._answer({"A": []}) == "no two methods are told apart"
    assert report._answer({"A": ["B"], "B": []}) == "A is better than B; these are all pairs"


def test_seeds_at_once_refuse_a_config_as_one_alone_does(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    run = {"config": "configs/wgan_gp_polygons.py:quick", "overrides": ["nonsense=1"], "workdir": str(tmp_path / "x")}
    (tmp_path / "runs.json").write_text(json.dumps([run]))
    monkeypatch.setattr(sys, "argv", ["together", str(tmp_path / "runs.json")])
    assert together.main() == ConfigError.exit_code
    assert "gan-jax: " in capsys.readouterr().err


def test_a_training_that_was_not_scored_is_scored(stand_in, spec, tmp_path):
    stand_in(A_000_0="unscored")
    assert study(spec, tmp_path / "study")[0] == 0
    assert starts(tmp_path / "study")["A-000-0"] == ["train", "evaluate"]


def test_another_study_is_refused_and_more_of_the_same_goes_on(stand_in, spec, tmp_path):
    stand_in()
    workdir = tmp_path / "study"
    study(spec, workdir)
    before = records(workdir)
    (tmp_path / "study.py").write_text(STUDY.replace("LogUniform(1e-5", "LogUniform(1e-4"))
    with pytest.raises(
        ConfigError, match=r"holds another study: space.players.\*.learning_rate.low is 0.0001 but 1e-05 there"
    ):
        study(spec, workdir)
    assert records(workdir) == before
    (tmp_path / "study.py").write_text(STUDY)
    _, found, _ = study(f"{spec}:6", workdir)
    assert found["runs"]["planned"] == 16
    assert before.items() <= records(workdir).items()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    with pytest.raises(ConfigError, match="is not empty and holds no study"):
        study(spec, tmp_path / "other")
    with pytest.raises(ConfigError, match="gs://bucket/study is in a bucket: expected a local folder for a study"):
        study(spec, "gs://bucket/study")


def started(spec: str, workdir: Path) -> subprocess.Popen:
    """A study in a process of its own, by the stand-in that the test has put in place."""
    code = COMMAND.format(program=sys.executable)
    words = [PYTHON, "-c", code, "study", f"--study={spec}", f"--workdir={workdir}"]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def until(condition, seconds: float = 300.0) -> None:
    for _ in itertools.takewhile(lambda _: not condition(), range(int(seconds / 0.05))):
        time.sleep(0.05)
    assert condition()


def test_a_study_that_was_killed_goes_on_where_it_was(stand_in, spec, tmp_path):
    whole, workdir = tmp_path / "whole", tmp_path / "study"
    stand_in()
    study(spec, whole)
    stand_in(A_001_0="hold")
    process = started(spec, workdir)
    until((workdir / "runs/A-001-0/step").exists)
    process.kill()
    process.wait()
    assert "A-001-0" not in records(workdir)
    (workdir / "runs/A-001-0/go").touch()
    assert study(spec, workdir)[0] == 0  # waits for the run that outlived it, which would else be there twice
    assert (workdir / "runs/A-001-0/done").read_text().split() == ["0", "1", "2", "3", "4"]
    assert starts(workdir)["A-001-0"] == ["train", "train"]  # the second finds nothing left to do
    assert records(workdir) == records(whole)


def test_a_study_that_is_asked_to_stop_lets_its_runs_save(stand_in, spec, tmp_path):
    stand_in(A_001_0="hold")
    workdir = tmp_path / "study"
    process = started(spec, workdir)
    until((workdir / "runs/A-001-0/step").exists)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate()
    assert process.returncode == 42, error
    assert "A-001-0" not in records(workdir)
    done = (workdir / "runs/A-001-0/done").read_text().split()
    assert done == ["0"]
    (workdir / "runs/A-001-0/go").touch()
    assert study(spec, workdir)[0] == 0
    assert (workdir / "runs/A-001-0/done").read_text().split() == ["0", "1", "2", "3", "4"]


def test_two_studies_in_one_workdir_share_the_runs(stand_in, spec, tmp_path):
    stand_in(A_001_0="fail")
    workdir = tmp_path / "study"
    process = started(spec, workdir)
    until((workdir / "study.json").exists)
    code, found, _ = study(spec, workdir)
    assert process.wait() == code == 0
    assert found["runs"] == {"planned": 12, "ended": 12, "failed": 1, "seconds": 0.0}
    assert all(words == ["train"] for words in starts(workdir).values())


def test_the_command_prints_findings(stand_in, spec, tmp_path, capsys):
    stand_in()
    assert main.main(["study", f"--study={spec}", f"--workdir={tmp_path / 'study'}", "--processes=2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"]["ended"] == 12


def real() -> str:
    """The study of few trainings that are no stand-ins'."""
    text = STUDY.replace("int(samples or 4), budgets=(1, 2)", "1, budgets=(1,)")
    often = 'scores={"frechet_polygons": "Distance"}, overrides={"train.checkpoint_every": "1 step"},'
    return text.replace('scores={"frechet_polygons": "Distance", "polygon_f1": "F1"},', often)


def scores(workdir: Path) -> dict[str, tuple]:
    return {name: (record["status"], record["scores"]) for name, record in records(workdir).items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The real study, and what it finds when nothing happens to it; on one device, as without simulated ones."""
    folder = tmp_path_factory.mktemp("real")
    spec = folder / "study.py"
    spec.write_text(real())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("XLA_FLAGS", f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=1")
        assert study(str(spec), folder / "whole")[0] == 0
        assert len(scores(folder / "whole")) == 6
        yield str(spec), scores(folder / "whole")


@pytest.mark.slow
def test_a_real_study_survives_a_kill_with_the_same_records(whole, tmp_path):
    (spec, expected), workdir = whole, tmp_path / "study"
    process = started(spec, workdir)
    until((workdir / "runs/B-000-0/checkpoints/1").exists)
    process.kill()
    process.wait()
    assert study(spec, workdir)[0] == 0
    assert scores(workdir) == expected


@pytest.mark.slow
def test_seeds_at_once_give_the_records_of_seeds_alone(whole, tmp_path):
    spec, expected = whole
    assert study(spec, tmp_path / "together", devices=2)[0] == 0
    assert scores(tmp_path / "together") == expected
    assert len(list((tmp_path / "together/logs").glob("*-together.json"))) == 2
