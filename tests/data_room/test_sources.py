"""The built-in digits, the word in the config that opens a source, and keeping a source in memory."""

import ml_collections
import numpy as np
import pytest
from sklearn.datasets import load_digits

from gan_jax.data.digits import digits
from gan_jax.data.source import ArraySource, CachedSource, Source, fits_memory, open_source
from gan_jax.errors import ConfigError, UserError


def section(source, resolution=16, channels=1, **fields):
    return ml_collections.ConfigDict({"source": source, "resolution": resolution, "channels": channels, **fields})


class Numbers(Source):
    """Ten images that each show their number; counts how often one is decoded."""

    name, image_shape, class_names = "numbers", (2, 2, 1), ("even", "odd")

    def __init__(self):
        self.decoded = 0

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index == 9:
            raise UserError("image 9 is damaged")
        self.decoded += 1
        return {"image": np.full(self.image_shape, index, np.uint8), "label": np.int32(index % 2)}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [8, 16, 32])
def test_digits_have_the_asked_shape_and_ten_named_classes(resolution, channels):
    source = open_source(section("digits", resolution, channels))
    assert (len(source), source.image_shape) == (1797, (resolution, resolution, channels))
    assert source.class_names == tuple("0123456789")
    example = source[5]
    assert example["image"].dtype == np.uint8
    assert example["image"].shape == source.image_shape
    assert example["label"].dtype == np.int32
    assert example["label"] == 5
    assert (example["image"] == example["image"][..., :1]).all()


def test_digits_to_test_on_are_not_among_those_to_train_on():
    parts = {split: open_source(section(f"digits:{split}", 8)) for split in ("train", "test")}
    assert {split: len(source) for split, source in parts.items()} == {"train": 1437, "test": 360}
    both = [image.tobytes() for source in parts.values() for image in source.images]
    assert sorted(both) == sorted(image.tobytes() for image in digits(8).images)
    assert np.bincount(parts["test"].labels, minlength=10).min() > 25
    assert parts["train"].identity != open_source(section("digits", 8)).identity
    with pytest.raises(ConfigError, match="'digits:5', but the digits have no split '5': expected train, test"):
        open_source(section("digits:5"))


def test_digits_at_8_pixels_are_the_stored_ones_over_the_full_range():
    images = digits(8).images[..., 0]
    np.testing.assert_array_equal(images, np.round(load_digits().images * 255 / 16))
    assert (images.min(), images.max()) == (0, 255)


def test_enlarged_digits_keep_range_brightness_and_smoothness():
    small, large = digits(8).images.astype(int), digits(16).images.astype(int)
    assert (large.min(), large.max()) == (0, 255)
    assert abs(large.mean() - small.mean()) < 3
    steps = np.abs(np.diff(large, axis=1)).mean(axis=(0, 2, 3))
    within, between = steps[::2].mean(), steps[1::2].mean()
    assert within > 0.5 * between, "the 8-pixel original shows as blocks"


@pytest.mark.parametrize("source", ["mnist", "", "noise:5", "folder", "folder:", "tfds:"])
def test_a_source_that_does_not_exist_names_the_field_the_value_and_the_choices(source):
    with pytest.raises(
        ConfigError,
        match=r"config\.data\.source.*digits\[:SPLIT\], polygons\[:SPLIT\], noise, folder:PATH\[:SPLIT\], .*, tfds:NAME",
    ) as error:
        open_source(section(source))
    assert repr(source) in str(error.value)


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"resolution": 20}, "resolution is 20"), ({"resolution": 0}, "resolution is 0"), ({"channels": 2}, "channels")],
)
def test_a_shape_that_does_not_exist_names_the_field(fields, field):
    with pytest.raises(ConfigError, match=rf"config\.data\.{field}"):
        open_source(section("digits", **fields))


def test_a_cached_source_decodes_each_image_once_and_reads_the_same():
    plain = Numbers()
    plain.__class__ = type("Whole", (Numbers,), {"__len__": lambda self: 9})
    cached = CachedSource(plain)
    assert plain.decoded == 0
    indices = np.array([3, 8, 3])
    for _ in range(2):
        batch = cached.read(indices)
        np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], indices)
        np.testing.assert_array_equal(batch["label"], [1, 0, 1])
        assert batch["label"].dtype == np.int32
    assert cached[4]["image"][0, 0, 0] == 4
    assert plain.decoded == 9
    assert (cached.name, cached.image_shape, cached.num_classes) == ("numbers", (2, 2, 1), 2)
    batch["image"][:] = 77  # What is read belongs to the reader.
    assert cached[3]["image"][0, 0, 0] == 3


def test_what_the_section_allows_is_kept_in_memory():
    assert fits_memory(2**10, (32, 32, 1), {"memory": 1})
    assert not fits_memory(2**10 + 1, (32, 32, 1), {"memory": 1})
    assert fits_memory(2**20, (32, 32, 1), {})
    assert isinstance(open_source(section("noise", memory=0)), ArraySource), "it is in memory anyway"


def test_a_damaged_example_is_noted_and_replaced_by_the_next_whole_one():
    source = Numbers()  # of which 9 is damaged, and 0 comes after it
    batch = source.read(np.array([3, 9, 9]))
    np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], [3, 0, 0])
    np.testing.assert_array_equal(batch["label"], [1, 0, 0])
    assert source.damaged == {9: "image 9 is damaged"}
    cached = CachedSource(Numbers())
    cached.load()
    assert cached.damaged == {9: "image 9 is damaged"}
    np.testing.assert_array_equal(cached.read(np.array([9]))["image"].ravel(), [0] * 4)


def test_a_source_that_is_damaged_all_over_is_an_error():
    class Broken(Numbers):
        def __getitem__(self, index):
            raise UserError(f"image {index} is damaged")

    with pytest.raises(UserError, match="numbers: 10 examples in a row are damaged; image 3 is damaged"):
        Broken().read(np.array([4]))


def test_label_vectors_stay_vectors_in_memory():
    vectors = np.linspace(0, 1, 30).reshape(10, 3)
    plain = ArraySource("attributes", np.zeros((10, 2, 2, 1), np.uint8), vectors)
    assert (plain.label_dim, plain.num_classes) == (3, 3)
    cached = CachedSource(plain)
    batch = cached.read(np.array([2, 7]))
    np.testing.assert_allclose(batch["label"], vectors[[2, 7]], rtol=1e-6)
    assert (batch["label"].dtype, cached.num_classes) == (np.float32, 3)


def test_noise_has_the_shape_and_classes_that_are_asked_for():
    source = open_source(section("noise", 12, 3, num_classes=300, count=8))
    assert len(source) == 8
    assert source.num_classes == 300
    batch = source.read(np.arange(8))
    assert batch["image"].shape == (8, 12, 12, 3)
    np.testing.assert_array_equal(batch["label"], np.arange(8))
    assert 100 < batch["image"].mean() < 155
    assert open_source(section("noise", 12, 3, num_classes=None)).num_classes == 0
