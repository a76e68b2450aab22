"""The polygons are those of the authors' generator, bit for bit."""

import json
import pathlib

import numpy as np
import pytest
from ml_collections import ConfigDict

from gan_jax.data import polygons
from gan_jax.data.source import open_source
from gan_jax.errors import ConfigError

DATA = pathlib.Path(__file__).parent.parent / "data"
FACTS = json.loads((DATA / "triangles.json").read_text())


@pytest.fixture(scope="module")
def stored():
    return np.load(DATA / "triangles.npz")


@pytest.mark.parametrize("chunk", [512, 5])
def test_triangles_and_their_vertices_equal_the_published_ones(stored, monkeypatch, chunk):
    monkeypatch.setattr(polygons, "CHUNK", chunk)
    images, corners = polygons.draw_polygons(FACTS["n"], seed=FACTS["seed"])
    np.testing.assert_array_equal(images, stored["triangles_x64"])
    np.testing.assert_allclose(corners, stored["vertices"], rtol=0, atol=1e-12)
    assert (images / 64).mean() == pytest.approx(FACTS["mean_pixel"], rel=1e-12)


def test_quadrangles_equal_the_published_ones(stored):
    images, corners = polygons.draw_polygons(FACTS["n_quads"], vertices=4, seed=FACTS["quads_seed"])
    np.testing.assert_array_equal(images, stored["quads_x64"])
    assert corners.shape == (8, 4, 2)


@pytest.mark.parametrize("vertices", [3, 4, 8])
def test_polygons_with_nearly_level_sides_equal_a_count_point_by_point(vertices):
    images, corners = polygons.draw_polygons(4000, vertices)
    rise = np.abs(corners - np.roll(corners, 1, axis=1)).min(axis=(1, 2))
    points = np.stack(np.meshgrid(np.arange(224), np.arange(224), indexing="ij"), axis=-1)
    for index in np.argsort(rise)[:5]:
        starts = 8 * corners[index, :, None, None]
        side, offset = np.roll(starts, -1, axis=0) - starts, points - starts
        inside = (side[..., 0] * offset[..., 1] >= side[..., 1] * offset[..., 0]).all(axis=0)
        white = np.pad(~inside, ((3, 0), (3, 0)), constant_values=True)[:224, :224]
        np.testing.assert_array_equal(images[index], white.reshape(28, 8, 28, 8).sum(axis=(1, 3)))


def test_the_grey_levels_give_the_64ths_back():
    levels = np.arange(65, dtype=np.uint8)
    grey = polygons.to_grey(levels.reshape(1, 5, 13))
    assert grey.shape == (1, 5, 13, 1)
    assert grey.dtype == np.uint8
    assert (grey.min(), grey.max()) == (0, 255)
    np.testing.assert_array_equal(np.round(grey.ravel().astype(float) * 64 / 255), levels)
    assert np.abs(grey.ravel() / 255 - levels / 64).max() <= 0.5 / 255 + 1e-12


def test_the_source_holds_the_asked_number_of_unlabelled_images():
    section = {"source": "polygons", "resolution": 28, "channels": 1, "count": 24}
    source = open_source(ConfigDict(section))
    assert (len(source), source.image_shape, source.num_classes) == (24, (28, 28, 1), 0)
    np.testing.assert_array_equal(source.images, polygons.to_grey(polygons.draw_polygons(24)[0]))
    assert source[3]["label"] == -1


@pytest.mark.parametrize(("resolution", "channels"), [(32, 1), (28, 3)])
def test_another_shape_is_refused(resolution, channels):
    section = {"source": "polygons", "resolution": resolution, "channels": channels, "count": 8}
    with pytest.raises(ConfigError, match=r"config.data.resolution.*28 pixels wide with 1 channel"):
        open_source(ConfigDict(section))


def test_no_polygons_at_all_are_refused():
    section = {"source": "polygons", "resolution": 28, "channels": 1, "count": 0}
    with pytest.raises(ConfigError, match=r"config\.data\.count is 0"):
        open_source(ConfigDict(section))


def test_splits_are_parts_of_one_drawing():
    section = ConfigDict({"source": "polygons", "resolution": 28, "channels": 1, "count": 24})
    whole = open_source(section).images
    parts = []
    for split, count in (("train", 18), ("test", 3), ("validation", 3)):
        section.source = f"polygons:{split}"
        parts.append(open_source(section).images)
        assert len(parts[-1]) == count
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    section.source = "polygons:5"
    with pytest.raises(ConfigError, match="no split '5': expected one of train, test, validation"):
        open_source(section)
