"""One image: crops, conversions, what is unusual about it, and what counts as damaged."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from gan_jax.data.image import CROPS, DAMAGE, TooSmall, decode, fit, open_image, unusual
from gan_jax.errors import UserError


def picture(width=12, height=8, seed=0):
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8))


def save(path, image=None, **options):
    (image or picture()).save(path, **options)
    return path


def ramp():
    """Grey values 0, 4, .. 252 as uint8 [8, 8]."""
    return np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def test_center_keeps_the_largest_centred_square():
    tall = np.zeros((20, 8, 3), np.uint8)
    tall[6:14] = np.asarray(picture(8, 8))
    np.testing.assert_array_equal(fit(Image.fromarray(tall), 8, 3), tall[6:14])


def test_shrinking_averages_instead_of_dropping_pixels():
    checker = Image.fromarray((np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8))
    for crop in ("center", "biggan"):
        assert np.abs(fit(checker, 8, 1, crop).astype(int) - 127.5).max() < 8, crop


def test_what_is_cropped_away_does_not_bleed_into_the_scaled_square():
    wide = np.zeros((32, 64, 3), np.uint8)
    wide[:, :16] = wide[:, 48:] = 255
    for crop in ("center", "biggan"):
        assert not fit(Image.fromarray(wide), 8, 3, crop).any(), crop


@pytest.mark.parametrize(("width", "left"), [(9, 0), (10, 1), (11, 2), (13, 2), (15, 4)])
def test_biggan_rounds_half_a_pixel_to_even_as_torchvision_does(width, left):
    image = picture(width, 8)
    np.testing.assert_array_equal(fit(image, 8, 3, "biggan"), np.asarray(image)[:, left : left + 8])
    np.testing.assert_array_equal(fit(image.transpose(4), 8, 3, "biggan"), np.asarray(image.transpose(4))[left:][:8])


def test_biggan_scales_by_a_bilinear_filter():
    step = np.repeat(np.array([[0, 0, 255, 255]], np.uint8), 4, axis=0)
    np.testing.assert_array_equal(
        fit(Image.fromarray(step), 8, 1, "biggan")[0, :, 0], [0, 0, 0, 64, 191, 255, 255, 255]
    )
    assert len(set(fit(Image.fromarray(step), 8, 1, "center")[0, :, 0])) > 4  # Lanczos rings


def test_center_crop_wide_puts_three_quarters_between_black_bars():
    image = picture(8, 6)
    result = fit(image, 8, 3, "center-crop-wide")
    np.testing.assert_array_equal(result[1:7], np.asarray(image))
    assert not result[[0, 7]].any()


def test_center_crop_wide_keeps_the_centred_rows_that_stylegan2_ada_keeps():
    image = np.zeros((16, 16, 3), np.uint8)
    image[4:12] = 255  # round(8 * 16 / 16) of 16 rows
    assert (fit(Image.fromarray(image), 8, 3, "center-crop-wide")[1:7] == 255).all()


@pytest.mark.parametrize("size", [(7, 6), (8, 5), (100, 10)])
def test_center_crop_wide_leaves_out_images_that_are_too_small(size):
    with pytest.raises(TooSmall, match=rf"{size[0]} x {size[1]} pixels, too few for 8 x 6"):
        fit(picture(*size), 8, 3, "center-crop-wide")


def test_an_image_too_small_for_its_crop_is_named_as_such(tmp_path):
    with pytest.raises(UserError, match=r"small\.png has 7 x 6 pixels, too few .* remove it or choose another crop"):
        decode(save(tmp_path / "small.png", picture(7, 6)), 8, 3, crop="center-crop-wide")


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_crop_gives_the_asked_shape(crop, channels):
    result = fit(picture(33, 29), 16, channels, crop)
    assert (result.shape, result.dtype) == ((16, 16, channels), np.uint8)


def test_transparent_pixels_are_white_and_hidden_colours_do_not_show():
    image = Image.fromarray(np.zeros((8, 8, 4), np.uint8))
    image.putpixel((0, 0), (10, 20, 30, 255))
    result = fit(image, 8, 3)
    np.testing.assert_array_equal(result[0, 0], [10, 20, 30])
    assert (result.reshape(-1, 3)[1:] == 255).all()


def test_grey_with_alpha_and_palettes_with_a_transparent_colour_are_white_where_transparent(tmp_path):
    grey = Image.fromarray(np.stack([np.full((8, 8), 40, np.uint8), np.eye(8, dtype=np.uint8) * 255], axis=-1))
    palette = Image.fromarray(np.eye(8, dtype=np.uint8), "L").convert("P")
    palette.putpalette([1, 2, 3, 40, 40, 40])
    files = [save(tmp_path / "grey.png", grey), save(tmp_path / "palette.png", palette, transparency=0)]
    for file in files:
        np.testing.assert_array_equal(decode(file, 8, 1)[..., 0], np.where(np.eye(8), 40, 255), err_msg=str(file))


def test_palette_grey_cmyk_and_16_bit_images_show_what_they_show_elsewhere(tmp_path):
    grey = ramp()
    expected = np.repeat(grey[..., None], 3, axis=-1)
    deep = Image.fromarray(grey.astype(np.uint16) * 256 + 99)
    files = {
        "grey": save(tmp_path / "grey.png", Image.fromarray(grey)),
        "palette": save(tmp_path / "palette.png", Image.fromarray(grey).convert("P")),
        "gif": save(tmp_path / "palette.gif", Image.fromarray(grey)),
        "deep": save(tmp_path / "deep.png", deep),
        "deep tiff": save(tmp_path / "deep.tif", deep),
    }
    for name, path in files.items():
        np.testing.assert_array_equal(decode(path, 8, 3), expected, err_msg=name)
        np.testing.assert_array_equal(decode(path, 8, 1)[..., 0], grey, err_msg=name)
    cmyk = save(tmp_path / "cmyk.jpg", Image.fromarray(expected).resize((64, 64), 0).convert("CMYK"), quality=100)
    assert np.abs(decode(cmyk, 8, 3).astype(int) - expected).mean() < 3


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_gives_its_first_frame(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), color) for color in ("black", "white", "red")]
    options = {"save_all": True, "append_images": frames[1:]} | ({"lossless": True} if suffix == "webp" else {})
    path = save(tmp_path / f"moving.{suffix}", frames[0], **options)
    with open_image(path) as image:
        assert unusual(image) == "animated"
        assert not fit(image, 8, 3).any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "turned.png", picture(8, 8), exif=exif)
    np.testing.assert_array_equal(decode(path, 8, 3), np.asarray(ImageOps.exif_transpose(Image.open(path))))
    with open_image(path) as opened:
        assert unusual(opened) == ("rotated by EXIF" if orientation > 1 else None)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_damaged_exif_data_do_not_cost_the_image(tmp_path, suffix):
    path = save(tmp_path / f"odd.{suffix}", picture(8, 8), exif=b"Exif\0\0no TIFF header")
    np.testing.assert_array_equal(decode(path, 8, 3), np.asarray(Image.open(path)))


def test_what_is_unusual_is_said_in_a_word(tmp_path):
    deep = np.full((8, 8), 70, np.uint16)
    odd = {
        "CMYK": save(tmp_path / "a.jpg", picture().convert("CMYK")),
        "palette": save(tmp_path / "b.png", picture().convert("P")),
        "alpha": save(tmp_path / "c.png", picture().convert("LA")),
        "16-bit": save(tmp_path / "d.png", Image.fromarray(deep)),
        None: save(tmp_path / "e.png", picture()),
    }
    for reason, path in odd.items():
        with open_image(path) as image:
            assert unusual(image) == reason
    with open_image(save(tmp_path / "f.jpg", picture().convert("L"))) as image:
        assert unusual(image) is None


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_16_bit_colour_is_unusual_and_keeps_its_upper_8_bits():
    pixels = b"".join(b"\0" + bytes([10, 99, 20, 99, 30, 99]) * 8 for _ in range(8))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    file = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    with open_image(io.BytesIO(file)) as image:
        assert unusual(image) == "16-bit"
        assert (fit(image, 8, 3) == [10, 20, 30]).all()


def test_an_image_that_was_never_a_file_is_judged_too():
    assert unusual(picture()) is None
    assert unusual(picture().convert("CMYK")) == "CMYK"


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
def test_a_truncated_image_is_named(tmp_path, suffix):
    path = save(tmp_path / f"cut.{suffix}", picture(64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"cut\.{suffix} cannot be read as an image"):
        decode(path, 8, 3)


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_file_that_is_no_image_is_named(content):
    with pytest.raises(UserError, match=r"text\.png cannot be read as an image \(its content is no image"):
        decode(io.BytesIO(content), 8, 3, "text.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_of_absurd_size_is_damaged_from_where_pillow_only_warns(tmp_path, monkeypatch):
    path = save(tmp_path / "large.png", picture(12, 10))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 120)
    assert decode(path, 8, 3).shape == (8, 8, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 119)
    with pytest.raises(UserError, match=r"large\.png cannot be read .*12 x 10 pixels, more than 119"):
        decode(path, 8, 3)


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_pillows_warning_made_an_error_is_damage_too(tmp_path, monkeypatch):
    path = save(tmp_path / "large.png", picture(12, 10))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 119)
    with pytest.raises(DAMAGE):
        open_image(path)
