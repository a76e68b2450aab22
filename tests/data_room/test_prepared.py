"""Training on a prepared set: what is read, what is refused at the start, and what damage costs."""

import pickle
import threading

import ml_collections
import numpy as np
import pytest

from gan_jax.data import preparation, prepared, records
from gan_jax.data.preparation import Preparation
from gan_jax.data.shard import Options
from gan_jax.data.source import DAMAGED_IN_A_ROW, CachedSource, open_source
from gan_jax.errors import ConfigError, UserError
from tests.data_room.pictures import SIZE, Pictures, pixels

COUNT = 120
SHARDS = 4
SIDE = 40  # so that a shard has several blocks of 64 KiB


@pytest.fixture(autouse=True)
def nothing_in_memory(monkeypatch):
    monkeypatch.setattr("gan_jax.data.source.MEMORY", 0)


def make(folder, resolution=SIZE, count=COUNT, **origin):
    before, preparation.SHARD_IMAGES = preparation.SHARD_IMAGES, count // SHARDS
    work = Preparation(Pictures({"train": count, "test": 5}, **origin), Options(resolution, 3), folder)
    for _ in work.run(1, lambda: False):
        pass
    preparation.SHARD_IMAGES = before
    return work.finish()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "set"
    make(folder)
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large") / "set"
    make(folder, SIDE)
    return folder


@pytest.fixture
def copy(large, tmp_path):
    """A copy of the set with larger images, to damage."""
    for path in large.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def open_prepared(folder, resolution=SIZE, channels=3):
    fields = {"source": f"prepared:{folder}", "resolution": resolution, "channels": channels}
    return open_source(ml_collections.ConfigDict(fields))


def shard(folder, number=1):
    return folder / f"images-train.array_record-{number:05d}-of-{SHARDS:05d}"


def test_every_image_comes_back_with_its_label_in_any_order(made):
    source = open_prepared(made)
    assert (len(source), source.image_shape, source.class_names) == (COUNT, (12, 12, 3), ("ant", "bee", "cat"))
    assert not source.decodes
    indices = np.random.RandomState(0).permutation(COUNT)
    batch = source.read(np.concatenate([indices, indices[:9]]))
    expected = np.stack([pixels("train", index) for index in (*indices, *indices[:9])])
    np.testing.assert_array_equal(batch["image"], expected)
    np.testing.assert_array_equal(batch["label"][:COUNT], indices % 3)
    assert batch["label"].dtype == np.int32
    example = source[50]
    np.testing.assert_array_equal(example["image"], pixels("train", 50))
    assert (example["label"], example["label"].dtype, source.damaged) == (2, np.int32, {})


def test_a_split_by_name_and_what_tells_sets_apart(made):
    test = open_prepared(f"{made}:test")
    np.testing.assert_array_equal(test.read(np.arange(5))["image"], [pixels("test", index) for index in range(5)])
    train = open_prepared(f"{made}:train")
    assert train.identity == open_prepared(made).identity != test.identity
    with pytest.raises(ConfigError, match=r"has no split 'val': expected one of \['test', 'train'\]"):
        open_prepared(f"{made}:val")


def test_label_vectors_and_no_labels(tmp_path):
    make(tmp_path / "vectors", class_names=("odd", "number"), label_dim=2)
    source = open_prepared(tmp_path / "vectors")
    assert (source.num_classes, source.label_dim) == (2, 2)
    np.testing.assert_array_equal(source.read(np.array([7, 2]))["label"], np.array([[1, 7], [0, 2]], np.float32))
    assert source.read(np.array([7]))["label"].dtype == np.float32
    make(tmp_path / "none", class_names=())
    assert (open_prepared(tmp_path / "none").num_classes, open_prepared(tmp_path / "none")[3]["label"]) == (0, -1)


def test_a_small_set_is_kept_in_memory(made, monkeypatch):
    monkeypatch.setattr("gan_jax.data.source.MEMORY", 1)
    source = open_prepared(made)
    assert isinstance(source, CachedSource)
    assert source.identity == open_prepared(made).identity
    np.testing.assert_array_equal(source[8]["image"], pixels("train", 8))


def test_threads_and_other_processes_may_read(made):
    source = open_prepared(made)
    wrong = []

    def read(seed):
        for indices in np.array_split(np.random.RandomState(seed).permutation(COUNT), 6):
            found = source.read(indices)["image"]
            wrong.extend(
                index for index, image in zip(indices, found, strict=True) if (image != pixels("train", index)).any()
            )

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again.read(np.arange(4))["image"], source.read(np.arange(4))["image"])


def test_no_shard_is_opened_at_the_start_and_each_only_once(made, monkeypatch):
    opened = []
    monkeypatch.setattr(records, "reader", lambda path, real=records.reader: opened.append(path) or real(path))
    source = open_prepared(made)
    assert not opened
    for _ in range(3):
        source.read(np.arange(COUNT))
    assert len(opened) == len(set(opened)) == SHARDS


@pytest.mark.parametrize(
    ("resolution", "channels", "words"),
    [
        (24, 3, "config.data.resolution is 24, .* prepared with 12: set config.data.resolution to 12"),
        (12, 1, "config.data.channels is 1, .* prepared with 3: set config.data.channels to 3"),
    ],
)
def test_another_shape_is_refused_with_what_to_set(made, resolution, channels, words):
    with pytest.raises(ConfigError, match=words):
        open_prepared(made, resolution, channels)


def test_a_folder_that_is_none_and_one_that_is_not_finished_are_told_apart(tmp_path):
    with pytest.raises(ConfigError, match="holds no prepared data set"):
        open_prepared(tmp_path / "none")
    Preparation(Pictures(), Options(SIZE, 3), tmp_path / "begun")
    with pytest.raises(ConfigError, match="has not finished: run the same `gan-jax prepare` command again"):
        open_prepared(tmp_path / "begun")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), r"00001-of-00004 is missing: restore it"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), r"00001-of-00004 has [\d,]+ bytes, expected [\d,]+"),
        (lambda path: path.write_bytes(b""), r"00001-of-00004 has 0 bytes, expected"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), r"has [\d,]+ bytes, expected"),
    ],
    ids=["missing", "cut", "emptied", "longer"],
)
def test_a_shard_that_is_not_as_it_was_is_found_at_the_start(copy, damage, words):
    damage(shard(copy))
    with pytest.raises(UserError, match=words):
        open_prepared(copy, SIDE)


@pytest.mark.parametrize("place", [64, 80, 1000, 65536, 65550, 131072, 140_000])
def test_a_flipped_bit_costs_one_image_which_is_named_and_replaced(copy, large, place):
    content = bytearray(shard(copy).read_bytes())
    content[place] ^= 4
    shard(copy).write_bytes(content)
    source, whole = open_prepared(copy, SIDE), open_prepared(large, SIDE).read(np.arange(COUNT))
    batch = source.read(np.arange(COUNT))
    (index,) = source.damaged
    per_shard = COUNT // SHARDS
    assert f"record {index - per_shard} of {shard(copy)} is damaged" in source.damaged[index]
    expected = np.arange(COUNT)
    expected[index] = index + 1
    for leaf in ("image", "label"):
        np.testing.assert_array_equal(batch[leaf], whole[leaf][expected])


@pytest.mark.parametrize("what", ["noise", "zeros", "index"])
def test_a_shard_of_the_right_size_but_with_other_content_is_no_crash_and_no_image(copy, what):
    path = shard(copy, 3)
    content = bytearray(path.read_bytes())
    if what == "index":
        content[-65536] ^= 1
    else:
        content = np.random.RandomState(0).bytes(len(content)) if what == "noise" else bytes(len(content))
    path.write_bytes(content)
    source = open_prepared(copy, SIDE)
    assert source.read(np.arange(90))["image"].shape == (90, SIDE, SIDE, 3)
    assert not source.damaged
    last = COUNT - DAMAGED_IN_A_ROW + 1  # the first image comes after the last
    np.testing.assert_array_equal(source.read(np.array([last, 5]))["image"][0], source[0]["image"])
    with pytest.raises(UserError, match=r"10 examples in a row are damaged; record .*00003-of-00004 is damaged"):
        source.read(np.array([90]))


def test_a_record_of_something_else_is_damage_too(copy, monkeypatch):
    writer = records.writer(str(shard(copy)))
    for _ in range(COUNT // SHARDS):
        writer.write(bytes(10 + SIDE * SIDE * 3))
    writer.close()
    monkeypatch.setattr(prepared, "_check", lambda path, described: None)  # whose size is another
    with pytest.raises(UserError, match="in a row are damaged"):
        open_prepared(copy, SIDE).read(np.array([COUNT // SHARDS]))
