import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import UserError
from gan_jax.report.grid import BACKGROUND, make_grid, save_grid


def test_images_lie_row_by_row_with_gaps_between():
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((5, 4, 6, 1), np.uint8)
    grid = make_grid(images, columns=3)
    assert grid.shape == (2 * 5 + 1, 3 * 7 + 1, 1)
    assert grid[1, 1] == 1
    assert grid[4, 3 * 7 - 1] == 3
    assert grid[6, 8] == 5
    assert grid[0, 0] == grid[5, 1] == grid[6, 15] == BACKGROUND  # margin, gap, empty place


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_small_grids_are_enlarged_by_a_whole_factor(tmp_path, channels, mode):
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, channels), np.uint8)
    path = save_grid(tmp_path / "samples" / "0000000000.png", images, columns=3)
    with Image.open(path) as picture:
        assert picture.mode == mode
        pixels = np.asarray(picture).reshape(picture.height, picture.width, channels)
    grid = make_grid(images, 3)
    factor = pixels.shape[1] // grid.shape[1]
    np.testing.assert_array_equal(pixels, grid.repeat(factor, 0).repeat(factor, 1))
    assert 500 <= pixels.shape[1] < 600
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_large_grids_keep_their_pixels(tmp_path):
    images = np.zeros((4, 256, 256, 3), np.uint8)
    with Image.open(save_grid(tmp_path / "grid.png", images, columns=4)) as picture:
        assert picture.size == (4 * (256 + 8) + 8, 256 + 2 * 8)


def test_row_labels_stand_at_the_left(tmp_path):
    images = np.full((4, 32, 32, 3), 255, np.uint8)
    with Image.open(save_grid(tmp_path / "plain.png", images, 2)) as picture:
        plain = np.asarray(picture)
    with Image.open(save_grid(tmp_path / "labelled.png", images, 2, row_labels=["cat", "dog"])) as picture:
        labelled = np.asarray(picture)
    margin = labelled.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(labelled[:, margin:], plain)
    upper, lower = np.split(labelled[:, :margin], [len(plain) // 2])
    assert upper.max() > 150
    assert lower.max() > 150
    with pytest.raises(ValueError, match="3 row labels for 2 rows"):
        save_grid(tmp_path / "grid.png", images, 2, row_labels=["a", "b", "c"])


def test_a_folder_that_cannot_be_made_is_a_users_mistake(tmp_path):
    (tmp_path / "samples").write_text("a file")
    with pytest.raises(UserError, match=r"samples.0\.png cannot be written"):
        save_grid(tmp_path / "samples" / "0.png", np.zeros((1, 8, 8, 1), np.uint8), 1)


def test_shapes_that_are_no_images_are_refused():
    with pytest.raises(ValueError, match="1 or 3"):
        make_grid(np.zeros((2, 8, 8, 4), np.uint8), 2)
