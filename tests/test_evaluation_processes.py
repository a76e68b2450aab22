"""Two processes with two devices each score as one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_jax.processes import free_port

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import json, sys
import jax
from gan_jax import config as configs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.evaluation import Evaluation
from gan_jax.sampling import Options, Sampler

address, processes, index, cache = sys.argv[1:]
if int(processes) > 1:
    jax.distributed.initialize(address, int(processes), int(index))
metrics = "('frechet:digits','pr:digits','recognised:digits')"
words = ["evaluate.samples=90", "evaluate.batch=28", "evaluate.standing=2", f"evaluate.metrics={metrics}"]
config = configs.load("configs/biggan_digits.py:quick", [*words, f"evaluate.cache={cache}", "evaluate.reference_count=300"])
recipe, mesh = load(config), sharding.make_mesh(config.mesh)
assert mesh.size == 4
sampler = Sampler(recipe, mesh, config.evaluate.batch, Options(standing=config.evaluate.standing))
evaluation = Evaluation(config, recipe, mesh, sampler)
current = state.born(recipe, state.abstract(recipe, mesh, ()), 0)
for _ in range(2):  # the second time the reference lies in a file
    finish = evaluation.begin(current)
if jax.process_index() == 0:
    print(json.dumps({name: value for name, value in finish().items() if isinstance(value, float)}))
"""


def scores(processes: int, cache: Path) -> dict[str, float]:
    address = f"localhost:{free_port()}"
    flags = f"--xla_force_host_platform_device_count={4 // processes} --xla_backend_optimization_level=0"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, address, str(processes), str(index), str(cache)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for index in range(processes)
    ]  # fmt: skip
    try:
        ended = [process.communicate(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * processes, ended
    return json.loads(ended[0][0].splitlines()[-1])  # Gloo writes on stdout too


def test_two_processes_score_as_one(tmp_path):
    alone, together = scores(1, tmp_path / "one"), scores(2, tmp_path / "two")
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-6)
    assert set(alone) == {
        *("frechet_digits", "precision_digits", "recall_digits", "recognised_digits", "recognised_real_digits"),
    }
