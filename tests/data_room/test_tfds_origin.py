"""Sets of TensorFlow Datasets as something to prepare: both file formats, and what is missing said in one sentence."""

import pickle
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from gan_jax.data.image import unusual
from gan_jax.data.tfds_origin import TfdsOrigin
from gan_jax.errors import ConfigError, UserError


class SmallPhotos(tfds.core.GeneratorBasedBuilder):
    """Images of one colour, 10 x 12 pixels: image i has class i % 2 in train, -1 in test; number 3 has an alpha channel."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, None)),
            "label": tfds.features.ClassLabel(names=["even", "odd"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(12, True), "test": self._generate_examples(5, False)}

    def _generate_examples(self, count, labelled):
        for number in range(count):
            image = np.full((10, 12, 4 if number == 3 else 3), number * 20, np.uint8)
            yield str(number), {"image": image, "label": number % 2 if labelled else -1}


class ManualPhotos(SmallPhotos):
    MANUAL_DOWNLOAD_INSTRUCTIONS = """manual_dir should contain
    photos.tar, from its site after registration."""

    def _split_generators(self, dl_manager):
        assert (dl_manager.manual_dir / "photos.tar").exists(), "photos.tar is missing"
        return super()._split_generators(dl_manager)


class RemotePhotos(SmallPhotos):
    def _split_generators(self, dl_manager):
        dl_manager.download("http://127.0.0.1:9/photos.zip")


class FloatPhotos(SmallPhotos):
    def _info(self):
        features = {"image": tfds.features.Image(shape=(None, None, 1), dtype=np.float32)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _generate_examples(self, count, labelled):
        yield "0", {"image": np.zeros((4, 4, 1), np.float32)}


def colours(origin, split, start, stop):
    """(name, label, colour) of items."""
    return [
        (item.name, item.label, np.asarray(item.open())[0, 0, 0].item()) for item in origin.items(split, start, stop)
    ]


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
def test_every_image_of_every_split_in_any_parts(tmp_path, file_format):
    SmallPhotos(data_dir=tmp_path, file_format=file_format).download_and_prepare()
    origin = pickle.loads(pickle.dumps(TfdsOrigin("tfds:small_photos", str(tmp_path))))
    assert (origin.name, origin.class_names, origin.label_dim) == ("tfds:small_photos", ("even", "odd"), 0)
    assert origin.splits == {"train": 12, "test": 5}
    whole = colours(origin, "train", 0, 12)
    assert sorted(colour for *_, colour in whole) == [20 * number for number in range(12)]
    assert all(label == colour // 20 % 2 for _, label, colour in whole)
    assert colours(origin, "train", 0, 5) + colours(origin, "train", 5, 12) == whole
    assert len({name for name, *_ in whole}) == 12
    assert {label for _, label, _ in colours(origin, "test", 0, 5)} == {-1}
    kinds = [unusual(item.open()) for item in origin.items("train", 0, 12)]
    assert (kinds.count("alpha"), kinds.count(None)) == (1, 11)


def test_a_set_that_is_not_there_is_downloaded_and_prepared_as_array_records(tmp_path):
    origin = TfdsOrigin("tfds:small_photos:1.0.0", str(tmp_path))
    assert len(colours(origin, "train", 0, 12)) == 12
    assert list((tmp_path / "small_photos/1.0.0").glob("*.array_record-*"))


def test_archives_that_are_fetched_by_hand_are_asked_for_with_their_place(tmp_path):
    with pytest.raises(UserError, match=rf"put its archives into {tmp_path}/downloads/manual .*photos\.tar") as error:
        TfdsOrigin("tfds:manual_photos", str(tmp_path))
    assert "\n" not in str(error.value)
    (tmp_path / "downloads/manual").mkdir(parents=True)
    (tmp_path / "downloads/manual/other.tar").touch()
    with pytest.raises(UserError, match=r"photos\.tar is missing.*downloads/manual"):
        TfdsOrigin("tfds:manual_photos", str(tmp_path))
    (tmp_path / "downloads/manual/photos.tar").touch()
    assert TfdsOrigin("tfds:manual_photos", str(tmp_path)).splits["train"] == 12


def test_imagenet_names_its_archives(tmp_path):
    with pytest.raises(UserError, match=r"ILSVRC2012_img_train\.tar and ILSVRC2012_img_val\.tar.*image-net\.org"):
        TfdsOrigin("tfds:imagenet2012", str(tmp_path))


def test_without_a_network_the_wait_is_short(tmp_path):
    began = time.monotonic()
    with pytest.raises(UserError, match=r"remote_photos could not be downloaded .*see to the network.*same command"):
        TfdsOrigin("tfds:remote_photos", str(tmp_path))
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("name", ["no_such_set", "small_photos/none", "small_photos:9.9.9", "two words"])
def test_an_unknown_set_is_refused_in_one_sentence(tmp_path, name):
    with pytest.raises(ConfigError, match=f"--source is 'tfds:{name}'") as error:
        TfdsOrigin(f"tfds:{name}", str(tmp_path))
    assert len(str(error.value)) < 400


def test_images_of_floats_are_refused_before_anything_is_read(tmp_path):
    FloatPhotos(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    with pytest.raises(ConfigError, match=r"float_photos.*\['image'\].*expected images of 8 or 16 bits"):
        TfdsOrigin("tfds:float_photos", str(tmp_path))


def test_a_damaged_record_of_the_set_is_named(tmp_path):
    SmallPhotos(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    (file,) = tmp_path.rglob("*train.array_record*")
    content = bytearray(file.read_bytes())
    content[content.index(b"PNG")] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"record \d+ of train in .* is damaged"):
        colours(TfdsOrigin("tfds:small_photos", str(tmp_path)), "train", 0, 12)
