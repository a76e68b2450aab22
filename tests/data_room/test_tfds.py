"""Sets of TensorFlow Datasets, prepared on the spot in both file formats."""

import pathlib
import pickle
import subprocess
import sys

import ml_collections
import numpy as np
import pytest
import tensorflow_datasets as tfds

from gan_jax.data.source import open_source
from gan_jax.data.tfds_source import RecordSource
from gan_jax.data.tfds_stream import StreamSource
from gan_jax.errors import ConfigError, UserError

COUNT = 12


class TinyPictures(tfds.core.GeneratorBasedBuilder):
    """Twelve images of one colour, 10 x 12 pixels; image i has class i % 2."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["even", "odd"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(COUNT):
            yield str(number), {"image": np.full((10, 12, 3), number * 20, np.uint8), "label": number % 2}


class TinyTexts(TinyPictures):
    """No images at all."""

    def _info(self):
        features = {"label": tfds.features.ClassLabel(names=["even", "odd"])}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _generate_examples(self):
        yield "0", {"label": 0}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder of each file format."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("array_record", "tfrecord")}
    for name, folder in folders.items():
        TinyPictures(data_dir=folder, file_format=name).download_and_prepare()
    return folders


def section(source, folder, resolution=8, channels=3, memory=1):
    fields = {
        "source": source,
        "resolution": resolution,
        "channels": channels,
        "tfds_dir": str(folder),
        "memory": memory,
    }
    return ml_collections.ConfigDict(fields)


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
def test_both_formats_give_every_image_with_its_class(prepared, file_format):
    source = open_source(section("tfds:tiny_pictures", prepared[file_format]))
    assert (len(source), source.image_shape, source.class_names) == (COUNT, (8, 8, 3), ("even", "odd"))
    batch = source.read(np.arange(COUNT))
    colours = batch["image"].reshape(COUNT, -1)
    assert (colours == colours[:, :1]).all()
    assert sorted(colours[:, 0]) == [20 * number for number in range(COUNT)]
    np.testing.assert_array_equal(batch["label"], colours[:, 0] // 20 % 2)
    again = open_source(section("tfds:tiny_pictures", prepared[file_format]))
    np.testing.assert_array_equal(again.read(np.arange(COUNT))["image"], batch["image"])


def test_a_part_of_a_split_in_grey(prepared):
    source = open_source(section("tfds:tiny_pictures:train[:25%]", prepared["array_record"], 4, 1))
    assert (len(source), source[2]["image"].shape) == (3, (4, 4, 1))


def test_a_large_set_of_array_records_is_read_at_random(prepared):
    source = open_source(section("tfds:tiny_pictures", prepared["array_record"], memory=0))
    assert isinstance(source, RecordSource)
    assert source[3]["image"].shape == (8, 8, 3)
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[3]["image"], source[3]["image"])


def test_a_large_tfrecord_set_is_an_endless_stream_of_all_its_images(prepared):
    source = open_source(section("tfds:tiny_pictures", prepared["tfrecord"], memory=0))
    assert isinstance(source, StreamSource)
    assert (len(source), source.image_shape, source.class_names) == (COUNT, (8, 8, 3), ("even", "odd"))
    batches = [source.read(np.arange(5)) for _ in range(3 * COUNT // 5 + 1)]
    numbers = np.concatenate([batch["image"][:, 0, 0, 0] for batch in batches]) // 20
    np.testing.assert_array_equal(np.concatenate([batch["label"] for batch in batches]), numbers % 2)
    assert (np.bincount(numbers[:COUNT], minlength=COUNT) == 1).all(), "an epoch as small as the buffer is exact"
    assert numbers[:COUNT].tolist() != numbers[COUNT : 2 * COUNT].tolist()
    with pytest.raises(UserError, match=r"read as a stream, which has no numbered examples.*gan-jax prepare"):
        source[0]


def test_array_records_are_read_without_tensorflow(prepared):
    code = (
        "import sys, ml_collections\n"
        "from gan_jax.data.source import open_source\n"
        "fields = dict(source='tfds:tiny_pictures', resolution=8, channels=3, tfds_dir=sys.argv[1])\n"
        "print(open_source(ml_collections.ConfigDict(fields))[0]['image'].shape, 'tensorflow' in sys.modules)"
    )
    root = pathlib.Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", code, str(prepared["array_record"])]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.stdout == "(8, 8, 3) False\n", result.stderr


def test_a_set_that_is_not_prepared_gives_the_command_that_prepares_it(tmp_path):
    with pytest.raises(UserError, match=f"cifar10 is not prepared in {tmp_path}") as error:
        open_source(section("tfds:cifar10", tmp_path))
    code = str(error.value).split('"')[1]
    assert f"builder('cifar10', file_format='array_record', data_dir='{tmp_path}').download_and_prepare()" in code
    compile(code, "command", "exec")


@pytest.mark.parametrize("name", ["no_such_set", "cifar10/no_such_config", "two words"])
def test_an_unknown_name_is_refused_in_one_sentence(tmp_path, name):
    with pytest.raises(ConfigError, match=f"config.data.source is 'tfds:{name}'") as error:
        open_source(section(f"tfds:{name}", tmp_path))
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("split", ["test", "train[:", "train[:50%]+x"])
def test_an_unknown_split_is_refused_with_the_choices(prepared, split):
    with pytest.raises(ConfigError, match=r"has no split .*\['train'\]"):
        open_source(section(f"tfds:tiny_pictures:{split}", prepared["array_record"]))


def test_a_set_without_images_is_refused(tmp_path):
    TinyTexts(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    with pytest.raises(ConfigError, match=r"tiny_texts.*\['label'\].*expected images"):
        open_source(section("tfds:tiny_texts", tmp_path))


def test_a_damaged_record_is_named_and_replaced(tmp_path):
    TinyPictures(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    (file,) = tmp_path.rglob("*.array_record*")
    content = bytearray(file.read_bytes())
    content[content.index(b"PNG")] ^= 1
    file.write_bytes(content)
    source = open_source(section("tfds:tiny_pictures", tmp_path))
    batch = source.read(np.arange(COUNT))
    ((index, sentence),) = source.damaged.items()
    assert sentence.startswith(f"tfds:tiny_pictures/1.0.0:train: record {index} is damaged")
    np.testing.assert_array_equal(batch["image"][index], batch["image"][(index + 1) % COUNT])
