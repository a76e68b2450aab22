"""Interpolation: lines in w, great circles in z, films that close, strips with both ends."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from gan_jax import interpolate as tool
from gan_jax.errors import ConfigError
from gan_jax.interpolate import interpolate, lerp, slerp, way
from gan_jax.sampling import Options, of_workdir
from tests import styled


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return styled.save(tmp_path_factory.mktemp("interpolate") / "run")


def test_a_great_circle_keeps_length_and_goes_evenly():
    a, b = np.float32([2, 0, 0]), np.float32([0, 2, 0])
    points = [slerp(a, b, t) for t in (0, 1 / 3, 2 / 3, 1)]
    expected = [[2, 0, 0], [3**0.5, 1, 0], [1, 3**0.5, 0], [0, 2, 0]]
    np.testing.assert_allclose(points, expected, atol=1e-6)
    assert points[1].dtype == np.float32


def test_a_great_circle_of_one_direction_is_a_line():
    a = np.float32([1, 2, 2])
    np.testing.assert_allclose(slerp(a, a, 0.3), a)
    np.testing.assert_allclose(slerp(a, 3 * a, 0.5), 2 * a, rtol=1e-5)
    assert np.isfinite(slerp(a, -a, 0.5)).all()


def test_latents_of_any_shape_are_one_vector():
    a, b = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)
    a[0, 0] = b[1, 1] = 1
    np.testing.assert_allclose(slerp(a, b, 0.5), (a + b) / 2**0.5, rtol=1e-6)


def test_a_closed_way_comes_back_and_an_open_one_has_both_ends():
    ends = np.float32([0, 10, 20])
    assert way(ends, 2, lerp, closed=True).tolist() == [0, 5, 10, 15, 20, 10]
    assert way(ends, 3, lerp, closed=False).tolist() == [0, 5, 10, 10, 15, 20]


def test_a_strip_has_a_row_from_each_seed_to_the_next(workdir, tmp_path):
    told = interpolate(styled.CONFIG, workdir, tmp_path / "x.png", (1, 2, 3), 4, 25, 3, Options(truncation=0.7))
    assert told == f"8 images in {tmp_path}/x.png"
    picture = np.asarray(Image.open(tmp_path / "x.png"))
    factor = picture.shape[1] // (1 + 17 * 4)
    plain = picture[::factor, ::factor].astype(int)

    def at(row, column):
        return plain[1 + 17 * row :, 1 + 17 * column :][:16, :16]

    sampler, variables = of_workdir(styled.CONFIG, workdir, Options(truncation=0.7))
    labels = np.full(3, 3, np.int32)
    ends = sampler.draw(variables, labels, seeds=(1, 2, 3))[..., 0]
    for (row, column), image in zip(((0, 0), (0, 3), (1, 3)), ends, strict=True):
        assert np.abs(at(row, column) - image).max() <= 1
    assert np.abs(at(1, 0) - ends[1]).max() <= 1
    (ws,) = sampler.ws(variables, labels, seeds=(1, 2, 3))
    (third,) = sampler.of_ws(variables, ws[:1] + (ws[1:2] - ws[:1]) / 3)
    assert np.abs(at(0, 1) - third[0, ..., 0]).max() <= 1
    assert np.abs(at(0, 1) - at(0, 0)).max() > 1


def test_without_styles_the_way_is_in_z_and_the_film_has_every_frame(workdir, tmp_path, monkeypatch):
    seen = []

    def plain(config, workdir, options):
        sampler, variables = of_workdir(config, workdir, options)
        sampler.recipe = dataclasses.replace(sampler.recipe, styles=None)
        of_latents = sampler.of_latents
        sampler.of_latents = lambda variables, z, labels: seen.append(z) or of_latents(variables, z, labels)
        return sampler, variables

    monkeypatch.setattr(tool, "of_workdir", plain)
    told = interpolate(styled.CONFIG, workdir, tmp_path / "x.gif", (1, 2), 6, 20, 3, Options())
    assert told == f"12 images in {tmp_path}/x.gif"
    (z,) = seen
    sampler, _ = of_workdir(styled.CONFIG, workdir, Options())
    np.testing.assert_allclose(z[[0, 6]], sampler.latents(2, seeds=(1, 2)), rtol=1e-6)
    lengths = np.linalg.norm(z, axis=1)
    low, high = sorted(lengths[[0, 6]])
    assert (lengths > 0.95 * low).all()
    assert (lengths < 1.05 * high).all()
    with Image.open(tmp_path / "x.gif") as film:
        assert (film.n_frames, film.size, film.info["duration"]) == (12, (256, 256), 50)


@pytest.mark.parametrize(
    ("out", "arguments", "message"),
    [
        ("x.avi", {}, "x.avi: expected FILE.gif, FILE.mp4 or FILE.png"),
        ("x.gif", {"seeds": (1,)}, "--seeds names 1: expected at least two"),
        ("x.gif", {"frames": 1}, "--frames is 1: expected at least 2"),
        ("x.gif", {"rate": 0}, "--rate is 0: expected 1 to 100"),
        ("x.gif", {"number": None}, "--class is missing"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(workdir, tmp_path, out, arguments, message):
    asked = {"seeds": (1, 2), "frames": 3, "rate": 25, "number": 3, **arguments}
    with pytest.raises(ConfigError, match=message):
        interpolate(styled.CONFIG, workdir, tmp_path / out, *asked.values(), Options())
    assert not list(tmp_path.iterdir())
