"""Folders of images: classes, conversions, and one sentence for each thing that can be wrong with them."""

import ml_collections
import numpy as np
import pytest
from PIL import Image

from gan_jax.data.folder import FolderSource
from gan_jax.data.image import decode, fit
from gan_jax.data.source import CachedSource, open_source
from gan_jax.errors import ConfigError, UserError


def picture(width=12, height=8, seed=0):
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8))


def save(path, image=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or picture()).save(path, **options)
    return path


def open_folder(path, resolution=8, channels=3):
    section = {"source": f"folder:{path}", "resolution": resolution, "channels": channels}
    return open_source(ml_collections.ConfigDict(section))


def test_subfolders_are_classes_in_sorted_order(tmp_path):
    for name in ("dog/2.png", "dog/1.JPG", "cat/x.webp", "cat/y.jpeg", "ant/a.PNG"):
        save(tmp_path / name)
    (tmp_path / "cat/notes.txt").write_text("not an image, and not said to be one")
    (tmp_path / ".cache").mkdir()
    source = open_folder(tmp_path)
    assert isinstance(source, CachedSource)
    assert source.class_names == ("ant", "cat", "dog")
    batch = source.read(np.arange(5))
    np.testing.assert_array_equal(batch["label"], [0, 1, 1, 2, 2])
    assert batch["image"].shape == (5, 8, 8, 3)
    first_dog = np.asarray(Image.open(tmp_path / "dog/1.JPG"))[:, 2:10]
    np.testing.assert_array_equal(batch["image"][3], first_dog)


def test_a_flat_folder_is_unlabelled(tmp_path):
    save(tmp_path / "b.png", picture(8, 8, 1))
    save(tmp_path / "a.png", picture(8, 8, 2))
    source = open_folder(tmp_path)
    assert (len(source), source.num_classes, source[0]["label"]) == (2, 0, -1)
    np.testing.assert_array_equal(source[0]["image"], np.asarray(picture(8, 8, 2)))


def test_a_large_folder_is_decoded_on_demand(tmp_path, monkeypatch):
    monkeypatch.setattr("gan_jax.data.source.MEMORY_BYTES", 100)
    save(tmp_path / "a.png", picture(8, 8))
    source = open_folder(tmp_path)
    assert isinstance(source, FolderSource)
    np.testing.assert_array_equal(source.read(np.array([0, 0]))["image"][1], np.asarray(picture(8, 8)))


def test_the_largest_centred_square_is_kept():
    tall = np.zeros((20, 8, 3), np.uint8)
    tall[6:14] = np.asarray(picture(8, 8))
    np.testing.assert_array_equal(fit(Image.fromarray(tall), 8, 3), tall[6:14])


def test_shrinking_averages_instead_of_dropping_pixels():
    checker = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = fit(Image.fromarray(checker.astype(np.uint8)), 8, 1)
    assert np.abs(small.astype(int) - 127.5).max() < 8


def test_transparent_pixels_are_white_and_hidden_colours_do_not_show():
    image = Image.fromarray(np.zeros((8, 8, 4), np.uint8))
    image.putpixel((0, 0), (10, 20, 30, 255))
    result = fit(image, 8, 3)
    np.testing.assert_array_equal(result[0, 0], [10, 20, 30])
    assert (result.reshape(-1, 3)[1:] == 255).all()


def test_palette_grey_cmyk_and_16_bit_images_show_what_they_show_elsewhere(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    expected = np.repeat(grey[..., None], 3, axis=-1)
    files = {
        "grey": save(tmp_path / "grey.png", Image.fromarray(grey)),
        "palette": save(tmp_path / "palette.png", Image.fromarray(grey).convert("P")),
        "deep": save(tmp_path / "deep.png", Image.fromarray(grey.astype(np.uint16) * 256 + 99)),
    }
    for name, path in files.items():
        np.testing.assert_array_equal(decode(path, 8, 3), expected, err_msg=name)
        np.testing.assert_array_equal(decode(path, 8, 1)[..., 0], grey, err_msg=name)
    cmyk = save(tmp_path / "cmyk.jpg", Image.fromarray(expected).resize((64, 64), 0).convert("CMYK"), quality=100)
    assert np.abs(decode(cmyk, 8, 3).astype(int) - expected).mean() < 3


def test_the_exif_orientation_is_applied(tmp_path):
    image = picture(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    turned = save(tmp_path / "turned.png", image.rotate(180), exif=exif)
    np.testing.assert_array_equal(decode(turned, 8, 3), np.asarray(image))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.data\.source.*no folder .*nowhere"):
        open_folder(tmp_path / "nowhere")


def test_a_file_is_no_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"no folder .*a.png"):
        open_folder(save(tmp_path / "a.png"))


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} holds no PNG, JPEG or WebP"):
        open_folder(tmp_path)


def test_an_empty_class_folder_is_named(tmp_path):
    save(tmp_path / "cat/a.png")
    (tmp_path / "dog").mkdir()
    with pytest.raises(UserError, match=r"class folder .*dog holds no PNG, JPEG or WebP images"):
        open_folder(tmp_path)


def test_the_folder_above_the_data_set_is_recognised(tmp_path):
    save(tmp_path / "train/cat/a.png")
    with pytest.raises(UserError, match=r"is .*train itself the data set"):
        open_folder(tmp_path)


def test_images_beside_class_folders_are_refused(tmp_path):
    save(tmp_path / "cat/a.png")
    save(tmp_path / "stray.png")
    with pytest.raises(UserError, match=r"stray\.png.*beside folders.*cat"):
        open_folder(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_truncated_image_is_named(tmp_path, suffix):
    path = save(tmp_path / f"cut.{suffix}", picture(64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"cut\.{suffix} cannot be read as an image"):
        open_folder(tmp_path).read(np.array([0]))


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    (tmp_path / "text.png").write_bytes(content)
    with pytest.raises(UserError, match=r"text\.png cannot be read as an image"):
        open_folder(tmp_path)[0]


def test_a_file_that_vanished_is_named(tmp_path):
    path = save(tmp_path / "gone.png")
    source = open_folder(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=r"gone\.png cannot be read"):
        source[0]
