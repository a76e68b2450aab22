"""What goes wrong in one process of several: a loss that is not finite, an exception, a halt; and data that come late."""

import json
import signal

import numpy as np
import pytest

from tests.faults.processes import PLAIN, Cluster, wait_for

TINY = "--config=tests/faults/tiny.py"


def words(workdir, *more):
    return [TINY, *PLAIN, f"--workdir={workdir}", *more]


def lines_of(workdir) -> list[dict]:
    path = workdir / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def steps_of(workdir) -> list[int]:
    return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir() if path.name.isdecimal())


def test_what_is_not_finite_in_one_process_is_skipped_by_all(tmp_path):
    """Two processes skip the same updates that one does, and end with the same losses."""
    bad = ("--config.phases.bad=(2,3)", "--config.train.length=6 steps")
    for name, processes, devices in (("one", 1, 2), ("two", 2, 1)):
        with Cluster(processes, devices, words(tmp_path / name, *bad)) as cluster:
            assert cluster.wait() == [0] * processes, cluster.errors
        assert "step 4: an update that was not finite was skipped, in 2 steps in a row so far" in cluster.errors[0]
    one, two = lines_of(tmp_path / "one"), lines_of(tmp_path / "two")
    assert [line.get("skipped") for line in two] == [None, None, 1, 2, None, None]
    for name in ("generator/loss", "discriminator/gradient_norm_discriminator"):
        losses = np.array([[line[name] for line in lines] for lines in (one, two)], float)  # null is not a number
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
        assert np.isnan(losses[:, 2:4]).all() == name.startswith("discriminator")


def test_too_many_skipped_updates_end_all_with_the_last_good_checkpoint_kept(tmp_path):
    more = ("--config.phases.bad=(4,5,6,7,8,9)", "--config.train.max_skipped=3", "--config.train.length=20 steps")
    with Cluster(2, 1, words(tmp_path, *more, "--config.train.checkpoint_every=2 steps")) as cluster:
        codes = cluster.wait()
    assert codes[0] == 1, cluster.errors
    assert codes[1] not in (0, 42)
    assert "step 7: the updates of 3 steps in a row were not finite" in cluster.errors[0]
    assert "Traceback" not in cluster.errors[0]
    assert max(steps_of(tmp_path)) in (4, 6)  # skipped updates leave a state that is as good as before them


THROWS = """
    import gan_jax.train
    picture = gan_jax.train.picture
    def throwing(config, sampler, current, workdir):
        if int(current.step) > 0:
            raise RuntimeError("the disk of this machine is on fire")
        return picture(config, sampler, current, workdir)
    gan_jax.train.picture = throwing
"""


def test_an_exception_in_one_process_is_told_there_and_ends_all(tmp_path):
    more = ("--config.train.length=100000 steps", "--config.report.samples_every=5 steps")
    with Cluster(2, 1, words(tmp_path, *more), before={1: THROWS}) as cluster:
        codes = cluster.wait(90)
    assert codes[1] == 1
    assert "RuntimeError: the disk of this machine is on fire" in cluster.errors[1]
    assert codes[0] not in (0, 42)


def test_a_process_that_stands_still_is_given_up_by_the_others(tmp_path):
    """The limit without a sign of life is 10 seconds here."""
    with Cluster(2, 1, words(tmp_path, "--config.train.length=100000 steps")) as cluster:
        wait_for(lambda: len(lines_of(tmp_path)) >= 3)
        cluster.signal(1, signal.SIGSTOP)
        wait_for(lambda: cluster.processes[0].poll() is not None, 60)
        assert cluster.processes[0].returncode not in (0, 42)
        cluster.signal(1, signal.SIGKILL)
        cluster.wait(10)


LATE = """
    import time
    from gan_jax.data.pipeline import Pipeline
    read = Pipeline.read
    def late(self, position, shape):
        if position >= 16 * 8:
            time.sleep(6)
        return read(self, position, shape)
    Pipeline.read = late
"""


@pytest.mark.slow
def test_a_signal_while_waiting_for_data_is_heeded_when_they_come(tmp_path):
    with Cluster(1, 1, words(tmp_path, "--config.train.length=100000 steps"), before={0: LATE}) as cluster:
        wait_for(lambda: len(lines_of(tmp_path)) >= 7)
        cluster.signal(0, signal.SIGTERM)
        assert cluster.wait(40) == [42], cluster.errors
    (step,) = steps_of(tmp_path)
    assert 7 <= step <= 10
    assert f"stopped at step {step} of 100000, saved" in cluster.errors[0]


@pytest.mark.slow
def test_images_may_be_split_by_rows_between_processes(tmp_path):
    """Two processes that hold half of every image each read the same images, and train as one process does."""
    rows = ("--config.mesh.axes=('data','space')", "--config.mesh.shape=(1,-1)")
    for name, processes, more in (("one", 1, ()), ("two", 2, rows)):
        with Cluster(processes, 1, words(tmp_path / name, *more, "--config.train.length=4 steps")) as cluster:
            assert cluster.wait() == [0] * processes, cluster.errors
    for a, b in zip(lines_of(tmp_path / "one"), lines_of(tmp_path / "two"), strict=True):
        for name in ("generator/loss", "discriminator/loss", "discriminator/gradient_norm_discriminator"):
            assert b[name] == pytest.approx(a[name], rel=1e-4), (a["step"], name)
