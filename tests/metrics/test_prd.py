"""Precision and recall for distributions: the published curves, and clusters that are plain to see."""

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.metrics.prd import f_beta, histogram_curve, prd, prd_curve
from tests.metrics.features import CASES, features


def test_the_curve_of_histograms_equals_the_published_code():
    case = CASES["prd_histograms"]
    random = np.random.RandomState(501)
    fake, real = (random.dirichlet(0.5 * np.ones(20)) for _ in range(2))
    np.testing.assert_allclose([fake, real], [case["eval"], case["ref"]], rtol=1e-12)
    precision, recall = histogram_curve(real, fake)
    assert precision.shape == recall.shape == (1001,)
    np.testing.assert_allclose(precision[::100], case["precision_every_100"], rtol=1e-9)
    np.testing.assert_allclose(recall[::100], case["recall_every_100"], rtol=1e-9)
    assert f_beta(precision, recall, 8) == pytest.approx(case["F8"], rel=1e-9)
    assert f_beta(precision, recall, 1 / 8) == pytest.approx(case["F1_8"], rel=1e-9)


def test_separated_clusters_are_found():
    case = CASES["prd_separated_clusters"]
    random = np.random.RandomState(502)
    centres = 200 * random.standard_normal((8, 5))
    weights = [random.dirichlet(np.ones(8)) for _ in range(2)]
    labels = [random.choice(8, 600, p=p) for p in weights]
    fake, real = (centres[each] + random.standard_normal((600, 5)) for each in labels)
    curve = histogram_curve(*(np.bincount(each, minlength=8) / 600 for each in reversed(labels)))
    assert [f_beta(*curve, beta) for beta in (8, 1 / 8)] == pytest.approx(case["from_true_labels"], rel=1e-9)
    assert prd(real, fake, clusters=8, runs=10) == pytest.approx(case["from_true_labels"], rel=1e-6)


def test_a_part_of_the_modes_is_precise_and_the_other_way_round_recalls():
    random = np.random.RandomState(0)
    many = 100 * random.standard_normal((8, 4))[np.arange(400) % 8] + random.standard_normal((400, 4))
    few = many[np.arange(400) // 8 * 8 + np.arange(400) % 4]  # of four clusters, each row twice
    f8, f1_8 = prd(real=many, fake=few, clusters=8, runs=2)
    assert f1_8 > 0.95
    assert f8 < 0.6
    assert prd(real=few, fake=many, clusters=8, runs=2) == pytest.approx((f1_8, f8), abs=1e-6)


def test_equal_sets_are_perfect_and_the_seed_decides():
    rows, other = features(1, 200, 8), features(2, 200, 8, shift=0.3)
    assert prd(rows, rows, runs=2) == pytest.approx((1, 1), abs=1e-6)
    assert prd(rows, other, runs=2, seed=1) == prd(rows, other, runs=2, seed=1) != prd(rows, other, runs=2, seed=2)
    curve = prd_curve(rows, other, runs=2)
    assert (np.diff(curve[0]) >= 0).all()
    assert (np.diff(curve[1]) <= 1e-12).all()


def test_unusable_rows_are_refused_in_a_sentence():
    rows = features(1, 40, 4)
    with pytest.raises(UserError, match="PRD of 40 real and 39 generated rows: expected equal counts"):
        prd(rows, rows[1:])
    with pytest.raises(UserError, match="PRD by 20 clusters of 19 rows"):
        prd(rows[:19], rows[:19])
    with pytest.raises(UserError, match="1 of 40 rows of the real features hold NaN"):
        prd(np.where(np.arange(160).reshape(40, 4) == 9, np.nan, rows), rows)
    with pytest.raises(ValueError, match="does not sum to 1"):
        histogram_curve(np.ones(4), np.full(4, 0.25))
