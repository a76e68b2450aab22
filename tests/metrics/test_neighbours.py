"""Scores by nearest neighbours: values of the published codes, brute force, ties, small tiles."""

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.metrics import neighbours
from gan_jax.metrics.neighbours import Neighbourhood, density_coverage, nearest, precision_recall, realism
from tests.metrics.features import CASES, features, names, pair


@pytest.fixture(params=[2048, 64], ids=["one tile", "many tiles"])
def _tile(request, monkeypatch):
    monkeypatch.setattr(neighbours, "TILE", request.param)


def rows_of(name):
    if name == "pr_ties_integer_grid":
        random = np.random.RandomState(450)
        return random.randint(0, 4, (200, 3)), random.randint(0, 4, (180, 3))
    return pair(CASES[name])


@pytest.mark.usefixtures("_tile")
@pytest.mark.parametrize("name", names("pr_"))
def test_scores_equal_the_published_codes(name):
    case = CASES[name]
    real, fake = rows_of(name)
    both = Neighbourhood(real, fake, (3, 5))
    for k in (3, 5):
        prdc, fidelity = case[f"prdc_k{k}"], case[f"torch_fidelity_k{k}"]
        assert both.precision_recall(k, strict=True) == pytest.approx((prdc["precision"], prdc["recall"]), abs=1e-12)
        assert both.density_coverage(k) == pytest.approx((prdc["density"], prdc["coverage"]), abs=1e-12)
        assert both.precision_recall(k) == pytest.approx((fidelity["precision"], fidelity["recall"]), abs=1e-7)
        assert precision_recall(real, fake, k) == both.precision_recall(k)
        assert precision_recall(real, fake, k, strict=True) == both.precision_recall(k, strict=True)
        assert density_coverage(real, fake, k) == both.density_coverage(k)


@pytest.mark.usefixtures("_tile")
@pytest.mark.parametrize("name", ["pr_d32", "pr_d8_far"])
def test_realism_equals_the_published_codes(name):
    case = CASES[name]
    real, fake = rows_of(name)
    for k in (3, 5):
        released = realism(real, fake, k, released=True)
        assert released.mean() == pytest.approx(case[f"kynkaat_k{k}_f32_squared"]["max_realism_mean"], rel=1e-5)
    paper = realism(real, fake, 5)
    assert paper.mean() == pytest.approx(case["dgm_eval_realism_k5"]["mean"], rel=1e-9)
    np.testing.assert_allclose(paper[:5], case["dgm_eval_realism_k5"]["first5"], rtol=1e-9)


def test_realism_on_a_grid_has_the_released_value():
    real, fake = rows_of("pr_ties_integer_grid")
    expected = CASES["pr_ties_integer_grid"]["kynkaat_k3_f32_squared"]["max_realism_mean"]
    assert realism(real, fake, 3, released=True).mean() == pytest.approx(expected, rel=1e-5)


@pytest.mark.usefixtures("_tile")
@pytest.mark.parametrize("shift", [0, 1000])
@pytest.mark.parametrize("n", [65, 150])
def test_equal_sets_are_exact(shift, n):
    """Every row has its copy at distance 0 and a ball's k-th neighbour on the surface: rounding must not decide."""
    rows = features(1, n, 48, shift=shift)
    for fake in (rows, rows.copy()[::-1]):
        both = Neighbourhood(rows, fake, (3, 5))
        assert both.precision_recall(3) == both.precision_recall(3, strict=True) == (1, 1)
        assert both.density_coverage(5) == (1, 1)
        assert both.density_coverage(3) == (1, 1)
        assert np.isinf(realism(rows, fake, 3)).sum() == n // 2  # those at the centres of the smaller half of the balls


@pytest.mark.usefixtures("_tile")
def test_repeated_rows_have_balls_of_no_size():
    rows = np.repeat(features(2, 40, 48, shift=100), 4, axis=0)
    assert precision_recall(rows, rows[::4].repeat(5, axis=0), 3) == (1, 1)
    assert precision_recall(rows, rows[::4].repeat(5, axis=0), 3, strict=True) == (0, 0)
    assert density_coverage(rows, rows, 3) == (0, 0)
    assert density_coverage(rows, rows, 4) == (1, 1)  # each ball holds the four copies of its row


@pytest.mark.usefixtures("_tile")
def test_two_points_on_a_line():
    """Balls reach 1 (at 0 and 1) and 9 (at 10) with k = 1."""
    real, fake = np.array([[0.0], [1.0], [10.0]]), np.array([[-1.0], [-1.5], [19.5], [5.0]])
    assert precision_recall(real, fake, k=1) == (0.5, 1)  # -1 is on the surface, 5 inside
    assert precision_recall(real, fake, k=1, strict=True) == (0.25, 1)
    assert density_coverage(real, fake, k=1) == (0.25, 1 / 3)
    np.testing.assert_allclose(realism(np.vstack([real, [[13.0]]]), fake, k=1), [1, 1 / 1.5, 1 / 18.5, 1 / 4])


@pytest.mark.usefixtures("_tile")
def test_nearest_references_in_order():
    references, queries = features(3, 300, 8), features(4, 70, 8)
    references[170] = references[20]  # equally near: the lower index comes first
    queries[0] = references[20] + np.float32(0.01)
    apart = np.linalg.norm(queries[:, None].astype(float) - references, axis=-1)
    order = np.argsort(apart, axis=1, kind="stable")[:, :4]
    distances, indices = nearest(queries, references, 4)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances, np.take_along_axis(apart, order, 1), rtol=1e-12)
    assert indices[0, :2].tolist() == [20, 170]
    np.testing.assert_array_equal(nearest(queries[1:], references)[1], order[1:, :1])
    assert nearest(references, references)[0].max() == 0


@pytest.mark.usefixtures("_tile")
def test_one_enormous_row_does_not_blur_the_others():
    """Its inner products are known to about the size of the others' distances."""
    real, fake = features(7, 150, 48), features(8, 130, 48, scale=0.9)
    fake[0] = 1e7

    def apart(a, b):
        return np.square(a[:, None].astype(float) - b).sum(axis=-1)

    real_radii, fake_radii = (np.sort(apart(rows, rows), axis=1)[:, 3] for rows in (real, fake))
    inside, real_inside = apart(fake, real) < real_radii, apart(fake, real) < fake_radii[:, None]
    both = Neighbourhood(real, fake, (3,))
    expected = (inside.any(axis=1).mean(), real_inside.any(axis=0).mean())
    assert 0.3 < min(expected) < max(expected) < 1
    assert both.precision_recall(3) == both.precision_recall(3, strict=True) == pytest.approx(expected, abs=1e-12)
    assert both.density_coverage(3) == pytest.approx((inside.sum() / 390, inside.any(axis=0).mean()), abs=1e-12)


def test_generated_rows_far_away_score_nothing():
    real, fake = features(5, 100, 8), features(6, 100, 8, shift=100)
    both = Neighbourhood(real, fake, (3,))
    assert both.precision_recall(3) == (0, 0)
    assert both.density_coverage(3) == (0, 0)


def test_unusable_rows_are_refused_in_a_sentence():
    rows = features(1, 40, 4)
    with pytest.raises(
        UserError, match="3 neighbours of each of 3 generated rows: expected at least 1 and fewer than rows"
    ):
        precision_recall(rows, rows[:3])
    with pytest.raises(UserError, match="5 neighbours of each of 4 real rows"):
        density_coverage(rows[:4], rows)
    with pytest.raises(UserError, match="0 neighbours"):
        density_coverage(rows, rows, 0)
    with pytest.raises(UserError, match="4 dimensions and the generated ones 3"):
        precision_recall(rows, rows[:, :3])
    with pytest.raises(UserError, match="1 of 40 rows of the generated features hold NaN"):
        precision_recall(rows, np.where(np.arange(160).reshape(40, 4) == 9, np.nan, rows))
    with pytest.raises(UserError, match="no ball of the 40 real features has a radius above 0 and below the median"):
        realism(np.ones((40, 4)), rows)
    with pytest.raises(UserError, match="the nearest 41 of 40 references"):
        nearest(rows, rows, 41)
