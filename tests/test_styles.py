"""Files of styles, and the images of them."""

import numpy as np
import pytest
from PIL import Image

from gan_jax import styles
from gan_jax.errors import ConfigError, UserError
from gan_jax.sample import render
from gan_jax.sampling import Options, of_workdir
from tests import styled

WS = np.random.RandomState(0).normal(size=(3, styled.LAYERS, styled.DIM_W)).astype(np.float32)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return styled.save(tmp_path_factory.mktemp("styles") / "run")


def test_a_file_gives_back_what_was_saved(tmp_path):
    styles.save(tmp_path / "deep" / "x.npz", WS)
    np.testing.assert_array_equal(styles.load(tmp_path / "deep" / "x.npz"), WS)
    with np.load(tmp_path / "deep" / "x.npz") as arrays:
        assert list(arrays) == ["w"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"ws": WS}, "holds no styles .*expected an .npz file with one array w"),
        ({"w": WS[0]}, r"holds w of shape \(6, 32\), float32: expected finite numbers \[n, layers, d\]"),
        ({"w": WS[:0]}, r"n > 0"),
        ({"w": WS.astype(int)}, "int64"),
        ({"w": WS * np.nan}, "finite"),
        ({"w": np.array([[[{}]]])}, "holds no styles"),  # a pickle, which is not opened
    ],
)
def test_other_arrays_are_a_sentence(tmp_path, arrays, message):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match=message):
        styles.load(tmp_path / "x.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"\x93NUMPY", b"text"])
def test_other_files_are_a_sentence(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(UserError, match="x.npz holds no styles"):
        styles.load(tmp_path / "x.npz")


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="x.npz cannot be read: No such file"):
        styles.load(tmp_path / "x.npz")


def test_the_images_of_styles_are_those_of_the_seeds_that_have_them(workdir, tmp_path):
    sampler, variables = of_workdir(styled.CONFIG, workdir, Options(truncation=0.7))
    labels = np.int32([3, 4, 9])
    (ws,) = sampler.ws(variables, labels, seeds=(1, 2, 3))
    assert (ws.shape, ws.dtype) == (WS.shape, np.float32)
    styles.save(tmp_path / "x.npz", ws)
    told = render(styled.CONFIG, workdir, tmp_path / "files", tmp_path / "x.npz")
    assert told == f"3 images in {tmp_path}/files/"
    expected = sampler.draw(variables, labels, seeds=(1, 2, 3))
    assert len(np.unique(expected.reshape(3, -1), axis=0)) == 3
    for index, image in enumerate(expected):
        found = np.asarray(Image.open(tmp_path / "files" / f"{index:06d}.png"))
        assert np.abs(found.astype(int) - image[..., 0]).max() <= 1


def test_styles_of_another_generator_are_a_sentence(workdir, tmp_path):
    styles.save(tmp_path / "x.npz", WS[:, :5])
    with pytest.raises(ConfigError, match=r"x.npz holds w of shape \(3, 5, 32\): this generator takes \('n', 6, 32\)"):
        render(styled.CONFIG, workdir, tmp_path / "x.png", tmp_path / "x.npz")
    assert not (tmp_path / "x.png").exists()
