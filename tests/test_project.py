"""`gan-jax project` on a tiny network: an image that it made itself is found, and can be made again from the file."""

import numpy as np
import pytest
from PIL import Image

from gan_jax import config as configs
from gan_jax import projector, styles
from gan_jax.errors import ConfigError, UserError
from gan_jax.layers.pixels import to_float
from gan_jax.losses.perceptual import perceptual_distance
from gan_jax.project import project
from gan_jax.report.grid import save_image
from gan_jax.sample import render
from gan_jax.sampling import Options, labels_of_class, of_workdir
from tests import styled


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return styled.save(tmp_path_factory.mktemp("project") / "run")


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path))[None, :, :, None]


def test_an_image_of_the_network_is_found_and_the_file_makes_it_again(workdir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(projector, "STATISTICS_SAMPLES", 256)
    sampler, variables = of_workdir(styled.CONFIG, workdir, Options())
    # Found from any seed of the search; of other targets some searches stay in a second minimum nearby.
    target, other = sampler.draw(variables, np.full(2, 3, np.int32), seeds=(3, 1))
    save_image(tmp_path / "target.png", target)
    told = project(styled.CONFIG, workdir, tmp_path / "target.png", tmp_path / "out", 150, 0, 3)
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {"target.png", "projected.png", "both.png", "projected_w.npz"}
    np.testing.assert_array_equal(pixels(out / "target.png")[0], target)
    ws = styles.load(out / "projected_w.npz")
    assert ws.shape == (1, styled.LAYERS, styled.DIM_W)

    mean = np.concatenate(list(sampler.ws(variables, labels_of_class(3, 256, styled.CONFIG.data)))).mean(0)[None]
    (begin,) = sampler.of_ws(variables, mean)
    before, after, between = (
        float(perceptual_distance(to_float(image), to_float(target[None]))[0])
        for image in (begin, pixels(out / "projected.png"), other[None])
    )
    assert after < min(before, between) / 5
    assert told.startswith(f"distance {after:.4f}; target and projection in {out}/both.png")
    news = capsys.readouterr().err.splitlines()
    assert news[-1].startswith("step 150 of 150: distance 0.0")

    render(styled.CONFIG, workdir, tmp_path / "again", out / "projected_w.npz")
    assert np.abs(pixels(tmp_path / "again" / "000000.png").astype(int) - pixels(out / "projected.png")).max() <= 1
    with Image.open(out / "both.png") as both:
        assert both.width > 1.9 * both.height


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        (("missing.png", 10, 3), UserError, "missing.png"),
        (("target.png", 0, 3), ConfigError, "--steps is 0: expected at least 1"),
        (("target.png", 10, None), ConfigError, "--class is missing"),
    ],
)
def test_what_cannot_be_projected_is_a_sentence(workdir, tmp_path, asked, kind, message):
    save_image(tmp_path / "target.png", np.zeros((20, 30, 3), np.uint8))
    name, steps, number = asked
    with pytest.raises(kind, match=message):
        project(styled.CONFIG, workdir, tmp_path / name, tmp_path / "out", steps, 0, number)
    assert not (tmp_path / "out").exists()


def test_lpips_asks_for_its_weights_before_anything_is_searched(workdir, tmp_path):
    save_image(tmp_path / "target.png", np.zeros((20, 30, 3), np.uint8))
    config = configs.read(workdir, [f"evaluate.weights={tmp_path}/weights"])
    with pytest.raises(ConfigError, match="weights/vgg16-397923af.pth is missing: get it from"):
        project(config, workdir, tmp_path / "target.png", tmp_path / "out", 10, 0, 3, "lpips")
    assert not (tmp_path / "out").exists()
