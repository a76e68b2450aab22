"""Resizing rules against the published codes' own numbers, and against Pillow itself where they copy it."""

import functools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.metrics import resize
from tests.metrics.extractors import recipes
from tests.reference import arrays, cases

# Our rules by the names in data/eval_resize.npz, and their tolerance of 255.
STORED = {
    "tf1": ("tf1", 0),
    "torch": ("torch_half_pixel", 1e-3),
    "clean": ("pil_bicubic_clean", 5e-3),
    "pil_bilinear": ("pil_bilinear_float", 5e-3),
    "pil_bicubic_uint8": ("pil_bicubic_uint8", 0),
}
SIZES = [((7, 5), (11, 13)), ((64, 48), (33, 40)), ((16, 16), (24, 16)), ((20, 300), (50, 31)), ((1, 2), (3, 5))]
resized = {name: jax.jit(rule, static_argnums=1) for name, rule in resize.RULES.items()}


def case_images(name: str) -> tuple[np.ndarray, tuple[int, int]]:
    """The images uint8 [1, h, w, 3] of a case such as 5x7_to_13x11, and the target size."""
    source, target = (tuple(map(int, part.split("x"))) for part in name.split("_to_"))
    number = list(cases("eval_resize")).index(name)
    images = recipes.images(900 + number, "noise", 1, *source)
    assert zlib.crc32(images.tobytes()) == cases("eval_resize")[name]["crc32"]
    return images, target


@pytest.mark.parametrize("case", ["5x7_to_13x11", "16x12_to_9x7", "32x32_to_299x299", "400x350_to_299x299"])
@pytest.mark.parametrize("rule", STORED)
def test_images_come_out_as_published_codes_make_them(rule, case):
    images, size = case_images(case)
    key, tolerance = STORED[rule]
    found = np.asarray(resized[rule](images, size))
    entry = cases("eval_resize")[case]
    assert (found.shape, found.dtype) == ((1, *size, 3), np.float32)
    np.testing.assert_allclose(found.mean(dtype=np.float64), entry["mean"][key], rtol=0, atol=max(tolerance, 1e-9))
    step = entry["stride_of_stored_pixels"]
    expected = arrays("eval_resize")[f"{case}/{key}"]
    np.testing.assert_allclose(found[0, ::step, ::step], expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_whole_numbers_are_those_of_pillow(source, target):
    """Rows first and then columns, which Pillow 13 does the other way round for some sizes.

    Half of the first image is black and white, which makes the filter overshoot, so that clipping counts too.
    """
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (2, *source, 3))
    images[0] = np.where(random.rand(*source, 3) < 0.5, 255 * (images[0] > 127), images[0])
    found = np.asarray(resized["pil_bicubic_uint8"](images.astype(np.uint8), target))
    for image, ours in zip(images, found, strict=True):
        rows = Image.fromarray(image.astype(np.uint8)).resize((target[1], source[0]), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(ours, rows.resize(target[::-1], Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    ("rule", "filter"), [("pil_bilinear", Image.Resampling.BILINEAR), ("clean", Image.Resampling.BICUBIC)]
)
@pytest.mark.parametrize(("source", "target"), SIZES)
def test_fractions_are_those_of_pillow(rule, filter, source, target):
    images = np.random.RandomState(0).randint(0, 256, (1, *source, 1)).astype(np.uint8)
    found = resized[rule](images, target)[0, ..., 0]
    expected = Image.fromarray(images[0, ..., 0].astype(np.float32)).resize(target[::-1], filter)
    np.testing.assert_allclose(found, np.clip(expected, 0, 255), rtol=0, atol=2e-4)


@pytest.mark.parametrize("rule", STORED)
def test_images_of_the_right_size_stay_as_they_are(rule):
    images = np.random.RandomState(0).randint(0, 256, (2, 6, 9, 3)).astype(np.uint8)
    np.testing.assert_array_equal(resized[rule](images, (6, 9)), images)


def test_tensorflow_1_reads_towards_the_upper_left():
    """Two pixels make four: positions 0, 1/2, 1 and 3/2, of which the last is beyond the edge."""
    row = np.array([0, 100], np.uint8).reshape(1, 1, 2, 1)
    np.testing.assert_array_equal(resized["tf1"](row, (1, 4))[0, 0, :, 0], [0, 50, 100, 100])
    np.testing.assert_array_equal(resized["torch"](row, (1, 4))[0, 0, :, 0], [0, 25, 75, 100])


def test_only_pillow_s_rules_look_at_every_pixel_when_shrinking():
    row = np.zeros((1, 1, 9, 1), np.uint8)
    row[0, 0, 2] = 200
    seen = {rule: float(resized[rule](row, (1, 3)).max()) for rule in STORED}
    assert (seen.pop("tf1"), seen.pop("torch")) == (0, 0)
    assert min(seen.values()) > 20


def test_rules_take_floats_and_gradients_flow_through_them():
    images = jnp.asarray(np.random.RandomState(0).uniform(0, 255, (1, 4, 4, 1)), jnp.float32)
    for rule in ("tf1", "torch", "pil_bilinear"):
        total = jax.grad(functools.partial(lambda rule, x: resize.RULES[rule](x, (8, 8)).sum(), rule))(images).sum()
        np.testing.assert_allclose(total, 64, rtol=1e-5)


def test_the_rule_of_whole_numbers_refuses_floats():
    with pytest.raises(ValueError, match="float32: this rule is for uint8"):
        resize.pil_bicubic_uint8(jnp.zeros((1, 4, 4, 3)), (8, 8))


def test_boxes_are_means_of_cells():
    images = np.arange(2 * 4 * 6).reshape(2, 4, 6, 1).astype(np.float32)
    expected = images.reshape(2, 2, 2, 2, 3, 1).mean((2, 4))
    np.testing.assert_allclose(resize.box(images, (2, 2)), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="4 x 6 do not divide into 3 x 3"):
        resize.box(images, (3, 3))
