"""KID and CMMD: values of the published codes, and an estimate that is right on average."""

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.metrics import kernel
from gan_jax.metrics.kernel import cmmd, kid, mmd2_unbiased
from tests.metrics.features import CASES, features, names, pair


@pytest.mark.parametrize("name", names("kid_"))
@pytest.mark.parametrize("tile", [2048, 64])
def test_kid_equals_the_published_codes(name, tile, monkeypatch):
    monkeypatch.setattr(kernel, "_TILE", tile)
    case = CASES[name]
    real, fake = pair(case)
    first = case["first_n"]
    value = mmd2_unbiased(real[:first], fake[:first])
    assert value == pytest.approx(case["mmd2_first_n_unbiased"], rel=1e-9)
    peer = case["torch_fidelity_seed2020_f64"]
    mean, deviation = kid(real, fake, case["subsets"], case["subset_size"])
    assert mean == pytest.approx(peer["mean"], rel=1e-9)
    assert deviation == pytest.approx(peer["std"], rel=1e-9)


def test_unequal_counts_by_the_definition():
    real, fake = features(1, 30, 4).astype(float), features(2, 50, 4, shift=1).astype(float)
    k = [(x @ y.T / 4 + 1) ** 3 for x, y in ((real, real), (fake, fake), (real, fake))]
    within = [(one.sum() - np.trace(one)) / (len(one) * (len(one) - 1)) for one in k[:2]]
    assert mmd2_unbiased(real, fake) == pytest.approx(sum(within) - 2 * k[2].mean(), rel=1e-12)


def test_the_estimate_is_right_on_average():
    """One distribution: both signs occur and the mean is 0 within its error; the biased estimate would be above."""
    draws = np.array([mmd2_unbiased(features(2 * i, 40, 8), features(2 * i + 1, 40, 8)) for i in range(300)])
    error = draws.std() / np.sqrt(len(draws))
    assert abs(draws.mean()) < 3 * error
    assert 0.2 < (draws < 0).mean() < 0.8


def test_order_does_not_matter_and_the_seed_does():
    real, fake = features(1, 60, 8), features(2, 60, 8, shift=0.5)
    assert mmd2_unbiased(real[::-1], fake) == pytest.approx(mmd2_unbiased(real, fake), rel=1e-12)
    assert mmd2_unbiased(fake, real) == pytest.approx(mmd2_unbiased(real, fake), rel=1e-12)
    assert kid(real, fake, 5, 20, seed=1) == kid(real, fake, 5, 20, seed=1) != kid(real, fake, 5, 20, seed=2)


@pytest.mark.parametrize("tile", [2048, 64])
def test_cmmd_equals_the_published_code(tile, monkeypatch):
    monkeypatch.setattr(kernel, "_TILE", tile)
    real, fake = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in pair(CASES["cmmd"]))
    assert real.dtype == np.float32
    assert cmmd(real, fake) == pytest.approx(CASES["cmmd"]["f64"], rel=1e-6)
    assert cmmd(3 * real, fake) == pytest.approx(cmmd(real, fake), rel=1e-5)  # the length of rows does not matter
    assert cmmd(real, real) == pytest.approx(0, abs=1e-10)


def test_cmmd_of_two_points_has_the_closed_form():
    right, up = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert cmmd(right, up) == pytest.approx(1000 * (2 - 2 * np.exp(-2 / 200)), rel=1e-12)


def test_unusable_rows_are_refused_in_a_sentence():
    rows = features(1, 30, 4)
    with pytest.raises(UserError, match="KID by subsets of 1,000 images needs as many, but 30 are real"):
        kid(rows, rows)
    with pytest.raises(UserError, match="needs as many, but 19 are generated"):
        kid(rows, rows[:19], size=20)
    with pytest.raises(UserError, match="subsets of 1 images: expected at least 2"):
        kid(rows, rows, size=1)
    with pytest.raises(UserError, match="the generated features have 1 rows: expected at least 2"):
        mmd2_unbiased(rows, rows[:1])
    with pytest.raises(UserError, match="4 dimensions and the generated ones 3"):
        cmmd(rows, rows[:, :3])
    with pytest.raises(UserError, match="1 of 30 rows of the generated features hold NaN"):
        mmd2_unbiased(rows, np.where(np.arange(120).reshape(30, 4) == 9, np.inf, rows))
    with pytest.raises(UserError, match="1 rows of the generated features are zero"):
        cmmd(rows, rows * (np.arange(30)[:, None] > 0))
