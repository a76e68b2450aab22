"""Labels of a few images: which ones keep theirs, and how often they are read."""

import pickle

import numpy as np
import pytest

from gan_jax.data.labelled import labelled
from gan_jax.data.pipeline import Pipeline
from gan_jax.data.source import ArraySource, CachedSource, Source
from gan_jax.data.workers import Workers
from gan_jax.errors import ConfigError

COUNT, CLASSES = 90, 3
# Image i shows i; a third of the images of each class, in no order.
LABELS = np.random.RandomState(7).permutation(COUNT) % CLASSES
IMAGES = np.arange(COUNT, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 1), np.uint8)
SOURCE = ArraySource("numbers", IMAGES, LABELS, "abc")
PLAIN = {"labels": "index", "num_classes": CLASSES, "flip": False, "random_crop": 0, "labelled": 5, "labelled_seed": 0}


def read(count, source=SOURCE, seed=0, share=(0, 1), start=0, **section):
    """(number shown, label) of `count` examples."""
    batch = Pipeline(source, {**PLAIN, **section}, seed=seed, share=share).read(start, (1, 1, count))
    return batch["image"][0, 0, :, 0, 0, 0], batch["label"][0, 0]


def test_so_many_of_each_class_keep_their_label_and_no_others():
    numbers, labels = read(COUNT)
    assert np.bincount(labels[labels >= 0]).tolist() == [5, 5, 5]
    assert (labels == -1).sum() == COUNT - 15
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels[labels >= 0], LABELS[numbers[labels >= 0]])
    np.testing.assert_array_equal(np.sort(numbers), np.arange(COUNT), "images without a label are read all the same")


def test_the_choice_is_by_its_own_seed_alone():
    def chosen(**fields):
        return set(np.flatnonzero(labelled(SOURCE, {**PLAIN, **fields})))

    assert chosen() == chosen()
    assert chosen() != chosen(labelled_seed=1)
    assert chosen() < chosen(labelled=6), "more labels are the same ones and others"
    assert chosen(labelled=30) == set(range(COUNT))
    assert labelled(SOURCE, {**PLAIN, "labelled": None}) is None
    for seed in (0, 1):
        numbers, labels = read(COUNT, seed=seed)
        assert set(numbers[labels >= 0]) == chosen()


def test_the_choice_is_the_same_in_every_release():
    kept = np.flatnonzero(labelled(SOURCE, {**PLAIN, "labelled": 1}))
    order = np.random.RandomState(0).permutation(COUNT)
    assert set(kept) == {next(i for i in order if LABELS[i] == k) for k in range(CLASSES)}


def test_vectors_of_images_without_a_label_are_zeros():
    numbers, labels = read(COUNT, labels="vector")
    assert labels.dtype == np.float32
    assert labels.sum() == 15
    known = labels.any(1)
    np.testing.assert_array_equal(labels[known].argmax(1), LABELS[numbers[known]])


def test_half_of_the_batch_are_labelled_images_each_as_often_as_the_others():
    numbers, labels = read(600, labelled_half=True)
    first, second = numbers[::2], numbers[1::2]
    assert (labels[::2] >= 0).all()
    assert np.bincount(first)[np.flatnonzero(np.bincount(first))].tolist() == [20] * 15
    assert (np.diff(first[:30]) != 0).any()
    plain, _ = read(300)
    np.testing.assert_array_equal(second, plain, "the other half is the stream that it always was")


def test_halves_are_alike_however_they_are_read():
    options = {"labelled_half": True, "flip": True, "random_crop": 1}
    images = np.random.RandomState(0).randint(0, 256, (COUNT, 4, 4, 1)).astype(np.uint8)
    source = ArraySource("pixels", images, LABELS, "abc")
    pipeline = Pipeline(source, {**PLAIN, **options}, seed=3)
    whole = pipeline.read(0, (1, 1, 48))
    tail = pickle.loads(pickle.dumps(pipeline)).read(16, (2, 1, 16))
    parts = [Pipeline(source, {**PLAIN, **options}, seed=3, share=(i, 2)).read(0, (1, 1, 48)) for i in (0, 1)]
    for leaf in ("image", "label"):
        np.testing.assert_array_equal(tail[leaf].reshape(32, *whole[leaf].shape[3:]), whole[leaf][0, 0, 16:])
        np.testing.assert_array_equal(np.concatenate([part[leaf] for part in parts], 2), whole[leaf])
    with pytest.raises(ConfigError, match="labelled_half is True, but each of 2 processes reads 5 images.*even"):
        Pipeline(source, {**PLAIN, **options}, seed=3, share=(0, 2)).read(0, (1, 1, 10))


@pytest.mark.slow
def test_worker_processes_hide_the_same_labels():
    pipeline = Pipeline(SOURCE, {**PLAIN, "labelled_half": True}, seed=3)
    workers = Workers(pipeline, 2)
    found = workers.read(6, (1, 1, 40))
    workers.close()
    for leaf, values in pipeline.read(6, (1, 1, 40)).items():
        np.testing.assert_array_equal(found[leaf], values)


def test_labels_are_known_without_reading_twice():
    decoded = []

    class Decoded(Source):
        name, image_shape, class_names = "decoded", (2, 2, 1), ("a", "b", "c")

        def __len__(self):
            return COUNT

        def __getitem__(self, index):
            decoded.append(index)
            return SOURCE[index]

    np.testing.assert_array_equal(Decoded().all_labels(), LABELS)
    decoded.clear()
    read(COUNT, CachedSource(Decoded()))
    assert sorted(decoded) == list(range(COUNT))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"labelled": 31}, r"labelled is 31, but numbers has 30 images of the class 'a': expected at most"),
        ({"labelled": 0}, r"labelled is 0: expected a number of images of each class, or None"),
        ({"labelled": True}, r"labelled is True: expected a number"),
        ({"labelled": None, "labelled_half": True}, r"labelled_half is True, but config\.data\.labelled is None"),
    ],
)
def test_nonsense_is_a_sentence(fields, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read(1, **fields)


def test_data_without_numbered_classes_are_a_sentence():
    class Stream(ArraySource):
        exact = False

    for source, sentence in (
        (ArraySource("pixels", IMAGES), "pixels has no labels"),
        (ArraySource("attributes", IMAGES, np.eye(COUNT, 3)), "attributes has several labels for each image"),
        (Stream("stream", IMAGES, LABELS, "abc"), "stream is read as a stream.*gan-jax prepare"),
    ):
        with pytest.raises(ConfigError, match=rf"config\.data\.labelled is 5, but {sentence}"):
            read(1, source, labels="vector" if source.label_dim else "index", num_classes=0)
