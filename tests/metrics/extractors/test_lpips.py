"""LPIPS against its authors' code with random weights, its gradient, and its files."""

import dataclasses
import hashlib
import shutil

import jax
import numpy as np
import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics.extractors import lpips, vgg16
from tests.metrics.extractors import recipes
from tests.reference import cases
from tests.weights import torch_writer

WIDTHS = (64, 128, 256, 512, 512)
distances = jax.jit(lpips.distances)


def published() -> dict:
    return cases("eval_metrics")["cases"]["lpips_vgg_random"]


def linear() -> dict[str, np.ndarray]:
    names = published()["lin_names"]
    return {
        name: recipes.tensor(name, (1, width, 1, 1), published()["weight_seed"])
        for name, width in zip(names, WIDTHS, strict=True)
    }


def write(path, tensors) -> str:
    content = torch_writer.zipped(torch_writer.state_dict(tensors))
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True, scope="module")
def any_weights():
    """Files whatever their hash, and fully connected layers, which nobody reads, of a size that a test can write."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg16, "_HIDDEN", 8)
        patch.setattr(vgg16, "_CLASSES", 5)
        for module in (vgg16, lpips):
            patch.setattr(module, "FILE", dataclasses.replace(module.FILE, sha256=""))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write(folder / vgg16.FILE.names[0], recipes.vgg16_tensors(published()["weight_seed"], 8, 5))
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    write(folder / lpips.FILE.names[0], linear())
    return lpips.load(folder)


@pytest.fixture(scope="module")
def pairs():
    x = recipes.images(published()["image_seed"], "blocks", 4, 64, 64) / np.float32(127.5) - 1
    return x[:2], x[2:]


def test_distances_are_those_of_the_published_code(loaded, pairs):
    parts = np.asarray(distances(loaded.variables, *pairs))
    assert (parts.dtype, parts.shape) == (np.float32, (2, 5))
    np.testing.assert_allclose(parts.T, published()["per_layer"], rtol=0, atol=2e-6)
    total = lpips.distance(loaded.variables, *pairs)
    np.testing.assert_allclose(total, published()["distance"], rtol=0, atol=4e-6)


def test_the_stages_give_what_the_published_code_sees(loaded, pairs):
    """Their means over the first images of both pairs."""
    x = (pairs[0] - np.float32([-0.030, -0.088, -0.188])) / np.float32([0.458, 0.448, 0.450])
    taps = jax.jit(vgg16.taps)(loaded.variables["features"], x)
    assert [tap.shape for tap in taps] == [(2, 64 // 2**i, 64 // 2**i, width) for i, width in enumerate(WIDTHS)]
    np.testing.assert_allclose([tap.mean() for tap in taps], published()["features_mean_abs"], rtol=1e-5)


def test_it_is_a_distance_and_knows_one_channel(loaded, pairs):
    a, b = pairs
    np.testing.assert_array_equal(distances(loaded.variables, a, a), np.zeros((2, 5)))
    np.testing.assert_allclose(
        distances(loaded.variables, a, b), distances(loaded.variables, b, a), rtol=1e-5, atol=1e-7
    )
    grey = a[..., :1], b[..., :1]
    colours = (np.repeat(x, 3, axis=-1) for x in grey)
    np.testing.assert_allclose(distances(loaded.variables, *grey), distances(loaded.variables, *colours), rtol=1e-5)


@pytest.fixture(scope="module")
def gradient():
    return jax.jit(jax.value_and_grad(lambda a, variables, b: lpips.distance(variables, a, b).sum()))


def test_the_gradient_points_uphill(loaded, gradient):
    """Against a difference of two distances along the gradient itself, on images of 16 pixels."""
    random = np.random.RandomState(0)
    a, b = (random.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32) for _ in range(2))
    _, slope = gradient(a, loaded.variables, b)
    step = 1e-3 * np.asarray(slope) / np.linalg.norm(slope)
    ahead, behind = (float(gradient(a + sign * step, loaded.variables, b)[0]) for sign in (1, -1))
    assert (ahead - behind) / 2e-3 == pytest.approx(np.linalg.norm(slope), rel=2e-2)


def test_the_gradient_is_finite_where_nothing_is_seen(loaded, gradient):
    """Equal images, and a network all of whose ReLUs are shut, so that lengths are 0."""
    images = np.zeros((1, 16, 16, 3), np.float32)
    _, slope = gradient(images, loaded.variables, images)
    np.testing.assert_allclose(slope, np.zeros_like(images), atol=1e-6)
    layers = {
        name: layer | {"bias": np.full_like(layer["bias"], -100)}
        for name, layer in loaded.variables["features"].items()
    }
    value, slope = gradient(images, loaded.variables | {"features": layers}, images + 0.5)
    assert float(value) == 0
    np.testing.assert_array_equal(slope, np.zeros_like(images))
    cells = np.float32([[0, 0], [3, 4]])
    unit, pull_back = jax.vjp(lpips._unit, cells)
    np.testing.assert_allclose(unit, [[0, 0], [0.6, 0.8]], rtol=1e-6)
    assert np.isfinite(pull_back(np.ones_like(cells))[0]).all()


def test_every_product_has_the_highest_precision_backward_too(loaded, pairs):
    a, b = (x[:, :16, :16] for x in pairs)
    jaxpr = jax.make_jaxpr(jax.grad(lambda a: lpips.distance(loaded.variables, a, b).sum()))(a)
    products = [e for e in jaxpr.jaxpr.eqns if e.primitive.name in ("conv_general_dilated", "dot_general")]
    assert len(products) == 3 * 13
    assert {e.params["precision"] for e in products} == {(jax.lax.Precision.HIGHEST,) * 2}


# ----------------------------------------------------------------------------------------------------------- files


def test_the_hash_is_of_both_files(folder, loaded):
    both = [hashlib.sha256((folder / module.FILE.names[0]).read_bytes()).hexdigest() for module in (vgg16, lpips)]
    assert loaded.sha256 == hashlib.sha256("".join(both).encode()).hexdigest()


def test_the_copy_of_torch_fidelity_is_taken_too(folder, tmp_path, loaded):
    (tmp_path / vgg16.FILE.names[0]).symlink_to(folder / vgg16.FILE.names[0])
    shutil.copy(folder / "vgg.pth", tmp_path / "weights-vgg16-lpips.pth")
    assert lpips.load(tmp_path).sha256 == loaded.sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lin4.model.1.weight": None}, "vgg.pth lacks lin4.model.1.weight: 1 of 5"),
        ({"lin2.model.1.weight": np.zeros((1, 64, 1, 1), np.float32)}, r"\(1, 64, 1, 1\), expected \(1, 256, 1, 1\)"),
    ],
)
def test_other_tensors_are_a_sentence(folder, tmp_path, changes, message):
    (tmp_path / vgg16.FILE.names[0]).symlink_to(folder / vgg16.FILE.names[0])
    write(tmp_path / "vgg.pth", {name: value for name, value in (linear() | changes).items() if value is not None})
    with pytest.raises(UserError, match=message):
        lpips.load(tmp_path)


def test_an_absent_file_is_a_sentence_that_says_where_it_comes_from(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"vgg16-397923af.pth is missing: get it from https://download.pytorch.org"):
        lpips.load(tmp_path)
    (tmp_path / vgg16.FILE.names[0]).symlink_to(folder / vgg16.FILE.names[0])
    with pytest.raises(ConfigError, match=r"vgg.pth is missing: get it from https://github.com/richzhang/Perceptual"):
        lpips.load(tmp_path)
