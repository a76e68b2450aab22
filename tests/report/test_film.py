"""Films: frames, length and rate of a GIF; MP4 by the ffmpeg at hand, a stand-in, and none at all."""

import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import ConfigError, UserError
from gan_jax.report import film

GREY = np.stack([np.full((20, 28, 1), value, np.uint8) for value in (0, 100, 200)])
COLOUR = np.stack([np.full((20, 28, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))])


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts an ffmpeg on the PATH that is a Python script."""

    def put(script: str):
        file = tmp_path / "bin" / "ffmpeg"
        file.parent.mkdir()
        file.write_text(f"#!{sys.executable}\nimport sys\n{script}")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", str(file.parent))

    return put


@pytest.mark.parametrize(("images", "colours"), [(GREY, [(0,) * 3, (100,) * 3, (200,) * 3]), (COLOUR, COLOUR[:, 0, 0])])
def test_a_gif_shows_the_images_enlarged_over_and_over(tmp_path, images, colours):
    path = film.save_film(tmp_path / "deep" / "x.GIF", iter([images[:2], images[2:]]), rate=25)
    with Image.open(path) as picture:
        assert (picture.n_frames, picture.size, picture.info["loop"]) == (3, (280, 200), 0)
        for number, colour in enumerate(colours):
            picture.seek(number)
            assert picture.info["duration"] == 40
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB"))[150, 100], colour)


def test_wide_images_keep_their_size(tmp_path):
    path = film.save_film(tmp_path / "x.gif", [np.zeros((2, 10, 256, 1), np.uint8)], rate=25)
    with Image.open(path) as picture:
        assert picture.size == (256, 10)


def test_ffmpeg_gets_every_pixel_once_and_is_told_size_and_rate(tmp_path, program):
    program("open(sys.argv[-1], 'wb').write(repr(sys.argv[1:-1]).encode() + b'|' + sys.stdin.buffer.read())")
    content = film.save_film(tmp_path / "x.mp4", [COLOUR[:2], COLOUR[2:]], rate=12).read_bytes()
    arguments, _, pixels = content.partition(b"|")
    expected = COLOUR.repeat(10, axis=1).repeat(10, axis=2)
    np.testing.assert_array_equal(np.frombuffer(pixels, np.uint8).reshape(expected.shape), expected)
    assert b"'-pix_fmt', 'rgb24', '-s', '280x200', '-r', '12'" in arguments


@pytest.mark.parametrize("script", ["sys.exit('no encoder')", "sys.stdin.buffer.read(); sys.exit('no encoder')"])
def test_an_ffmpeg_that_fails_is_a_sentence(tmp_path, program, script):
    program(script)
    with pytest.raises(UserError, match="makes no MP4 .no encoder.: install a whole ffmpeg"):
        film.save_film(tmp_path / "x.mp4", [np.zeros((50, 256, 256, 3), np.uint8)], rate=25)
    assert not (tmp_path / "x.mp4").exists()


def test_without_ffmpeg_a_sentence_names_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(film.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="ffmpeg, which is not on the PATH: install it, .* or choose --out=FILE.gif"):
        film.save_film(tmp_path / "x.mp4", [GREY], rate=25)


def test_a_real_ffmpeg_makes_an_mp4(tmp_path):
    if not (shutil.which("ffmpeg") or film.importlib.util.find_spec("imageio_ffmpeg")):
        pytest.skip("no ffmpeg here")
    odd = np.zeros((5, 301, 299, 1), np.uint8)
    assert film.save_film(tmp_path / "x.mp4", [odd], rate=25).read_bytes()[4:8] == b"ftyp"
