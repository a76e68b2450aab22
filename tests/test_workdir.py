"""The folder of a run: who may take it up, what is written into it, what is read from it."""

import json
import os
import re
import subprocess
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from gan_jax import __version__
from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.errors import ConfigError, UserError
from tests.engine.games import two_against_two


def config_of(*overrides):
    return configs.load("configs/biggan_digits.py:quick", overrides)


@pytest.fixture
def taken(tmp_path):
    workdirs.record(tmp_path / "run", config_of())
    return tmp_path / "run"


def content(folder) -> dict:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_new_or_empty_folder_may_be_taken_up(tmp_path):
    workdirs.check(tmp_path / "new" / "deep", config_of())
    assert not (tmp_path / "new").exists()
    workdirs.check(tmp_path, config_of())


def test_the_same_run_may_go_on(taken):
    workdirs.check(taken, config_of())
    workdirs.check(
        taken, config_of("mesh.shape=(4,)", "train.length=9 epochs", "report.every=7 steps", "evaluate.seed=3")
    )


def test_a_changed_config_is_refused_by_name_unless_accepted(taken):
    changed = config_of("players.generator.learning_rate=1.0", "seed=9")
    before = content(taken)
    with pytest.raises(ConfigError, match="--accept-changes") as caught:
        workdirs.check(taken, changed)
    for text in ("config.players.generator.learning_rate is 1.0 but 0.0005", "config.seed is 9 but 0"):
        assert text in str(caught.value)
    workdirs.check(taken, changed, accept_changes=True)
    assert content(taken) == before


def test_foreign_places_are_refused(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(ConfigError, match="is not empty and holds no run"):
        workdirs.check(tmp_path, config_of())
    with pytest.raises(ConfigError, match="is not empty and holds no run"):
        workdirs.check(tmp_path, config_of(), accept_changes=True)
    with pytest.raises(ConfigError, match="Not a directory"):
        workdirs.check(tmp_path / "photo.jpg", config_of())


def test_a_broken_config_json_is_a_sentence(taken):
    (taken / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="config.json is not valid JSON"):
        workdirs.check(taken, config_of())


def test_the_record_says_what_a_result_depends_on(taken):
    assert configs.changes(configs.read(taken), config_of()) == []
    environment = json.loads((taken / "environment.json").read_text())
    assert environment["gan_jax"] == __version__
    assert environment["packages"]["jax"] == jax.__version__
    assert environment["packages"].keys() >= {"jaxlib", "flax", "optax", "orbax-checkpoint", "ml-collections", "numpy"}
    assert (environment["backend"], environment["devices"], environment["processes"]) == ("cpu", 4, 1)
    assert environment["cores"] >= 1
    assert environment["git_commit"] is None or len(environment["git_commit"]) >= 12


def test_without_git_the_commit_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert workdirs.environment()["git_commit"] is None


def test_a_checkout_that_only_surrounds_the_package_has_not_its_commit(monkeypatch, tmp_path):
    def git(*words):
        identity = ("-c", "user.name=N", "-c", "user.email=E")
        subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True)

    module = tmp_path / "workdir.py"
    module.touch()
    monkeypatch.setattr(workdirs, "__file__", str(module))
    git("init")
    git("commit", "--allow-empty", "--message=nothing")
    assert workdirs.environment()["git_commit"] is None
    git("add", "workdir.py")
    assert workdirs.environment()["git_commit"].endswith("-dirty")
    git("commit", "--message=the package")
    assert re.fullmatch("[0-9a-f]{12}", workdirs.environment()["git_commit"])


def test_the_record_tells_flags_and_the_driver_of_a_gpu(monkeypatch, tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nprintf '580.95.05\\n580.95.05\\n'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XLA_FLAGS", "--xla_some")
    monkeypatch.delenv("LIBTPU_INIT_ARGS", raising=False)
    environment = workdirs.environment()
    assert (environment["driver"], environment["flags"]) == (None, {"XLA_FLAGS": "--xla_some"})
    assert environment["processor"]
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(platform="gpu", device_kind="NVIDIA H200")])
    assert workdirs.environment()["driver"] == "580.95.05"
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert workdirs.environment()["driver"] is None


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        workdirs.record(tmp_path / "file" / "run", config_of())


def test_the_newest_state_is_restored_and_nothing_written(taken):
    target = state.abstract(two_against_two(), sharding.data_mesh(4), ())
    assert workdirs.latest(taken) is None
    before = content(taken)
    with pytest.raises(ConfigError, match="has no checkpoint yet: train it first"):
        workdirs.restore(taken, target)
    assert content(taken) == before
    assert not (taken / "checkpoints").exists()
    newest = state.born(two_against_two(), target, 2)
    with Checkpoints(taken) as checkpoints:
        checkpoints.save(state.born(two_against_two(), target, 1), 9)
        checkpoints.save(newest, 10)
    assert workdirs.latest(taken) == 10
    jax.tree.map(np.testing.assert_array_equal, workdirs.restore(taken, target), newest)
