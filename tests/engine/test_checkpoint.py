"""Checkpoints: what is saved comes back, and what does not fit or is damaged is a sentence."""

import contextlib
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import FORMAT, Checkpoints
from gan_jax.errors import UserError
from tests.engine import games

ROOT = Path(__file__).resolve().parent.parent.parent
ZERO = ((".*", "largest"),)


def target_on(devices: int, rules=(), recipe=None) -> state.State:
    return state.abstract(recipe or games.two_against_two(), sharding.data_mesh(devices), rules)


@pytest.fixture(scope="module")
def born() -> state.State:
    return state.born(games.two_against_two(), target_on(4, ZERO), seed=7)


@pytest.fixture
def saved(born, tmp_path):
    """A workdir with checkpoints of steps 3 and 5."""
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(born, 3)
        checkpoints.save(born, 5)
    return tmp_path


def assert_same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def restore(workdir, target, step=5, **options):
    with Checkpoints(workdir, **options) as checkpoints:
        return checkpoints.restore(target, step)


@pytest.mark.parametrize(("devices", "rules"), [(1, ()), (4, ()), (4, ZERO)])
def test_a_state_comes_back_in_the_shardings_asked_for(born, saved, devices, rules):
    target = target_on(devices, rules)
    restored = restore(saved, target)
    assert_same(restored, born)
    for leaf, wanted in zip(jax.tree.leaves(restored), jax.tree.leaves(target), strict=True):
        assert leaf.dtype == wanted.dtype
        assert leaf.sharding.is_equivalent_to(wanted.sharding, leaf.ndim)
    if rules:
        assert not restored.params["toA"]["Dense_0"]["kernel"].sharding.is_fully_replicated


def test_reduced_precision_survives(tmp_path):
    recipe = games.two_against_two(aux=lambda: {"seen": jnp.bfloat16(1.5), "penalties": jnp.uint8(200)})
    target = target_on(1, recipe=recipe)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state.born(recipe, target, 0), 1)
    restored = restore(tmp_path, target, 1)
    assert (restored.aux["seen"].dtype, restored.aux["penalties"].dtype) == (jnp.bfloat16, jnp.uint8)
    assert (restored.aux["seen"], restored.aux["penalties"]) == (1.5, 200)


def test_saving_returns_before_the_files_are_there_and_leaving_waits(born, tmp_path):
    """The arrays may be donated right after `save`: what is written is what they were then."""
    state_now = jax.tree.map(jnp.copy, born)
    kernel = np.asarray(state_now.params["toA"]["Dense_0"]["kernel"])
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state_now, 1)
        jax.jit(lambda tree: jax.tree.map(lambda x: x * 0, tree), donate_argnums=0)(state_now)
        checkpoints.wait()
        assert checkpoints.latest() == 1
        checkpoints.save(born, 2)
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["1", "2"]
    np.testing.assert_array_equal(restore(tmp_path, target_on(1), 1).params["toA"]["Dense_0"]["kernel"], kernel)


def test_a_save_in_progress_is_not_the_latest(born, tmp_path, monkeypatch):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(born, 1)
        checkpoints.wait()
        monkeypatch.setattr(checkpoints.manager, "all_steps", lambda read=False: [1] if read else [1, 2])
        assert checkpoints.latest() == 1


def test_only_the_newest_are_kept(born, tmp_path):
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        assert checkpoints.latest() is None
        for step in (1, 2, 3, 4):
            checkpoints.save(born, step)
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["3", "4"]


def test_the_same_step_twice_keeps_the_first(born, saved):
    with Checkpoints(saved) as checkpoints:
        checkpoints.save(jax.tree.map(lambda x: x * 0, born), 5)
    assert_same(restore(saved, target_on(1)), born)


def test_reading_touches_nothing(born, saved, tmp_path):
    """Else sampling would sweep away the half-written checkpoint of a run in progress."""
    half = saved / "checkpoints" / "7.orbax-checkpoint-tmp"
    half.mkdir()
    with Checkpoints(saved, read_only=True) as checkpoints:
        assert checkpoints.latest() == 5
        checkpoints.restore(target_on(1), 5)
    assert half.exists()
    (tmp_path / "other").mkdir()
    with Checkpoints(tmp_path / "other", read_only=True) as checkpoints:
        assert checkpoints.latest() is None
    assert not list((tmp_path / "other").iterdir())
    with Checkpoints(saved) as checkpoints:
        checkpoints.save(born, 8)
    assert not half.exists()  # who writes clears up


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": {"toA": games.network(9)}}, r"has float32\[8\] as .*toA/.*bias, expected float32\[9\]"),
        ({"networks": {"new": games.network(1)}}, r"has nothing as params/new/.*, expected float32\[1\]"),
        ({"ema": None}, r"has float32\[\] as ema/toA/counter/calls, expected nothing"),
        ({"aux": {"seen": jnp.float32(0)}}, r"has int32\[\] as aux/seen, expected float32\[\] \(1 of"),
    ],
)
def test_what_does_not_fit_is_named(saved, change, message):
    game = games.two_against_two()
    if "networks" in change:
        change = {"networks": {**game.networks, **change["networks"]}}
    if "aux" in change:
        change = {"aux": lambda aux=change["aux"]: {**game.aux(), **aux}}
    with pytest.raises(UserError, match=message) as caught:
        restore(saved, target_on(1, recipe=games.two_against_two(**change)))
    assert "checkpoints/5 does not fit this config" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_newer_format_is_named(saved):
    meta = saved / "checkpoints/5/meta/metadata"
    assert json.loads(meta.read_text()) == {"format": FORMAT, "step": 5}
    meta.write_text(json.dumps({"format": FORMAT + 1, "step": 5}))
    with pytest.raises(UserError, match=f"has format {FORMAT + 1}; this version of gan_jax reads up to {FORMAT}"):
        restore(saved, target_on(1))


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE = {
    "no meta": lambda step: shutil.rmtree(step / "meta"),
    "empty meta": lambda step: (step / "meta/metadata").write_text(""),
    "meta of something else": lambda step: (step / "meta/metadata").write_text('{"step": 5}'),
    "no state": lambda step: shutil.rmtree(step / "state"),
    "no list of arrays": lambda step: (step / "state/_METADATA").unlink(),
    "half a list of arrays": lambda step: truncate(step / "state/_METADATA"),
    "no manifest": lambda step: (step / "state/manifest.ocdbt").unlink(),
    "half of all data files": lambda step: [truncate(path) for path in (step / "state").rglob("d/*")],
    "no data files": lambda step: [path.unlink() for path in (step / "state").rglob("d/*")],
    "nothing": lambda step: (shutil.rmtree(step), step.mkdir()),
}


@pytest.fixture
def muted(monkeypatch):
    """Ends with the test what otherwise lasts until the process ends."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    level = logging.getLogger("asyncio").level
    yield
    logging.getLogger("asyncio").setLevel(level)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.usefixtures("muted")
def test_damage_is_one_sentence_and_the_one_before_still_restores(born, saved, damage, capfd):
    step = saved / "checkpoints/5"
    DAMAGE[damage](step)
    with pytest.raises(UserError, match="checkpoints/5 is damaged .*move this folder away") as caught:
        restore(saved, target_on(1))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    step.rename(saved / "moved_away")
    with Checkpoints(saved) as checkpoints:
        assert checkpoints.latest() == 3
        assert_same(checkpoints.restore(target_on(1), 3), born)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.usefixtures("muted")
def test_a_missing_step_is_a_sentence(saved):
    with pytest.raises(UserError, match="checkpoints/99 is damaged"):
        restore(saved, target_on(1), step=99)


@pytest.mark.usefixtures("muted")
def test_a_place_that_cannot_be_written_is_a_sentence(born, tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(UserError, match="could not be written"), Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(born, 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("muted")
def test_a_full_disk_is_a_sentence_and_older_checkpoints_stay(tmp_path, capfd):
    """A limit on the size of a file stands for the full disk: neither lets the arrays be written."""
    big = games.two_against_two(aux=lambda: {"noise": jax.random.bits(jax.random.key(0), (1_000_000,))})
    target = target_on(1, recipe=big)
    full = state.born(big, target, 0)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(full, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
        refused = pytest.raises(UserError, match="could not be written.*free some space")
        with refused as caught, Checkpoints(tmp_path) as checkpoints:
            checkpoints.save(full, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err
    with reopened(tmp_path) as checkpoints:
        assert checkpoints.latest() == 1
        assert_same(checkpoints.restore(target, 1), full)
        checkpoints.save(full, 2)  # there is room again
    assert_same(restore(tmp_path, target, 2), full)


def reopened(folder) -> Checkpoints:
    """Checkpoints once the threads of a failed save have ended; a new process, as in life, does not meet them."""
    for _ in range(20):
        with contextlib.suppress(UserError):
            return Checkpoints(folder)
        time.sleep(0.5)
    return Checkpoints(folder)


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
    assert restore(tmp_path, target_on(1, recipe=games.regression()), 1).step == 0
