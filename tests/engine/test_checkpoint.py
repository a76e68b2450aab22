"""Checkpoints: what is saved comes back, and what does not fit or is damaged is a sentence."""

import contextlib
import json
import os
import resource
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import FORMAT, Checkpoints, DamagedError
from gan_jax.engine.checksum import checksums
from gan_jax.errors import UserError
from tests.engine import games

ZERO = ((".*", "largest"),)
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of TensorStore's threads


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


def test_meta_says_what_was_saved(born, saved):
    meta = json.loads((saved / "checkpoints/5/meta/metadata").read_text())
    assert (meta["format"], meta["step"], meta.keys()) == (FORMAT, 5, {"format", "step", "arrays"})
    assert len(meta["arrays"]) == len(jax.tree.leaves(born))
    kernel = born.params["toA"]["Dense_0"]["kernel"]
    assert meta["arrays"]["params/toA/Dense_0/kernel"] == f"float32[8, 8] {int(checksums(kernel)):08x}"
    assert meta["arrays"]["aux/seen"] == f"int32[] {int(checksums(born.aux['seen'])):08x}"


def rewrite_meta(workdir, change, step=5):
    path = workdir / f"checkpoints/{step}/meta/metadata"
    meta = json.loads(path.read_text())
    change(meta)
    path.write_text(json.dumps(meta))


def test_a_newer_format_is_named_and_older_steps_are_not_tried(saved):
    rewrite_meta(saved, lambda meta: meta.update(format=FORMAT + 1))
    for use in (lambda checkpoints: checkpoints.restore(target_on(1), 5), lambda c: c.newest(target_on(1))):
        with (
            Checkpoints(saved) as checkpoints,
            pytest.raises(UserError, match=f"has format {FORMAT + 1}; this version of gan_jax reads up to {FORMAT}"),
        ):
            use(checkpoints)


def test_what_does_not_fit_is_refused_without_trying_older_steps(saved):
    other = games.two_against_two(networks={**games.two_against_two().networks, "toA": games.network(9)})
    with Checkpoints(saved) as checkpoints, pytest.raises(UserError, match="checkpoints/5 does not fit"):
        checkpoints.newest(target_on(1, recipe=other))


def test_a_checkpoint_without_checksums_is_read_and_not_called_verified(born, tmp_path):
    """Format 1 had no checksums, and the state did not count skipped updates."""
    tree = {name: value for name, value in vars(born).items() if name != "skipped"}
    with Checkpoints(tmp_path) as checkpoints:
        items = {"state": ocp.args.StandardSave(tree), "meta": ocp.args.JsonSave({"format": 1, "step": 5})}
        checkpoints.manager.save(5, args=ocp.args.Composite(**items), force=True)
        checkpoints.wait()
        target = target_on(4, ZERO)
        found = checkpoints.newest(target)
    assert_same(found.state, born)
    assert found.state.skipped.sharding.is_equivalent_to(target.skipped.sharding, 0)
    assert (found.step, found.verified, found.damaged) == (5, False, {})


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path, position=0.5):
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 1
    path.write_bytes(content)


def of_arrays(step, act):
    """Does something to all files that hold arrays."""
    paths = list((step / "state").rglob("d/*"))
    assert paths
    for path in paths:
        act(path)


def another_checksum(step):
    rewrite_meta(step.parent.parent, lambda meta: meta["arrays"].update({"step": "int32[] ffffffff"}))


def another_name(step):
    path = step / "state/_METADATA"
    path.write_text(path.read_text().replace("penalties", "penaltiez"))


DAMAGE = {
    "no meta": lambda step: shutil.rmtree(step / "meta"),
    "empty meta": lambda step: (step / "meta/metadata").write_text(""),
    "meta of something else": lambda step: (step / "meta/metadata").write_text('{"step": 5}'),
    "meta without checksums": lambda step: rewrite_meta(step.parent.parent, lambda meta: meta.pop("arrays")),
    "another checksum in meta": another_checksum,
    "no state": lambda step: shutil.rmtree(step / "state"),
    "no list of arrays": lambda step: (step / "state/_METADATA").unlink(),
    "half a list of arrays": lambda step: truncate(step / "state/_METADATA"),
    "an empty list of arrays": lambda step: (step / "state/_METADATA").write_text(""),
    "another name in the list of arrays": another_name,
    "no manifest": lambda step: (step / "state/manifest.ocdbt").unlink(),
    "a bit of the manifest": lambda step: flip(step / "state/manifest.ocdbt"),
    "a bit of the data files": lambda step: of_arrays(step, flip),
    "half of the data files": lambda step: of_arrays(step, truncate),
    "empty data files": lambda step: of_arrays(step, lambda path: path.write_bytes(b"")),
    "no data files": lambda step: of_arrays(step, lambda path: path.unlink()),
    "nothing": lambda step: (shutil.rmtree(step), step.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_sentence_and_the_one_before_is_the_newest(born, saved, damage, capfd):
    DAMAGE[damage](saved / "checkpoints/5")
    with Checkpoints(saved, read_only=True) as checkpoints:
        with pytest.raises(DamagedError, match="checkpoints/5 is damaged") as caught:
            checkpoints.restore(target_on(1), 5)
        found = checkpoints.newest(target_on(4, ZERO))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert_same(found.state, born)
    assert (found.step, found.verified, found.damaged.keys()) == (3, True, {5})
    assert found.damaged[5][:100] == str(caught.value)[:100]
    assert "Traceback" not in capfd.readouterr().err
    assert sorted(os.listdir(saved / "checkpoints")) == ["3", "5"]  # reading sets nothing aside


@pytest.mark.parametrize("position", [0.03, 0.35, 0.65, 0.97])
def test_a_flipped_bit_anywhere_gives_what_was_saved_or_is_damage(born, saved, position):
    """Orbax does not notice one in the numbers: it returns wrong ones."""
    step = saved / "checkpoints/5"
    names = [path.relative_to(step) for path in step.rglob("*") if path.is_file()]
    assert len(names) > 5
    damaged = 0
    for name in names:
        content = (step / name).read_bytes()
        if not content:
            continue
        flip(step / name, position)
        try:
            assert_same(restore(saved, target_on(1), read_only=True), born)
        except DamagedError:
            damaged += 1
        (step / name).write_bytes(content)
    assert damaged >= 3
    assert_same(restore(saved, target_on(1)), born)


def test_all_damaged_is_an_error_that_names_each_and_changes_nothing(saved):
    for step in (3, 5):
        (saved / f"checkpoints/{step}/state/manifest.ocdbt").unlink()
    with (
        Checkpoints(saved, read_only=True) as checkpoints,
        pytest.raises(UserError, match="no checkpoint can be used") as e,
    ):
        checkpoints.newest(target_on(1))
    assert not isinstance(e.value, DamagedError)
    assert "checkpoints/5 is damaged" in str(e.value)
    assert "checkpoints/3 is damaged" in str(e.value)
    assert e.value.exit_code == 1
    assert sorted(os.listdir(saved / "checkpoints")) == ["3", "5"]


def test_without_a_checkpoint_there_is_no_newest(tmp_path):
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.newest(target_on(1)) is None


def test_a_damaged_attempt_leaves_no_arrays_behind(saved):
    """Else the step before would need room for two states."""
    another_checksum(saved / "checkpoints/5")
    before = len(jax.live_arrays())
    with Checkpoints(saved, read_only=True) as checkpoints:
        found = checkpoints.newest(target_on(1))
    assert len(jax.live_arrays()) - before <= len(jax.tree.leaves(found.state)) + 2


def test_what_is_set_aside_is_kept_and_in_nobodys_way(born, saved):
    with Checkpoints(saved, read_only=True) as checkpoints:
        assert checkpoints.set_aside(5).name == "damaged-5"
    with Checkpoints(saved, keep=2) as checkpoints:
        assert checkpoints.latest() == 3
        checkpoints.save(born, 5)
    with Checkpoints(saved, read_only=True) as checkpoints:
        assert checkpoints.set_aside(5).name == "damaged-5-2"
    with Checkpoints(saved, keep=2) as checkpoints:
        for step in (5, 6):
            checkpoints.save(born, step)
    assert sorted(os.listdir(saved / "checkpoints")) == ["5", "6", "damaged-5", "damaged-5-2"]
    assert_same(restore(saved, target_on(1), 6), born)


def test_a_step_that_cannot_be_renamed_is_a_sentence(saved, monkeypatch):
    def refused(self, place):
        raise NotImplementedError("no renaming here")

    with Checkpoints(saved, read_only=True) as checkpoints:
        monkeypatch.setattr(type(checkpoints.folder), "rename", refused)
        with pytest.raises(UserError, match="5 is damaged and cannot be renamed .*no renaming here.*: move it away"):
            checkpoints.set_aside(5)


def test_a_missing_step_is_a_sentence(saved):
    with pytest.raises(DamagedError, match="checkpoints/99 is damaged"):
        restore(saved, target_on(1), step=99)


def test_a_place_that_cannot_be_written_is_a_sentence(born, tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(UserError, match="could not be written"), Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(born, 1)


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
            for _ in range(600):  # a loop notices soon, and does not wait for it
                checkpoints.check()
                time.sleep(0.1)
            pytest.fail("it does not notice")
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
