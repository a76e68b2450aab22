"""Runs that are killed, checkpoints that are damaged, disks that are full: what is lost, and what never is.

Every run here is a process of `gan-jax train`; they share their compiled programs. A run that diverges from another one
in a single bit has lost something. Changed configs are refused in tests/test_train.py, each single damage is met in
tests/engine/test_checkpoint.py.
"""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from types import MappingProxyType

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load
from gan_jax.main import main
from tests.engine.games import regression
from tests.faults.processes import PLAIN, ROOT, Cluster, wait_for

ZERO = "--config.mesh.rules=((r'.*', 'largest'),)"


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Of all runs: the tiny GAN, a checkpoint every second step."""
    cache = f"--config.train.compilation_cache={tmp_path_factory.mktemp('compiled')}"
    return ["--config=tests/faults/tiny.py", *PLAIN, "--config.train.checkpoint_every=2 steps", cache]


@pytest.fixture(scope="module")
def straight(words, tmp_path_factory):
    """Makes the workdir of a run of so many steps that nothing interrupts; it keeps all its checkpoints."""
    made = {}

    def make(steps: int):
        if steps not in made:
            workdir = made[steps] = tmp_path_factory.mktemp("straight") / str(steps)
            codes, errors = train(words, workdir, steps, "--config.train.keep=1000")
            assert codes == [0], errors
        return made[steps]

    return make


def started(words, workdir, steps, *more, processes=1, devices=1, before=MappingProxyType({})) -> Cluster:
    words = [*words, f"--workdir={workdir}", f"--config.train.length={steps} steps", *more]
    return Cluster(processes, devices, words, before=before)


def train(words, workdir, steps, *more, processes=1, devices=1) -> tuple[list[int], list[str]]:
    """The exit codes, and what was said on stderr."""
    with started(words, workdir, steps, *more, processes=processes, devices=devices) as cluster:
        codes = cluster.wait()
    return codes, cluster.errors


def steps_of(workdir) -> list[int]:
    """The committed checkpoints."""
    folder = workdir / "checkpoints"
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal()) if folder.exists() else []


def state_of(workdir) -> state.State:
    """The newest state of a run, on the host."""
    recipe = load(configs.read(workdir))
    return jax.device_get(workdirs.restore(workdir, state.abstract(recipe, sharding.data_mesh(1), ())))


def lines_of(workdir) -> list[dict]:
    clocks = ("time", "images_per_second", "goodput")
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in clocks} for line in lines]


def assert_alike(workdir, other):
    """The same state, bit for bit, and the same metrics at the same steps; nothing half-written left."""
    jax.tree.map(np.testing.assert_array_equal, state_of(workdir), state_of(other))
    assert lines_of(workdir) == lines_of(other)
    assert not [path for path in (workdir / "checkpoints").iterdir() if "tmp" in path.name]


def begun(straight, workdir, last: int):
    """The workdir of a run of which the last checkpoint is that of step `last`, as a kill leaves it."""
    shutil.copytree(straight, workdir)
    for step in steps_of(workdir):
        if step > last:
            shutil.rmtree(workdir / "checkpoints" / str(step))
    return workdir


def flip(workdir, step: int):
    """Flips one bit in the largest file of arrays of a checkpoint."""
    paths = (workdir / "checkpoints" / str(step) / "state").rglob("d/*")
    path = max(paths, key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


# ---- kills ----


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_again_and_again_ends_like_one_that_is_not(words, straight, tmp_path, kills):
    """At random moments around a save; what is lost is what was done since the last checkpoint, and done again."""
    chance, length = random.Random(kills), 4 * kills
    for _ in range(kills):
        with started(words, tmp_path / "run", length) as cluster:
            before = steps_of(tmp_path / "run")
            wait_for(
                lambda before=before: steps_of(tmp_path / "run") != before or cluster.processes[0].poll() is not None
            )
            time.sleep(chance.uniform(0, 0.6))
            cluster.signal(0, signal.SIGKILL)
            (code,) = cluster.wait()
            assert code in (-signal.SIGKILL, 0), cluster.errors
    codes, errors = train(words, tmp_path / "run", length)
    assert codes == [0], errors
    assert "damaged" not in errors[0]
    assert_alike(tmp_path / "run", straight(length))


def test_a_process_that_ends_right_after_a_save_has_saved(tmp_path):
    code = f"""
        import pathlib
        from gan_jax.engine import sharding, state
        from gan_jax.engine.checkpoint import Checkpoints
        from tests.engine.games import regression
        target = state.abstract(regression(), sharding.data_mesh(1), ())
        with Checkpoints(pathlib.Path({str(tmp_path)!r})) as checkpoints:
            checkpoints.save(state.born(regression(), target, 0), 1)
            raise SystemExit(42)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (42, "")
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.restore(state.abstract(regression(), sharding.data_mesh(1), ()), 1).step == 0


# ---- damage ----


def test_a_run_goes_on_from_the_newest_whole_checkpoint(words, straight, tmp_path):
    """The newest has a flipped bit, the one before is cut off: both are named and kept, and nothing else is lost."""
    run = begun(straight(12), tmp_path / "run", 8)
    flip(run, 8)
    for path in (run / "checkpoints/6/state").rglob("d/*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    kept = {path.name: path.read_bytes() for path in (run / "checkpoints/8/state").rglob("d/*")}
    codes, (error,) = train(words, run, 12)
    assert codes == [0], error
    for step in (8, 6):
        told = [line for line in error.splitlines() if f"checkpoints/{step} is damaged" in line]
        assert len(told) == 1
        assert told[0].endswith(f"it is now {run}/checkpoints/damaged-{step}, and training goes on from step 4")
    assert "1 of " in error
    assert "Traceback" not in error
    aside = {path.name: path.read_bytes() for path in (run / "checkpoints/damaged-8/state").rglob("d/*")}
    assert aside == kept
    assert steps_of(run) == [8, 10, 12]
    assert_alike(run, straight(12))


def test_where_all_are_damaged_the_run_ends_and_never_begins_anew(words, straight, tmp_path):
    run = begun(straight(12), tmp_path / "run", 4)
    for step in (2, 4):
        flip(run, step)
    before = {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for _ in range(2):
        codes, (error,) = train(words, run, 12)
        assert codes == [1]
        assert "gan-jax: no checkpoint can be used: " in error
        assert "checkpoints/4 is damaged" in error
        assert "checkpoints/2 is damaged" in error
        assert "Traceback" not in error
        assert {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_reading_takes_the_one_before_and_changes_nothing(straight, tmp_path, capfd):
    run = begun(straight(12), tmp_path / "run", 8)
    flip(run, 8)
    before = {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    wanted = begun(straight(12), tmp_path / "wanted", 6)
    for workdir in (run, wanted):
        assert main(["export", f"--workdir={workdir}", f"--out={tmp_path / workdir.name}.safetensors"]) == 0
    error = capfd.readouterr().err
    assert "checkpoints/8 is damaged" in error
    assert "step 6 is used instead" in error
    assert (tmp_path / "run.safetensors").read_bytes() == (tmp_path / "wanted.safetensors").read_bytes()
    assert {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_checkpoint_of_an_older_version_is_said_not_to_be_verified(tmp_path, capfd):
    target = state.abstract(regression(), sharding.data_mesh(1), ())
    tree = {name: value for name, value in vars(state.born(regression(), target, 0)).items() if name != "skipped"}
    with Checkpoints(tmp_path) as checkpoints:
        items = {"state": ocp.args.StandardSave(tree), "meta": ocp.args.JsonSave({"format": 1, "step": 7})}
        checkpoints.manager.save(7, args=ocp.args.Composite(**items), force=True)
    assert workdirs.restore(tmp_path, target).seed == 0
    assert workdirs.resume(tmp_path, target)[1] == 7
    told = "the checkpoint of step 7 is from an older version, without checksums: it cannot be verified\n"
    assert capfd.readouterr().err == told * 2


# ---- several processes ----


@pytest.mark.slow
def test_any_number_of_processes_goes_on_and_finds_the_same_damage(words, straight, tmp_path):
    """One process with one device saved; two with two devices each go on, then one with four."""
    run = begun(straight(12), tmp_path / "run", 8)
    flip(run, 8)
    codes, errors = train(words, run, 10, ZERO, processes=2, devices=2)
    assert codes == [0, 0], errors
    assert sum("checkpoints/8 is damaged" in error for error in errors) == 1  # the first process speaks
    assert (run / "checkpoints/damaged-8").exists()
    assert steps_of(run) == [6, 8, 10]
    codes, errors = train(words, run, 12, devices=4)
    assert codes == [0], errors
    assert "damaged" not in errors[0]
    lines, wanted = lines_of(run), lines_of(straight(12))
    assert [line["step"] for line in lines] == list(range(1, 13))
    for line, one in zip(lines, wanted, strict=True):
        for name in one:
            assert line[name] == pytest.approx(one[name], rel=1e-3, abs=1e-4), (line["step"], name)


@pytest.mark.slow
def test_damage_that_one_process_meets_is_damage_for_all(words, tmp_path):
    """Each reads what it needs itself: only the second misses its part of the arrays."""
    codes, errors = train(words, tmp_path, 4, ZERO, processes=2, devices=1)
    assert codes == [0, 0], errors
    for path in (tmp_path / "checkpoints/4/state/ocdbt.process_1/d").iterdir():
        path.unlink()
    codes, errors = train(words, tmp_path, 6, ZERO, processes=2, devices=1)
    assert codes == [0, 0], errors
    assert "training goes on from step 2" in errors[0]
    assert "goes on" not in errors[1]
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"2", "4", "6", "damaged-4"}


# ---- disks ----


def limit(process: subprocess.Popen, size: int):
    """Lets a process write no file larger than this, which stands for a full disk, or one that it may not write."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_fills_up_ends_the_run_at_that_save_and_nothing_before_is_lost(words, straight, tmp_path):
    run = begun(straight(8), tmp_path / "run", 4)
    with started(words, run, 8) as cluster:
        limit(cluster.processes[0], 60_000)
        assert cluster.wait() == [1], cluster.errors
    (error,) = cluster.errors
    assert "checkpoints: the checkpoint could not be written" in error
    assert "free some space and run the same command again; older checkpoints are intact" in error
    assert "Traceback" not in error
    assert steps_of(run) == [2, 4]
    codes, errors = train(words, run, 8)
    assert codes == [0], errors
    assert "damaged" not in errors[0]
    assert_alike(run, straight(8))  # what was half-written is gone


@pytest.mark.slow
def test_one_of_two_processes_that_cannot_write_ends_both(words, tmp_path):
    codes, errors = train(words, tmp_path, 2, ZERO, processes=2, devices=1)
    assert codes == [0, 0], errors
    impatient = "from gan_jax.engine import checkpoint\ncheckpoint.PATIENCE = 30\n"  # seconds, 300 by itself
    before = {0: impatient, 1: impatient}
    with started(words, tmp_path, 100_000, ZERO, processes=2, devices=1, before=before) as cluster:
        limit(cluster.processes[1], 100)
        codes = cluster.wait(150)
    assert codes[1] == 1, cluster.errors
    assert codes[0] not in (0, 42), cluster.errors
    assert "checkpoints: the checkpoint could not be written (" in cluster.errors[1]
    assert "another process has not written its part of the checkpoint within 30 seconds" in cluster.errors[0]
    assert not any("Traceback" in error for error in cluster.errors)
    assert steps_of(tmp_path) == [2]
    codes, errors = train(words, tmp_path, 4, ZERO, processes=2, devices=1)
    assert codes == [0, 0], errors
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"2", "4"}


# ---- SIGTERM at other moments than between two steps ----


def until_it_compiles(cluster: Cluster) -> None:
    wait_for(lambda: "compiling the training step" in cluster.said(0))


def test_a_signal_while_compiling_ends_one_process_at_once(words, tmp_path):
    with started(words, tmp_path / "run", 100_000) as cluster:
        until_it_compiles(cluster)
        cluster.signal(0, signal.SIGTERM)
        assert cluster.wait(10) == [-signal.SIGTERM]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_signal_while_several_processes_compile_is_heeded_at_the_first_steps(words, tmp_path):
    with started(words, tmp_path, 100_000, processes=2) as cluster:
        until_it_compiles(cluster)
        cluster.signal(1, signal.SIGTERM)
        assert cluster.wait(120) == [42, 42], cluster.errors
    (step,) = steps_of(tmp_path)
    assert step <= 5


def test_a_signal_during_an_evaluation_is_heeded_after_it(words, tmp_path):
    scored = ("--config.evaluate.metrics=('recognised:digits',)", "--config.evaluate.samples=100")
    with started(words, tmp_path, 100_000, *scored, "--config.evaluate.at_start=True") as cluster:
        wait_for(lambda: (tmp_path / "samples/0000000000.png").exists())  # what comes next is the evaluation
        cluster.signal(0, signal.SIGTERM)
        assert cluster.wait(60) == [42], cluster.errors
    (step,) = steps_of(tmp_path)
    assert f"stopped at step {step} of 100000, saved" in cluster.errors[0]
    assert os.listdir(tmp_path / "evaluations") == ["0000000000.json"]
