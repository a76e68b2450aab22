"""Training straight from image files: examples, splits, memory, and a sentence for what cannot be opened."""

import pickle
import zipfile

import ml_collections
import numpy as np
import pytest
from PIL import Image

from gan_jax.data.file_source import FileSource
from gan_jax.data.source import CachedSource, open_source
from gan_jax.errors import ConfigError, UserError


def picture(width=12, height=8, seed=0):
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8))


def save(path, image=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or picture()).save(path)
    return path


def open_files(path, word="folder", **fields):
    section = {"source": f"{word}:{path}", "resolution": 8, "channels": 3, **fields}
    return open_source(ml_collections.ConfigDict(section))


def test_subfolders_are_classes_and_examples_are_numbered_by_class_and_name(tmp_path):
    for name in ("dog/2.png", "dog/1.JPG", "cat/x.webp", "cat/y.jpeg", "ant/a.PNG"):
        save(tmp_path / name)
    (tmp_path / "cat/notes.txt").write_text("not an image, and not said to be one")
    (tmp_path / ".cache").mkdir()
    source = open_files(tmp_path)
    assert isinstance(source, CachedSource)
    assert source.class_names == ("ant", "cat", "dog")
    batch = source.read(np.arange(5))
    np.testing.assert_array_equal(batch["label"], [0, 1, 1, 2, 2])
    assert (batch["image"].shape, batch["label"].dtype) == ((5, 8, 8, 3), np.int32)
    first_dog = np.asarray(Image.open(tmp_path / "dog/1.JPG"))[:, 2:10]
    np.testing.assert_array_equal(batch["image"][3], first_dog)


def test_a_flat_folder_is_unlabelled(tmp_path):
    save(tmp_path / "b.png", picture(8, 8, 1))
    save(tmp_path / "a.png", picture(8, 8, 2))
    source = open_files(tmp_path)
    assert (len(source), source.num_classes, source[0]["label"]) == (2, 0, -1)
    np.testing.assert_array_equal(source[0]["image"], np.asarray(picture(8, 8, 2)))


def test_a_large_folder_is_decoded_on_demand_by_workers_that_have_copies(tmp_path, monkeypatch):
    monkeypatch.setattr("gan_jax.data.source.MEMORY", 0)
    save(tmp_path / "a.png", picture(8, 8))
    source = open_files(tmp_path)
    assert isinstance(source, FileSource)
    assert source.decodes
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy.read(np.array([0, 0]))["image"][1], np.asarray(picture(8, 8)))
    assert copy.identity == source.identity


def test_archives_and_label_vectors_are_read_alike(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for seed in range(2):
            archive.write(save(tmp_path / f"{seed}.png", picture(8, 8, seed)), f"00000/img{seed:08d}.png")
        archive.writestr(
            "dataset.json", '{"labels": [["00000/img00000000.png", [1, 0.5]], ["00000/img00000001.png", [0, 2]]]}'
        )
    batch = open_files(tmp_path / "set.zip", "zip").read(np.arange(2))
    assert batch["label"].dtype == np.float32
    np.testing.assert_array_equal(batch["label"], [[1, 0.5], [0, 2]])
    np.testing.assert_array_equal(batch["image"][1], np.asarray(picture(8, 8, 1)))


def test_a_split_follows_the_path(tmp_path):
    save(tmp_path / "train/1.png", picture(8, 8, 1))
    save(tmp_path / "Val/2.png", picture(8, 8, 2))
    for argument, seed in (("", 1), (":train", 1), (":val", 2), (":validation", 2)):
        np.testing.assert_array_equal(open_files(f"{tmp_path}{argument}")[0]["image"], np.asarray(picture(8, 8, seed)))
    assert open_files(tmp_path).identity != open_files(f"{tmp_path}:val").identity
    with pytest.raises(ConfigError, match=r"config\.data\.source.*has no split 'test': expected one of .*validation"):
        open_files(f"{tmp_path}:test")


def test_a_path_with_a_colon_that_exists_has_no_split(tmp_path):
    save(tmp_path / "run:test/1.png")
    assert len(open_files(tmp_path / "run:test")) == 1
    assert len(open_files(f"{tmp_path / 'run:test'}:train")) == 1


def test_the_crop_is_the_configs(tmp_path):
    save(tmp_path / "a.png", picture(11, 8))
    left = [np.asarray(picture(11, 8))[:, start : start + 8] for start in (1, 2)]
    np.testing.assert_array_equal(open_files(tmp_path, crop="center")[0]["image"], left[0])
    np.testing.assert_array_equal(open_files(tmp_path, crop="biggan")[0]["image"], left[1])
    with pytest.raises(ConfigError, match=r"config\.data\.crop is 'round': expected one of center, biggan"):
        open_files(tmp_path, crop="round")


def test_an_image_too_small_for_the_crop_is_replaced_and_noted(tmp_path):
    save(tmp_path / "a.png", picture(4, 4))
    save(tmp_path / "b.png", picture(8, 6))
    source = open_files(tmp_path, crop="center-crop-wide")
    batch = source.read(np.arange(2))
    np.testing.assert_array_equal(batch["image"][0], batch["image"][1])
    assert "a.png has 4 x 4 pixels, too few" in source.damaged[0]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.data\.source.*no folder .*nowhere"):
        open_files(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"config\.data\.source is 'zip:.*no file .*nowhere"):
        open_files(tmp_path / "nowhere", "zip")


def test_a_file_is_no_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"no folder .*a.png"):
        open_files(save(tmp_path / "a.png"))


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} holds no PNG, JPEG, WebP"):
        open_files(tmp_path)


def test_an_empty_class_folder_is_named(tmp_path):
    save(tmp_path / "cat/a.png")
    (tmp_path / "dog").mkdir()
    with pytest.raises(UserError, match=r"class folder .*dog holds no PNG, JPEG"):
        open_files(tmp_path)


def test_the_folder_above_the_data_set_is_passed_through(tmp_path):
    save(tmp_path / "photos/train/cat/a.png")
    assert open_files(tmp_path).class_names == ("cat",)


def test_images_beside_class_folders_are_refused(tmp_path):
    save(tmp_path / "cat/a.png")
    save(tmp_path / "stray.png")
    with pytest.raises(UserError, match=r"stray\.png.*beside folders.*cat"):
        open_files(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_truncated_image_is_named(tmp_path, suffix):
    path = save(tmp_path / f"cut.{suffix}", picture(64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"cut\.{suffix} cannot be read as an image"):
        open_files(tmp_path).read(np.array([0]))


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    (tmp_path / "text.png").write_bytes(content)
    with pytest.raises(UserError, match=r"text\.png cannot be read as an image"):
        open_files(tmp_path)[0]


def test_a_file_that_vanished_is_named(tmp_path):
    path = save(tmp_path / "gone.png")
    source = open_files(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=r"gone\.png cannot be read"):
        source[0]
