"""The order of examples is a function of seed and position alone, however it is read."""

import threading
import time

import numpy as np
import pytest

from gan_jax.data.pipeline import Pipeline
from gan_jax.data.prefetch import prefetch
from gan_jax.data.source import ArraySource
from gan_jax.errors import ConfigError, UserError

COUNT = 10
# Image i shows i in its left column and 100 + i in its right one, so that a flip can be seen.
IMAGES = np.stack([np.arange(COUNT), np.arange(COUNT) + 100], axis=-1)[:, None, :, None].astype(np.uint8)
SOURCE = ArraySource("numbers", IMAGES, np.arange(COUNT), [str(number) for number in range(COUNT)])
PLAIN = np.tile(np.arange(0, 240, 30, dtype=np.uint8)[None, None, :, None], (6, 8, 1, 1))  # brighter to the right


def pipeline(source=SOURCE, seed=0, share=(0, 1), **section):
    plain = {"labels": "index", "num_classes": 0, "flip": False, "random_crop": 0}
    return Pipeline(source, {**plain, **section}, seed=seed, share=share)


def stream(start, count, **options):
    """(label, left pixel) of `count` examples."""
    batch = pipeline(**options).read(start, (1, 1, count))
    return batch["label"].ravel(), batch["image"][0, 0, :, 0, 0, 0]


def test_every_epoch_is_another_permutation_and_images_stay_with_their_labels():
    labels, left = stream(0, 5 * COUNT)
    np.testing.assert_array_equal(labels, left)
    epochs = labels.reshape(5, COUNT)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(COUNT), (5, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_the_seed_chooses_the_order_and_nothing_else_does():
    np.testing.assert_array_equal(stream(0, 30)[0], stream(0, 30)[0])
    assert (stream(0, 30)[0] != stream(0, 30, seed=1)[0]).any()
    np.testing.assert_array_equal(stream(0, 30)[0], stream(0, 30, flip=True)[0])


def test_the_order_is_the_same_in_every_release():
    # Checkpoints count on it: a run goes on at the example where it stopped.
    assert stream(0, 12, seed=3)[0].tolist() == [9, 1, 0, 8, 2, 4, 3, 5, 7, 6, 5, 1]


@pytest.mark.parametrize("start", [0, 7, 10, 25])
def test_a_jump_gives_what_reading_through_would_have_given(start):
    whole = stream(0, 60, flip=True)
    part = stream(start, 23, flip=True)
    for all_of_it, piece in zip(whole, part, strict=True):
        np.testing.assert_array_equal(all_of_it[start : start + 23], piece)


def test_positions_far_beyond_32_bits_are_read_at_once():
    far = 2**35 // COUNT * COUNT
    started = time.monotonic()
    labels, _ = stream(far, COUNT)
    assert time.monotonic() - started < 1
    np.testing.assert_array_equal(np.sort(labels), np.arange(COUNT))


def test_a_batch_is_laid_out_as_repeat_microbatch_batch():
    batch = pipeline().read(6, (2, 3, 4))
    assert batch["image"].shape == (2, 3, 4, 1, 2, 1)
    assert batch["image"].dtype == np.uint8
    assert batch["label"].dtype == np.int32
    np.testing.assert_array_equal(batch["label"].ravel(), stream(6, 24)[0])


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_read_the_parts_of_one_batch(processes):
    shape = (2, 1, 8)
    whole = pipeline(seed=5, flip=True, labels="vector").read(33, shape)
    parts = [
        pipeline(seed=5, flip=True, labels="vector", share=(i, processes)).read(33, shape) for i in range(processes)
    ]
    for leaf in ("image", "label"):
        np.testing.assert_array_equal(np.concatenate([part[leaf] for part in parts], axis=2), whole[leaf])


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match="batch of 8 images does not divide among 3 processes"):
        pipeline(share=(0, 3)).read(0, (1, 1, 8))


def test_flips_mirror_half_of_the_images_anew_in_every_epoch():
    labels, left = stream(0, 400 * COUNT, flip=True)
    flipped = left == labels + 100
    assert (flipped | (left == labels)).all()
    assert 0.47 < flipped.mean() < 0.53
    by_example = flipped[np.argsort(labels, kind="stable")].reshape(COUNT, 400)
    assert ((by_example.mean(axis=1) > 0.35) & (by_example.mean(axis=1) < 0.65)).all()
    assert len({tuple(row) for row in by_example}) == COUNT
    assert (IMAGES[:, 0, 0, 0] == np.arange(COUNT)).all(), "the source itself must stay as it was"


def test_like_has_the_shapes_and_dtypes_of_a_batch_without_reading():
    for options in ({}, {"labels": "vector"}, {"process": (1, 2)}):
        read, like = (
            getattr(pipeline(**options), name)(*a) for name, a in (("read", (0, (2, 1, 4))), ("like", ((2, 1, 4),)))
        )
        assert {leaf: (x.shape, x.dtype) for leaf, x in like.items()} == {
            leaf: (x.shape, x.dtype) for leaf, x in read.items()
        }


def test_vectors_are_one_hot_rows_of_the_classes_and_zeros_without_one():
    vectors = pipeline(ArraySource("three", IMAGES[:3], np.array([1, -1, 2]), "abc"), labels="vector").read(
        0, (1, 1, 3)
    )
    order = pipeline(ArraySource("three", IMAGES[:3], np.arange(3), "abc")).read(0, (1, 1, 3))["label"][0, 0]
    assert vectors["label"].dtype == np.float32
    np.testing.assert_array_equal(vectors["label"][0, 0], np.array([[0, 1, 0], [0, 0, 0], [0, 0, 1]])[order])


def test_images_without_a_label_are_refused_where_the_model_needs_it():
    mixed = ArraySource("mixed", IMAGES[:3], np.array([1, -1, 2]), "abc")
    for labels in ("index", "vector"):
        with pytest.raises(UserError, match=r"mixed holds images without a label \(number 1\).*num_classes"):
            pipeline(mixed, num_classes=3, labels=labels).read(0, (1, 1, 3))
    assert -1 in pipeline(mixed).read(0, (1, 1, 3))["label"]


def test_label_vectors_of_the_data_arrive_as_they_are_and_only_when_asked_for():
    attributes = ArraySource("attributes", IMAGES, np.eye(COUNT, 4) + 0.5)
    batch = pipeline(attributes, labels="vector").read(0, (1, 1, COUNT))
    np.testing.assert_array_equal(batch["label"][0, 0], (np.eye(COUNT, 4) + 0.5)[batch["image"][0, 0, :, 0, 0, 0]])
    with pytest.raises(ConfigError, match=r'config\.data\.labels is "index".*attributes has label vectors of length 4'):
        pipeline(attributes)
    with pytest.raises(ConfigError, match=r'"vector", but pixels has no labels'):
        pipeline(ArraySource("pixels", IMAGES), labels="vector")


def test_random_crops_shift_by_at_most_the_margin_anew_in_every_epoch_and_mirror_the_edge():
    image = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    crops = pipeline(ArraySource("one", image), random_crop=2).read(0, (1, 1, 500))["image"][0, 0]
    wide = np.pad(image[0, :, :, 0], 2, mode="reflect")
    windows = {wide[top : top + 8, left : left + 8].tobytes(): (top, left) for top in range(5) for left in range(5)}
    seen = [windows[crop.tobytes()] for crop in crops]
    assert len(set(seen)) == 25
    assert max(seen.count(place) for place in set(seen)) < 45
    for wrong in (8, 200):
        with pytest.raises(ConfigError, match=rf"config\.data\.random_crop is {wrong}"):
            pipeline(ArraySource("one", image), random_crop=wrong)


def test_turning_crops_on_changes_neither_order_nor_flips():
    plain, cropped = (pipeline(ArraySource("p", PLAIN, np.arange(6)), flip=True, random_crop=c) for c in (0, 1))
    plain, cropped = plain.read(0, (1, 1, 60)), cropped.read(0, (1, 1, 60))
    np.testing.assert_array_equal(plain["label"], cropped["label"])
    leaning = [
        np.sign(batch["image"][0, 0, :, 0, -1, 0].astype(int) - batch["image"][0, 0, :, 0, 0, 0])
        for batch in (plain, cropped)
    ]
    np.testing.assert_array_equal(*leaning)


def test_prefetch_keeps_the_order_and_reads_ahead_in_one_thread():
    threads, done = set(), []

    def read(number, factor):
        threads.add(threading.current_thread())
        done.append(number)
        return number * factor

    results = prefetch(read, ((number, 2) for number in range(6)), depth=2)
    assert next(results) == 0
    deadline = time.monotonic() + 5
    while len(done) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert done == [0, 1, 2], "two ahead of the one that was taken, no more"
    assert list(results) == [2, 4, 6, 8, 10]
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_prefetch_raises_an_error_where_its_result_would_have_come():
    def read(number):
        if number == 2:
            raise ValueError("item 2")
        return number

    results = prefetch(read, ((number,) for number in range(5)))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="item 2"):
        next(results)


def test_closing_prefetch_ends_its_thread_and_leaves_the_rest_unread():
    started = []

    def read(number):
        started.append((number, threading.current_thread()))
        time.sleep(0.02)
        return number

    results = prefetch(read, ((number,) for number in range(1000)), depth=50)
    next(results)
    results.close()
    assert len(started) < 10
    assert not started[0][1].is_alive()


def test_a_result_that_does_not_come_is_an_error_and_leaves_the_caller_free():
    release = threading.Event()
    results = prefetch(lambda number: number or release.wait(), ((1,), (0,)), timeout=0.2)
    assert next(results) == 1
    with pytest.raises(UserError, match=r"no batch has come for 0\.2 seconds"):
        next(results)
    release.set()
