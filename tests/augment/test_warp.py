"""Warps against the published steps written out in numpy: pad, upsample, sample, downsample, crop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.augment.warp import warp
from gan_jax.augment.wavelets import LOW_PASS


def along(images, axis, function):
    return np.apply_along_axis(function, axis, images)


def upsampled(line):
    zeros = np.zeros(2 * len(line))
    zeros[::2] = line
    return np.convolve(np.pad(zeros, (6, 5)), 2 * LOW_PASS, "valid")


def downsampled(line):
    return np.correlate(line[1:-1], LOW_PASS, "valid")[::2]


def bilinear(image, y, x):
    """Samples of [h, w, c] at fractional indices, zeros outside."""
    height, width, _ = image.shape
    total = 0
    for row, weight_y in ((np.floor(y), 1 - y % 1), (np.floor(y) + 1, y % 1)):
        for column, weight_x in ((np.floor(x), 1 - x % 1), (np.floor(x) + 1, x % 1)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int)
            total += (weight_y * weight_x * inside)[..., None] * image[index]
    return total


def published(images, inverse):
    """The batch-wide margins of the published code, float64."""
    _, height, width, _ = images.shape
    centre = np.array([width - 1, height - 1]) / 2
    corners = np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]]) * centre[:, None]
    moved = inverse[:, :2, :2] @ corners + inverse[:, :2, 2:]
    reach = np.concatenate([-moved, moved], 1).max((0, 2)) + 6 - np.tile(centre, 2)
    left, top, right, bottom = np.ceil(np.clip(reach, 0, np.array([width, height] * 2) - 1)).astype(int)
    padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), mode="reflect")
    padded = along(along(padded, 1, upsampled), 2, upsampled)
    x, y = np.meshgrid(*((np.arange(2 * size + 12) - size - 5) / 2 for size in (width, height)))
    result = []
    for image, matrix in zip(padded, inverse, strict=True):
        x_in, y_in = (matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] for i in range(2))
        # A pixel of the output at 0 is the middle of the image; in the padded one the first lies at 2 left, 2 top.
        image = bilinear(image, 2 * (y_in + top) + height - 1, 2 * (x_in + left) + width - 1)
        result.append(along(along(image, 0, downsampled), 1, downsampled))
    return np.stack(result)


def affine(scale_x, scale_y, degrees, x, y):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c * scale_x, -s * scale_y, x], [s * scale_x, c * scale_y, y], [0, 0, 1]])


MAPS = {
    "the identity": affine(1, 1, 0, 0, 0),
    "whole pixels beyond the left and upper edge": affine(1, 1, 0, -3, -2),
    "a quarter turn": affine(1, 1, 90, 0, 0),
    "a flip": affine(-1, 1, 0, 0, 0),
    "fractions beyond the right and lower edge": affine(1, 1, 0, 2.3, 1.6),
    "rotation, scale and shift": affine(1.05, 0.8, 33, 1.2, -0.7),
    "rotation and magnification": affine(0.6, 0.7, -150, -1.5, 0.4),
}
warped = jax.jit(warp)


def images_of(*shape):
    return np.random.RandomState(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("name", MAPS)
def test_a_warp_is_padding_upsampling_sampling_and_downsampling(name):
    images, inverse = images_of(1, 12, 16, 3), MAPS[name][None]
    np.testing.assert_allclose(warped(images, inverse.astype(np.float32)), published(images, inverse), atol=2e-5)


def test_the_mirror_image_ends_one_pixel_before_the_size():
    """The image is wide enough to be filtered in several blocks; near the end the published padding fades."""
    images, inverse = images_of(1, 6, 150, 1), np.array([affine(1, 1, 0, 220, 1)])
    actual, expected = warped(images, inverse.astype(np.float32)), published(images, inverse)
    end = 2 * 149 - 220
    for columns in (np.s_[: end - 6], np.s_[end + 7 :]):
        np.testing.assert_allclose(actual[:, :, columns], expected[:, :, columns], atol=1e-4)
    assert np.abs(actual[:, :, end + 7 :]).max() == 0
    assert np.abs(actual[:, :, : end - 6]).max(1).min() > 0.01


def test_every_image_has_its_own_map_and_any_number_of_channels():
    images, inverse = images_of(2, 12, 12, 2), np.stack([affine(1, 1, 0, 0, 0), affine(1, 1, 180, 1, 0)])
    np.testing.assert_allclose(warped(images, inverse.astype(np.float32)), published(images, inverse), atol=2e-5)


def test_a_warp_is_linear_and_its_gradient_the_transposed_map():
    inverse = jnp.stack([affine(1.1, 0.8, 33, 1.2, -0.7), affine(0.7, 1.2, -150, -1.5, 6)])
    images, cotangent = images_of(2, 8, 12, 3), images_of(4, 8, 12, 3)[2:]
    gradient = jax.jit(lambda c: jax.vjp(lambda x: warp(x, inverse), images)[1](c)[0])(cotangent)
    np.testing.assert_allclose((gradient * images).sum(), (cotangent * warped(images, inverse)).sum(), rtol=1e-4)
