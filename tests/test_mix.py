"""Style mixing: which layers come from where, and where sources and mixtures stand in the grid."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import ConfigError
from gan_jax.mix import mix, mixed
from gan_jax.report.grid import BACKGROUND
from gan_jax.sampling import Options, of_workdir
from tests import styled

ROWS, COLUMNS = (85, 100), (55, 21, 17)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return styled.save(tmp_path_factory.mktemp("mix") / "run")


def cell(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    """An image of 16 pixels out of a grid with gaps of 1, enlarged by a whole factor."""
    factor = picture.shape[1] // (1 + 17 * (1 + len(COLUMNS)))
    plain = picture[::factor, ::factor].astype(int)
    return plain[1 + 17 * row :, 1 + 17 * column :][:16, :16]


def test_layers_come_from_the_column_or_the_row():
    rows, columns = np.zeros((2, 4, 1)), np.ones((3, 4, 1))
    rows[1], columns[2] = 10, 20
    found = mixed(rows, columns, (0, 3))[..., 0].reshape(2, 3, 4)
    assert found[0, 0].tolist() == [1, 0, 0, 1]
    assert found[1, 0].tolist() == [1, 10, 10, 1]
    assert found[1, 2].tolist() == [20, 10, 10, 20]


def test_the_grid_has_sources_at_its_sides_and_mixtures_between(workdir, tmp_path):
    def picture(layers):
        told = mix(styled.CONFIG, workdir, tmp_path / "x.png", ROWS, COLUMNS, layers, 3, Options())
        assert told == f"2 x 3 mixtures in {tmp_path}/x.png"
        return np.asarray(Image.open(tmp_path / "x.png"))

    sampler, variables = of_workdir(styled.CONFIG, workdir, Options())
    sources = sampler.draw(variables, np.full(5, 3, np.int32), seeds=ROWS + COLUMNS)[..., 0].astype(int)
    assert len(np.unique(sources.reshape(5, -1), axis=0)) == 5
    of_all, of_some = picture(tuple(range(styled.LAYERS))), picture((0, 1, 2))
    assert (cell(of_all, 0, 0) == BACKGROUND).all()
    for grid in (of_all, of_some):
        for i in range(2):
            assert np.abs(cell(grid, 1 + i, 0) - sources[i]).max() <= 1
        for j in range(3):
            assert np.abs(cell(grid, 0, 1 + j) - sources[2 + j]).max() <= 1
    for i in range(2):
        for j in range(3):  # all layers from the column: the column's image
            assert np.abs(cell(of_all, 1 + i, 1 + j) - sources[2 + j]).max() <= 1
            assert np.abs(cell(of_some, 1 + i, 1 + j) - sources[2 + j]).max() > 1
            assert np.abs(cell(of_some, 1 + i, 1 + j) - sources[i]).max() > 1


@pytest.mark.parametrize(
    ("out", "layers", "number", "message"),
    [
        ("x.gif", (0,), 3, "x.gif: expected FILE.png"),
        ("x.png", (0,), None, "--class is missing: the model has classes 0 to 9, choose one"),
        ("x.png", (0,), 10, "--class names 10, but the model has classes 0 to 9"),
        ("x.png", (5, 6), 3, "--layers names 6, but this generator has layers 0 to 5"),
    ],
)
def test_what_cannot_be_mixed_is_a_sentence(workdir, tmp_path, out, layers, number, message):
    with pytest.raises(ConfigError, match=message):
        mix(styled.CONFIG, workdir, tmp_path / out, ROWS, COLUMNS, layers, number, Options())
    assert not list(tmp_path.iterdir())
