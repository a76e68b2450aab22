"""Several processes train as one: the same losses and samples, one set of files, one end."""

import json
import signal

import numpy as np
import pytest
from PIL import Image

from tests.faults.processes import PLAIN, Cluster, wait_for

QUICK = "--config=tests/faults/tiny.py"


def lines_of(workdir) -> list[dict]:
    path = workdir / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(processes, devices, workdir, *words, own=()):
    with Cluster(processes, devices, [QUICK, *PLAIN, f"--workdir={workdir}", *words], own) as cluster:
        codes = cluster.wait()
    return codes, cluster.errors


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Five steps by one process with four devices, and by two processes with two devices each."""
    folder = tmp_path_factory.mktemp("processes")
    words = ("--config.train.length=5 steps", "--config.train.checkpoint_every=2 steps")
    for name, processes, devices in (("one", 1, 4), ("two", 2, 2)):
        codes, errors = run(processes, devices, folder / name, *words)
        assert codes == [0] * processes, errors
    return folder / "one", folder / "two"


def test_two_processes_train_as_one_does(pair):
    one, two = (lines_of(workdir) for workdir in pair)
    assert len(one) == len(two) == 5
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in a.keys() - {"time", "images_per_second", "goodput"}:
            assert b[name] == pytest.approx(a[name], rel=1e-4, abs=1e-5), name


def test_there_is_one_set_of_files_and_the_samples_are_alike(pair):
    one, two = pair
    names = [{str(p.relative_to(w)) for p in w.rglob("*") if "checkpoints/" not in str(p)} for w in pair]
    assert names[0] == names[1]
    assert {path.name for path in (two / "checkpoints").iterdir()} == {"2", "4", "5"}
    for name in ("0000000000.png", "0000000080.png"):
        a, b = (np.asarray(Image.open(workdir / "samples" / name), int) for workdir in (one, two))
        assert np.abs(a - b).max() <= 2, name
    assert "training is complete" in (two / "log.txt").read_text()
    assert json.loads((two / "environment.json").read_text())["processes"] == 2


def test_a_signal_to_one_process_stops_all_at_one_step_and_the_run_goes_on(tmp_path):
    words = ("--config.train.length=400 steps", "--config.train.checkpoint_every=400 steps")
    with Cluster(2, 2, [QUICK, *PLAIN, f"--workdir={tmp_path}", *words]) as cluster:
        wait_for(lambda: len(lines_of(tmp_path)) >= 3)
        cluster.signal(1, signal.SIGTERM)
        assert cluster.wait() == [42, 42], cluster.errors
    (step,) = (int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    assert 3 <= step < 400
    assert f"stopped at step {step} of 400, saved" in (tmp_path / "log.txt").read_text()
    codes, errors = run(2, 2, tmp_path, f"--config.train.length={step + 2} steps")
    assert codes == [0, 0], errors
    assert [line["step"] for line in lines_of(tmp_path)] == list(range(1, step + 3))


def test_processes_with_unlike_configs_all_stop_with_one_sentence(tmp_path):
    codes, errors = run(2, 1, tmp_path / "run", own=(["--config.seed=1"], ["--config.seed=2"]))
    assert codes == [2, 2]
    for error in errors:
        assert "config.seed is 2 in process 1 but 1 in process 0: start all processes with one config" in error
    assert not (tmp_path / "run").exists()


def test_a_process_that_dies_takes_the_others_along(tmp_path):
    words = ("--config.train.length=100000 steps", "--config.train.checkpoint_every=5 steps")
    with Cluster(2, 1, [QUICK, *PLAIN, f"--workdir={tmp_path}", *words]) as cluster:
        wait_for(lambda: len(lines_of(tmp_path)) >= 12)
        cluster.signal(1, signal.SIGKILL)
        codes = cluster.wait(60)
    assert codes[1] == -signal.SIGKILL
    assert codes[0] not in (0, 42)
    codes, errors = run(2, 1, tmp_path, "--config.train.length=14 steps")
    assert codes == [0, 0], errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--processes=2"], "--coordinator=HOST:PORT, --processes=N and --process=I go together"),
        (["--coordinator=localhost:1", "--processes=2", "--process=2"], "--process is 2 of --processes=2"),
        (["--cluster=auto", "--process=0"], "--cluster=auto beside"),
        (["--cluster=moon"], "--cluster is 'moon': expected one of auto, slurm"),
        (["--cluster=auto"], "the processes cannot join"),
        (["--timeouts=1,2"], "expected three numbers of seconds"),
    ],
)
def test_a_start_that_cannot_work_is_a_sentence(tmp_path, words, message):
    codes, (error,) = run(1, 1, tmp_path / "run", *words)
    assert codes == [2]
    assert message in error
    assert not (tmp_path / "run").exists()
