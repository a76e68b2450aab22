"""Worker processes read what the pipeline itself would, end with it, and are named when they fail."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from gan_jax.data import workers as workers_module
from gan_jax.data.pipeline import Pipeline
from gan_jax.data.prefetch import prefetch
from gan_jax.data.source import ArraySource
from gan_jax.data.workers import Workers, number_of_workers
from gan_jax.errors import ConfigError, UserError

IMAGES = np.random.RandomState(0).randint(0, 256, (300, 8, 8, 3)).astype(np.uint8)
SECTION = {"labels": "index", "num_classes": 0, "flip": True, "random_crop": 1}


def pipeline(**options):
    return Pipeline(ArraySource("pixels", IMAGES, np.arange(300) % 7), SECTION, seed=3, **options)


@pytest.fixture
def two_workers():
    workers = Workers(pipeline(), 2)
    yield workers
    workers.close()
    assert not processes()


def processes():
    return [child for child in multiprocessing.active_children() if child.name.startswith("grain")]


def assert_equal(batch, expected):
    for leaf, values in expected.items():
        np.testing.assert_array_equal(batch[leaf], values)
        assert batch[leaf].dtype == values.dtype


def test_workers_read_the_batches_of_the_pipeline_in_order_and_start_anew_after_a_jump(two_workers, monkeypatch):
    monkeypatch.setattr(workers_module, "PIECE", 16)  # so that a batch is made of several pieces
    reads = [(0, (2, 2, 24)), (96, (1, 2, 24)), (144, (3, 2, 24)), (1000, (1, 1, 30))]
    for position, shape in reads:
        assert_equal(two_workers.read(position, shape), pipeline().read(position, shape))


def test_the_workers_of_a_process_read_its_share(monkeypatch):
    half = pipeline(share=(1, 2))
    workers = Workers(half, 1)
    assert_equal(workers.read(10, (2, 1, 20)), half.read(10, (2, 1, 20)))
    workers.close()


def test_a_killed_worker_is_an_error_within_seconds(two_workers):
    two_workers.read(0, (1, 1, 64))
    processes()[0].kill()
    started = time.monotonic()
    with pytest.raises(UserError, match="a data worker has died"):
        two_workers.read(64, (100, 1, 64))
    assert time.monotonic() - started < 10


def test_a_stuck_worker_is_an_error_after_the_timeout(two_workers):
    def read(batch):
        if batch == 1:
            os.kill(processes()[0].pid, signal.SIGSTOP)
        return two_workers.read(64 * batch, (1, 1, 64))

    batches = prefetch(read, ((batch,) for batch in range(100)), timeout=3)
    with pytest.raises(UserError, match=r"no batch has come for 3 seconds \(config\.data\.timeout\)"):
        list(batches)


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = textwrap.dedent("""
        import multiprocessing, os, sys
        import numpy as np
        from gan_jax.data.pipeline import Pipeline
        from gan_jax.data.source import ArraySource
        from gan_jax.data.workers import Workers
        if __name__ == "__main__":
            section = {"labels": "index", "num_classes": 0, "flip": False, "random_crop": 0}
            source = ArraySource("zeros", np.zeros((64, 8, 8, 3), np.uint8))
            workers = Workers(Pipeline(source, section, seed=0), 2)
            workers.read(0, (1, 1, 256))
            print(*[child.pid for child in multiprocessing.active_children()], flush=True)
            os.kill(os.getpid(), 9)
    """)
    (tmp_path / "parent.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, str(tmp_path / "parent.py")]
    output = subprocess.run(command, env=environment, capture_output=True, text=True).stdout
    pids = [int(pid) for pid in output.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_the_interrupt_key_leaves_workers_alone(two_workers):
    two_workers.read(0, (2, 1, 64))  # a piece of each, so both are at work
    for process in processes():
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(process.pid, number)
    assert_equal(two_workers.read(128, (8, 1, 64)), pipeline().read(128, (8, 1, 64)))


def test_the_number_of_workers_follows_source_and_machine(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(16))
    plain = pipeline()
    assert number_of_workers(plain, None) == 0
    plain.source.decodes = True
    assert number_of_workers(plain, None) == 16
    assert number_of_workers(plain, 3) == 3
    assert number_of_workers(plain, 0) == 0
    for wrong in (-1, 2.5, True):
        with pytest.raises(ConfigError, match=r"config\.data\.workers"):
            number_of_workers(plain, wrong)
