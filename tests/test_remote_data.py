"""Data in a bucket: prepared there by `gan-jax prepare --out=gs://...`, and trained on from there.

A storage server of this process is asked over HTTP: by gcsfs where it is installed (the extra `gcs`), elsewhere by a
stand-in with its name, and for records by the client within ArrayRecord.
"""

import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from etils import epath
from etils.epath import backend
from ml_collections import ConfigDict
from PIL import Image

from gan_jax import main
from gan_jax.data import manifest, preparation
from gan_jax.data.collection import open_collection
from gan_jax.data.preparation import Preparation
from gan_jax.data.prepared import PreparedSource
from gan_jax.data.shard import Options, ShardWriter, Stopped, Task
from gan_jax.data.source import Batch, open_source
from gan_jax.data.whole import put_json
from gan_jax.errors import ConfigError, UserError
from gan_jax.preset import resolve
from tests.buckets import served
from tests.data_room.pictures import SIZE, Pictures, pixels

SET = epath.Path("gs://bucket/sets/small")
SAME_SIZE = Options(SIZE, 3)
SPLITS = {"train": 8}
SHARDS = [f"images-train.array_record-0000{number}-of-00002" for number in range(2)]
FINISHED = ["dataset_info.json", "features.json", *SHARDS, "label.labels.txt", "manifest.json"]


@pytest.fixture(scope="module")
def server():
    with served("CLOUD_STORAGE_EMULATOR_ENDPOINT") as (storage, _):
        yield storage


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """The server, empty but for what the test does; half shards would be found in `tmp_path`/temporary."""
    monkeypatch.setattr(preparation, "SHARD_IMAGES", 4)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    backend.fsspec_backend.fs("gs://bucket").invalidate_cache()  # gcsfs remembers listings
    yield server
    assert not list((tmp_path / "temporary").iterdir())
    server.forbidden = None
    server.objects.clear()


@pytest.fixture
def prepared(bucket):
    """A finished set of one split, written by this process."""
    work = Preparation(Pictures(SPLITS), SAME_SIZE, SET)
    write_shards(work)
    assert work.finish() is not None
    return bucket


def write_shards(work, numbers=(0, 1), tick=lambda: None):
    for number in numbers:
        ShardWriter(Pictures(SPLITS), SAME_SIZE, SET, tick).write(work._tasks[number])


def names(storage):
    return [name.removeprefix("sets/small/") for name in storage.names("bucket")]


def opened(source, resolution=SIZE):
    return open_source(ConfigDict({"source": source, "resolution": resolution, "channels": 3, "memory": 0}))


def assert_all(found: Batch, count: int):
    np.testing.assert_array_equal(found["image"], [pixels("train", number) for number in range(count)])
    np.testing.assert_array_equal(found["label"], [number % 3 for number in range(count)])


def png(array) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def test_the_command_prepares_a_folder_into_a_bucket_by_worker_processes(bucket, tmp_path, capsys):
    for number in range(8):
        path = tmp_path / "photos" / "abc"[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels("train", number)))
    words = ["prepare", f"--source=folder:{tmp_path}/photos", f"--resolution={SIZE}", f"--out={SET}", "--workers=1"]
    assert main.main(words) == 0
    assert names(bucket) == FINISHED
    assert f"--config.data.source=prepared:{SET} --config.data.resolution={SIZE}" in capsys.readouterr().out
    source = opened(f"prepared:{SET}")
    found = source.read(np.arange(8))
    order = np.random.RandomState(0).permutation(8)  # of what is sorted by class
    by_class = [number for kind in range(3) for number in range(kind, 8, 3)]
    np.testing.assert_array_equal(found["image"], [pixels("train", by_class[i]) for i in order])
    np.testing.assert_array_equal(found["label"], [by_class[i] % 3 for i in order])
    assert source.class_names == ("a", "b", "c")

    with pytest.raises(ConfigError, match=f"^--out is {SET}, which holds a finished data set already"):
        main.main(words)
    main.main(["inspect", f"--data=prepared:{SET}", "--out=gs://bucket/sets/small/sheet.png", "--json"])
    assert json.loads(capsys.readouterr().out)["splits"]["train"]["images"] == 8
    assert Image.open(io.BytesIO(bucket.objects["bucket", "sets/small/sheet.png"].content)).format == "PNG"


def test_a_set_in_a_bucket_is_that_of_a_folder_byte_for_byte(prepared, tmp_path):
    local = Preparation(Pictures(SPLITS), SAME_SIZE, tmp_path / "set")
    for task in local._tasks:
        ShardWriter(Pictures(SPLITS), SAME_SIZE, tmp_path / "set", lambda: None).write(task)
    assert local.finish() == manifest.read(SET)
    assert names(prepared) == FINISHED == sorted(path.name for path in (tmp_path / "set").iterdir())
    for name in FINISHED:
        content = prepared.objects["bucket", f"sets/small/{name}"].content
        assert content == (tmp_path / "set" / name).read_bytes()


def test_every_image_is_read_from_a_bucket_in_any_order(prepared):
    source = opened(f"prepared:{SET}:train")
    assert_all(source.read(np.arange(8)), 8)
    assert_all({leaf: values[::-1] for leaf, values in source.read(np.arange(8)[::-1]).items()}, 8)
    np.testing.assert_array_equal(source[5]["image"], pixels("train", 5))


def test_a_preparation_goes_on_with_the_missing_shard_alone(bucket):
    work = Preparation(Pictures(SPLITS), SAME_SIZE, SET)
    write_shards(work, [1])
    with pytest.raises(ConfigError, match="preparation has not finished: run the same"):
        opened(f"prepared:{SET}")
    again = Preparation(Pictures(SPLITS), SAME_SIZE, SET)
    assert (again.missing(), next(again.run(1, lambda: False)), again.finish()) == (1, 4, None)
    with pytest.raises(ConfigError, match=r"--crop: biggan, but gs://bucket/sets/small was begun with center"):
        Preparation(Pictures(SPLITS), Options(SIZE, 3, crop="biggan"), SET)
    before = bucket.objects["bucket", f"sets/small/{SHARDS[1]}"].generation
    for _ in again.run(1, lambda: False):
        pass
    assert again.finish() is not None
    assert bucket.objects["bucket", f"sets/small/{SHARDS[1]}"].generation == before
    assert_all(opened(f"prepared:{SET}").read(np.arange(8)), 8)


def test_a_shard_that_is_cut_short_or_has_no_report_is_not_finished(bucket):
    work = Preparation(Pictures(SPLITS), SAME_SIZE, SET)
    write_shards(work)
    bucket.put("bucket", f"sets/small/{SHARDS[0]}", b"cut")
    del bucket.objects["bucket", f"sets/small/preparing/{SHARDS[1]}.json"]
    again = Preparation(Pictures(SPLITS), SAME_SIZE, SET)
    assert (again.missing(), again.finish()) == (2, None)


def test_hosts_share_a_bucket_and_the_last_one_finishes(bucket):
    first, second = (Preparation(Pictures(SPLITS), SAME_SIZE, SET, (host, 2)) for host in range(2))
    write_shards(first, [0])
    assert (first.finish(), first.missing()) == (None, 1)
    write_shards(second, [1])
    assert second.finish() == first.finish() == manifest.read(SET)
    assert names(bucket) == FINISHED


def test_a_shard_that_is_given_up_leaves_nothing(bucket):
    work = Preparation(Pictures(SPLITS), SAME_SIZE, SET)

    def stop():
        assert list(Path(tempfile.gettempdir()).rglob(SHARDS[0])), "records do not grow among the temporary files"
        raise Stopped

    with pytest.raises(Stopped):
        write_shards(work, [0], stop)
    assert names(bucket) == ["preparing/options.json"]


def test_a_place_in_a_bucket_that_holds_something_else_is_refused(bucket):
    bucket.put("bucket", "sets/small/thesis.txt", b"years of work")
    with pytest.raises(ConfigError, match=r"^--out is gs://bucket/sets/small, which holds something else"):
        Preparation(Pictures(SPLITS), SAME_SIZE, SET)
    assert names(bucket) == ["thesis.txt"]


@pytest.mark.parametrize("change", ["missing", "short"])
def test_a_shard_that_is_missing_or_short_is_named(prepared, change):
    if change == "missing":
        del prepared.objects["bucket", f"sets/small/{SHARDS[1]}"]
    else:
        prepared.put("bucket", f"sets/small/{SHARDS[1]}", b"cut")
    words = "is missing" if change == "missing" else "has 3 bytes, expected "
    with pytest.raises(UserError, match=f"^{SET}/{SHARDS[1]} {words}"):
        opened(f"prepared:{SET}")


def test_there_is_no_set(bucket):
    with pytest.raises(ConfigError, match=r"^gs://bucket/none holds no prepared data set"):
        opened("prepared:gs://bucket/none")


@pytest.mark.parametrize("place", ["folder:gs://bucket/photos", "zip:gs://bucket/photos.zip"])
def test_images_are_read_straight_from_a_bucket(bucket, place):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(8):
            name, content = f"{'abc'[number % 3]}/{number}.png", png(pixels("train", number))
            bucket.put("bucket", f"photos/{name}", content)
            file.writestr(name, content)
    bucket.put("bucket", "photos.zip", archive.getvalue())
    source = opened(place)
    assert (len(source), source.class_names) == (8, ("a", "b", "c"))
    found = source.read(np.arange(8))
    by_class = [number for kind in range(3) for number in range(kind, 8, 3)]
    np.testing.assert_array_equal(found["image"], [pixels("train", number) for number in by_class])
    np.testing.assert_array_equal(found["label"], [number % 3 for number in by_class])


@pytest.mark.parametrize("trouble", [401, 403, 404])
def test_an_image_of_a_bucket_that_is_out_of_reach_is_never_taken_for_a_damaged_one(bucket, tmp_path, trouble):
    for number in range(4):
        bucket.put("bucket", f"photos/{number}.png", png(pixels("train", number)))
    origin = open_collection("folder", "gs://bucket/photos")
    if trouble == 404:
        del bucket.objects["bucket", "photos/2.png"]
    else:
        bucket.forbidden = trouble
    writer = ShardWriter(origin, Options(SIZE, 3, on_damaged="skip"), tmp_path, lambda: None)
    with pytest.raises(
        UserError, match=r"^image .\.png of train in folder:gs://bucket/photos cannot be opened .*goes on"
    ):
        writer.write(Task("train", 0, 1, 0, 4))


USES = {
    "begin": lambda: Preparation(Pictures(SPLITS), SAME_SIZE, SET),
    "shard": lambda: ShardWriter(Pictures(SPLITS), SAME_SIZE, SET, lambda: None).write(Task("train", 0, 2, 0, 4)),
    "open": lambda: opened(f"prepared:{SET}"),
    "folder": lambda: opened("folder:gs://bucket/sets/small"),
    "split": lambda: opened("folder:gs://bucket/sets/small:test"),
    "zip": lambda: opened("zip:gs://bucket/sets/small"),
}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("use", USES)
def test_a_refusing_store_is_a_sentence(bucket, use, status):
    bucket.forbidden = status
    with pytest.raises(
        UserError, match=r"does not have storage.objects.get access.*credentials|there is no folder"
    ) as caught:
        USES[use]()
    assert str(SET) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_store_that_refuses_while_a_preparation_goes_on_is_a_sentence(bucket):
    work = Preparation(Pictures(SPLITS), SAME_SIZE, SET)
    write_shards(work)
    bucket.forbidden = 401
    for use in (work.missing, work.finish, lambda: list(work.run(1, lambda: False))):
        with pytest.raises(UserError, match=r"^gs://bucket/sets/small cannot be .*credentials"):
            use()


def test_a_store_that_refuses_shards_or_records_is_a_sentence(prepared):
    described, source = manifest.read(SET), opened(f"prepared:{SET}")
    prepared.forbidden = 401
    with pytest.raises(UserError, match=rf"^{SET}/{SHARDS[0]} cannot be read .*credentials"):
        PreparedSource(str(SET), "train", described)
    with pytest.raises(
        UserError, match=rf"^record 0 of {SET}/{SHARDS[0]} is out of reach or damaged .*storage.objects.get"
    ):
        source[0]


def test_a_missing_bucket_is_a_sentence(bucket):
    with pytest.raises(ConfigError, match=r"^gs://other/set cannot be written .*see also that the bucket exists"):
        Preparation(Pictures(SPLITS), SAME_SIZE, epath.Path("gs://other/set"))


@pytest.mark.parametrize("use", USES)
def test_a_missing_client_is_a_sentence_that_says_what_to_install(bucket, monkeypatch, use):
    def missing(*_):
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(backend._FileSystemSpecBackend, "fs", missing)
    with pytest.raises(UserError, match=r"Please install gcsfs.*pip install 'gan-jax\[gcs\]'$"):
        USES[use]()


def test_json_on_disk_is_replaced_whole(tmp_path):
    put_json(tmp_path / "a.json", {"one": 1})
    with pytest.raises(TypeError):
        put_json(tmp_path / "a.json", {"one": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"one": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_preset_prepares_into_a_bucket_and_finds_it_there(bucket, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(
            png(np.random.RandomState(number).randint(0, 256, (16, 16, 3), np.uint8))
        )
    for said in ("preparing folder:", "lies prepared in"):
        config = resolve(f"folder:{tmp_path}", "r1", prepared=SET)
        assert config.data.source == f"prepared:{SET}"
        assert said in capsys.readouterr().err
    assert "manifest.json" in names(bucket)
    assert not (tmp_path / "gs:").exists()
