"""Preparing a data set: what comes out, what is left out, and going on after whatever ended it."""

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gan_jax.data import manifest, preparation
from gan_jax.data.preparation import Preparation, plan
from gan_jax.data.shard import Options, ShardWriter, Task
from gan_jax.errors import ConfigError, UserError
from tests.data_room.pictures import SIZE, Pictures, pixels

ROOT = Path(__file__).resolve().parent.parent.parent
SAME_SIZE = Options(SIZE, 3)
BLOCKED = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name == "tensorflow" else find(name, *rest)
"""
READ = """
import sys, tensorflow_datasets as tfds
source = tfds.builder_from_directory(sys.argv[1]).as_data_source("train")
print(len(source), source[5]["image"].shape, source[5]["image"].dtype, source[5]["label"], source[5]["id"].decode())
"""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(preparation, "SHARD_IMAGES", 4)


def never():
    return False


def prepare(folder, origin=None, options=SAME_SIZE, workers=1, host=(0, 1)):
    work = Preparation(origin or Pictures(), options, folder, host)
    for _ in work.run(workers, never):
        pass
    return work.finish()


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder prepared without any interruption."""
    before, preparation.SHARD_IMAGES = preparation.SHARD_IMAGES, 4
    folder = tmp_path_factory.mktemp("whole") / "set"
    prepare(folder)
    preparation.SHARD_IMAGES = before
    return folder


def test_the_manifest_tells_what_there_is(whole):
    found = manifest.read(whole)
    assert (found.source, found.image_shape, found.class_names) == ("pictures", (12, 12, 3), ["ant", "bee", "cat"])
    assert {name: (split.count, len(split.shards)) for name, split in found.splits.items()} == {
        "train": (24, 6),
        "test": (6, 2),
    }
    assert found.splits["train"].class_counts == [8, 8, 8]
    assert found.splits["train"].hash != found.splits["test"].hash
    for split in found.splits.values():
        for shard in split.shards:
            assert (whole / shard.file).stat().st_size == shard.bytes
    assert not (whole / "preparing").exists()
    assert not list(whole.glob("*.partial"))


@pytest.mark.parametrize("blocked", ["", BLOCKED], ids=["with tensorflow", "without tensorflow"])
def test_tensorflow_datasets_alone_reads_the_folder(whole, blocked):
    command = [sys.executable, "-c", blocked + READ, str(whole)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "24 (12, 12, 3) uint8 2 005.png\n", done.stderr


def test_tensorflow_datasets_reads_every_pixel(whole):
    import tensorflow_datasets as tfds

    for split, count in Pictures().splits.items():
        source = tfds.builder_from_directory(whole).as_data_source(split)
        found = np.stack([source[index]["image"] for index in range(count)])
        np.testing.assert_array_equal(found, [pixels(split, index) for index in range(count)])


def test_the_content_hash_does_not_depend_on_workers_and_shards(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "SHARD_IMAGES", 10)
    found = prepare(tmp_path / "new", workers=2)
    assert len(found.splits["train"].shards) == 3
    assert found.content_hash == manifest.read(whole).content_hash


@pytest.mark.parametrize(
    "change",
    [{"splits": {"train": 23, "test": 6}}, {"class_names": ()}, {"splits": {"test": 24, "train": 6}}],
    ids=["fewer images", "no labels", "splits exchanged"],
)
def test_the_content_hash_tells_sets_apart(whole, tmp_path, change):
    assert prepare(tmp_path / "new", Pictures(**change)).content_hash != manifest.read(whole).content_hash


def test_label_vectors_and_sets_without_labels(tmp_path):
    import tensorflow_datasets as tfds

    found = prepare(tmp_path / "vectors", Pictures(class_names=("odd", "number"), label_dim=2))
    assert (found.label_dim, found.splits["test"].class_counts) == (2, [3, 5])
    source = tfds.builder_from_directory(tmp_path / "vectors").as_data_source("train")
    np.testing.assert_array_equal(source[5]["label"], np.array([1, 5], np.float32))
    found = prepare(tmp_path / "none", Pictures(class_names=()))
    assert found.splits["train"].class_counts == []
    assert "label" not in tfds.builder_from_directory(tmp_path / "none").info.features


@pytest.mark.parametrize("count", [0, 1, 4, 5, 1_281_167])
def test_the_plan_covers_every_image_once(count, monkeypatch):
    monkeypatch.undo()
    tasks = plan({"train": count}, 128 * 128 * 3)
    assert [task.start for task in tasks[1:]] == [task.stop for task in tasks[:-1]]
    assert (tasks[0].start, tasks[-1].stop) == (0, count)
    assert len({task.file for task in tasks}) == len(tasks) == tasks[0].shards
    sizes = [task.stop - task.start for task in tasks]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) * 128 * 128 * 3 < 150e6


def test_training_can_keep_all_shards_open(monkeypatch):
    monkeypatch.undo()
    assert len(plan({"train": 1_281_167}, 256 * 256 * 3)) <= 512


def test_damaged_images_end_the_preparation_by_name_and_what_is_done_is_kept(tmp_path):
    with pytest.raises(UserError, match=r"image 009\.png of train in pictures is damaged.*--on-damaged=skip"):
        prepare(tmp_path / "new", Pictures(damaged=(9,)))
    done = list((tmp_path / "new").glob("images-*"))
    assert len(done) >= 2
    assert prepare(tmp_path / "new") == prepare(tmp_path / "straight")
    assert not (tmp_path / "new/preparing").exists()


def test_after_a_damaged_image_the_shards_in_work_are_completed(tmp_path):
    with pytest.raises(UserError, match=r"000\.png of train"):
        prepare(tmp_path / "new", Pictures(damaged=(0,), seconds=0.03))
    assert list((tmp_path / "new").glob("images-train*-00001-of-*"))


def test_damaged_images_are_left_out_and_named_if_asked(tmp_path):
    options = Options(SIZE, 3, on_damaged="skip")
    found = prepare(tmp_path / "new", Pictures(damaged=(4, 5, 6, 7, 9)), options)
    train = found.splits["train"]
    assert (train.count, train.class_counts) == (19, [6, 6, 7])
    assert [shard.examples for shard in train.shards] == [4, 0, 3, 4, 4, 4]
    assert [name for name, _ in train.damaged] == ["004.png", "005.png", "006.png", "007.png", "009.png"]
    import tensorflow_datasets as tfds

    source = tfds.builder_from_directory(tmp_path / "new").as_data_source("train")
    assert [source[index]["id"] for index in (3, 4, 5)] == [b"003.png", b"008.png", b"010.png"]


def test_after_a_damaged_image_the_command_may_be_repeated_with_skip(tmp_path):
    origin = Pictures(damaged=(9,))
    with pytest.raises(UserError):
        prepare(tmp_path / "new", origin)
    assert prepare(tmp_path / "new", origin, Options(SIZE, 3, on_damaged="skip")).splits["train"].count == 23


@pytest.mark.parametrize("choice", ["convert", "skip", "fatal"])
def test_unusual_images_are_converted_left_out_or_refused(tmp_path, choice):
    options, origin = Options(SIZE, 3, on_unusual=choice), Pictures(alpha=(9,))
    if choice == "fatal":
        with pytest.raises(UserError, match=r"image 009\.png of train .* is not a plain 8-bit picture \(alpha\)"):
            prepare(tmp_path / "new", origin, options)
        return
    train = prepare(tmp_path / "new", origin, options).splits["train"]
    named = [["009.png", "alpha"]]
    assert (train.converted, train.skipped) == ((named, []) if choice == "convert" else ([], named))
    assert train.count == (24 if choice == "convert" else 23)


def test_an_image_that_is_out_of_reach_is_never_taken_for_a_damaged_one(tmp_path, monkeypatch):
    def out_of_reach(self, split, index):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Pictures, "draw", out_of_reach)
    (tmp_path / "preparing").mkdir()
    writer = ShardWriter(Pictures(), Options(SIZE, 3, on_damaged="skip"), tmp_path, lambda: None)
    with pytest.raises(UserError, match=r"000\.png .* cannot be opened .*No such file"):
        writer.write(Task("train", 0, 1, 0, 4))
    assert content(tmp_path) == {}


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, Options(8, 3), r"--resolution: 8, but .* was begun with 12"),
        ({}, Options(SIZE, 1), r"--channels: 1, .* with 3"),
        ({}, Options(SIZE, 3, crop="biggan"), r"--crop: biggan, .* with center"),
        ({}, Options(SIZE, 3, on_unusual="skip"), r"--on-unusual: skip, .* with convert"),
        ({"name": "others"}, SAME_SIZE, r"--source: others, .* with pictures"),
        ({"splits": {"train": 23}}, SAME_SIZE, r"splits of pictures: .*23.*24"),
    ],
)
def test_going_on_with_other_options_is_refused_by_name(tmp_path, change, options, words):
    Preparation(Pictures(), SAME_SIZE, tmp_path / "new")
    before = content(tmp_path)
    with pytest.raises(ConfigError, match=words):
        Preparation(Pictures(**change), options, tmp_path / "new")
    assert content(tmp_path) == before


def test_a_finished_set_is_never_overwritten(whole):
    before = content(whole)
    with pytest.raises(ConfigError, match="holds a finished data set already"):
        Preparation(Pictures(), SAME_SIZE, whole)
    assert content(whole) == before


def test_a_folder_of_something_else_is_refused_and_a_file_too(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="holds something else"):
        Preparation(Pictures(), SAME_SIZE, tmp_path)
    with pytest.raises(ConfigError, match="cannot be written"):
        Preparation(Pictures(), SAME_SIZE, tmp_path / "thesis.txt")
    assert list(content(tmp_path)) == ["thesis.txt"]


def test_hosts_share_the_work_and_the_last_one_finishes(whole, tmp_path):
    first = Preparation(Pictures(), SAME_SIZE, tmp_path / "new", (0, 2))
    second = Preparation(Pictures(), SAME_SIZE, tmp_path / "new", (1, 2))
    assert list(first.run(1, never))[-1] == first.total
    assert first.finish() is None
    assert first.missing() == 4
    assert not first.finished()
    assert list(second.run(1, never))[-1] == second.total
    assert first.total + second.total == 30
    found = second.finish()
    assert found == manifest.read(whole)
    assert first.finish() == found
    assert sorted(content(tmp_path / "new")) == sorted(content(whole))


def test_a_host_that_another_overtakes_while_finishing_does_not_mind(tmp_path, monkeypatch):
    work = Preparation(Pictures(), SAME_SIZE, tmp_path / "new")
    for _ in work.run(1, never):
        pass
    write, other = Preparation._write_metadata, Preparation(Pictures(), SAME_SIZE, tmp_path / "new")

    def overtaken(self, result):
        if self is work:
            assert other.finish() is not None
        write(self, result)

    monkeypatch.setattr(Preparation, "_write_metadata", overtaken)
    assert work.finish() == manifest.read(tmp_path / "new")


def test_asked_to_stop_the_workers_end_and_the_next_run_goes_on(whole, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    work = Preparation(Pictures(gate=str(gate), seconds=0.03), SAME_SIZE, tmp_path / "new")
    done = []

    def stop():
        if done and done[-1] >= 8:
            gate.unlink()  # opens the image that a worker waits for
            return True
        return False

    for count in work.run(1, stop):
        done.append(count)
    assert not multiprocessing.active_children()
    assert done[0] == 0
    assert len(list((tmp_path / "new").glob("images-*"))) == 2, "the shard in work was not given up"
    assert not list((tmp_path / "new").glob("*.partial"))
    assert work.finish() is None
    again = Preparation(Pictures(), SAME_SIZE, tmp_path / "new")
    assert next(again.run(1, never)) >= 8
    assert prepare(tmp_path / "new").content_hash == manifest.read(whole).content_hash


def test_a_killed_preparation_goes_on_to_the_same_content(whole, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    code = f"""
if __name__ == "__main__":
    from tests.data_room.test_preparation import Pictures, Preparation, SAME_SIZE, Path, never, preparation
    preparation.SHARD_IMAGES = 4
    for _ in Preparation(Pictures(gate={str(gate)!r}), SAME_SIZE, Path({str(tmp_path / "new")!r})).run(2, never):
        pass
"""
    (tmp_path / "run.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, str(tmp_path / "run.py")], env=environment, start_new_session=True)
    wait_until(lambda: len(list((tmp_path / "new/preparing").glob("images-*"))) >= 2 and partials(tmp_path))
    process.kill()
    process.wait()
    wait_until(lambda: not alive(process.pid))
    gate.unlink()
    left = partials(tmp_path)
    assert left, "nothing was in work when the process was killed"
    assert prepare(tmp_path / "new").content_hash == manifest.read(whole).content_hash
    assert content(tmp_path / "new").keys() == content(whole).keys()


def partials(folder):
    return list((folder / "new").glob("*.partial"))


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def alive(session):
    """Whether any process of a session runs: workers must not outlive their parent."""
    listing = subprocess.run(["ps", "-o", "stat=", "-s", str(session)], capture_output=True, text=True, check=False)
    return any(not line.startswith("Z") for line in listing.stdout.split())


def test_a_worker_that_is_killed_is_one_sentence(tmp_path):
    work = Preparation(Pictures(seconds=0.05), SAME_SIZE, tmp_path / "new")

    def kill():
        for worker in multiprocessing.active_children() if list((tmp_path / "new").glob("*.partial")) else ():
            os.kill(worker.pid, signal.SIGKILL)
        return False

    with pytest.raises(UserError, match="a worker process has died.*--workers"):
        list(work.run(1, kill))
    assert prepare(tmp_path / "new").splits["train"].count == 24


def test_a_full_disk_is_one_sentence_and_leaves_no_half_shard(tmp_path):
    """A limit on the size of files fails a write in the same place as a full disk does."""
    (tmp_path / "preparing").mkdir()
    writer = ShardWriter(Pictures(), Options(64, 3), tmp_path, lambda: None)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, before[1]))
    try:
        with pytest.raises(UserError, match=r"images-train.*cannot be written .*free some space") as error:
            writer.write(Task("train", 0, 1, 0, 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(error.value)
    assert content(tmp_path) == {}


def test_a_shard_that_was_cut_short_after_its_report_is_written_again(whole, tmp_path):
    work = Preparation(Pictures(), SAME_SIZE, tmp_path / "new")
    for _ in work.run(1, never):
        pass
    (tmp_path / "new" / work._tasks[1].file).write_bytes(b"cut")
    assert next(work.run(1, never)) == 26
    assert prepare(tmp_path / "new") == manifest.read(whole)


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1}', '{"format": 1, "splits": {"train": {}}}', "[]", "\x00"])
def test_a_damaged_manifest_is_one_sentence(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        manifest.read(tmp_path)


def test_a_manifest_of_a_newer_version_is_refused(whole, tmp_path):
    newer = json.loads((whole / "manifest.json").read_text()) | {"format": 2}
    (tmp_path / "manifest.json").write_text(json.dumps(newer))
    with pytest.raises(UserError, match="has format 2; this version of gan_jax reads format 1"):
        manifest.read(tmp_path)
