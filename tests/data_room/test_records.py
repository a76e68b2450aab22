"""Records: raw pixels that come back as they were, in the form of TensorFlow Datasets."""

import numpy as np
import pytest

from gan_jax.data import records

SHAPE = (5, 4, 3)
LABELS = {"class": np.int32(1), "unknown": np.int32(-1), "vector": np.array([0.5, 0, -2], np.float32)}


def image(seed=0):
    return np.random.RandomState(seed).randint(0, 256, SHAPE).astype(np.uint8)


@pytest.mark.parametrize("kind", LABELS)
def test_pixels_and_label_come_back(kind):
    out = np.zeros(SHAPE, np.uint8)
    label = records.decode(records.encode(image(), LABELS[kind], "a/1.png", labelled=True), out)
    np.testing.assert_array_equal(out, image())
    np.testing.assert_array_equal(label, LABELS[kind])
    assert label.dtype == LABELS[kind].dtype


def test_an_unlabelled_record_has_the_label_minus_one():
    record = records.encode(image(), np.int32(-1), "a", labelled=False)
    assert records.decode(record, np.zeros(SHAPE, np.uint8)) == -1
    assert b"label" not in record


@pytest.mark.parametrize(("kind", "label_dim"), [("class", 0), ("unknown", 0), ("vector", 3)])
def test_tensorflow_datasets_reads_and_writes_the_same_records(kind, label_dim):
    features = records.features(SHAPE, ("x", "y", "z"), label_dim)
    example = {"image": image(), "label": LABELS[kind], "id": "straße.png"}
    record = records.encode(image(), LABELS[kind], example["id"], labelled=True)
    found = features.deserialize_example_np(record)
    assert found["id"].decode() == "straße.png"
    np.testing.assert_array_equal(found["image"], image())
    np.testing.assert_array_equal(found["label"], LABELS[kind])
    out = np.zeros(SHAPE, np.uint8)
    np.testing.assert_array_equal(records.decode(features.serialize_example(example), out), LABELS[kind])
    np.testing.assert_array_equal(out, image())


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "shape"])
def test_a_damaged_record_raises(damage):
    record = records.encode(image(), np.int32(1), "a", labelled=True)
    record = {"cut": record[:-9], "garbage": b"\xff" * 90, "empty": b"", "shape": record}[damage]
    with pytest.raises((ValueError, IndexError)):
        records.decode(record, np.zeros((9, 9, 3) if damage == "shape" else SHAPE, np.uint8))


def test_the_digest_depends_on_every_pixel_and_the_label():
    other = image()
    other[4, 3, 2] ^= 1
    digests = {
        records.digest(image(), np.int32(1)),
        records.digest(image(), np.int32(2)),
        records.digest(image(), np.array([1, 0], np.float32)),
        records.digest(other, np.int32(1)),
    }
    assert len(digests) == 4
    assert records.digest(image(), np.int32(1)) in digests
    assert max(digests) < 2**128
