import numpy as np
import pytest

from gan_jax.report import curves
from gan_jax.report.curves import Series, chart, smooth, thin, ticks, value_range


def test_ticks_are_round_numbers():
    assert ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert ticks(-0.07, 0.41, 5) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert ticks(0.02, 3000, 5, logarithmic=True) == pytest.approx([0.1, 1, 10, 100, 1000])
    assert ticks(2, 60, 5, logarithmic=True) == pytest.approx([2, 5, 10, 20, 50])


def test_range_covers_everything_but_rare_strays():
    values = np.random.default_rng(0).normal(size=1000)
    low, high, logarithmic = value_range(values)
    assert low < values.min() < values.max() < high
    assert not logarithmic
    assert value_range(np.append(values, 1e9))[1] < 10


def test_range_of_constants_is_not_empty():
    for value in (0.0, 3.0, -1e-4):
        low, high, _ = value_range(np.full(10, value))
        assert low < value < high


def test_values_of_many_magnitudes_get_a_logarithmic_axis():
    assert value_range(np.geomspace(1e-3, 1e3, 100))[2]
    assert not value_range(np.append(np.geomspace(1e-3, 1e3, 100), 0.0))[2]


def test_thinning_keeps_spikes_and_order():
    x, y = np.arange(10_000.0), np.zeros(10_000)
    y[[1234, 7777]] = 5, -5
    thin_x, thin_y = thin(x, y)
    assert len(thin_x) <= curves.POINTS
    assert (np.diff(thin_x) >= 0).all()
    assert {(1234, 5), (7777, -5)} <= set(zip(thin_x, thin_y, strict=True))


def test_smoothing_keeps_a_line_and_shows_gaps():
    x = np.arange(1000.0)
    smooth_x, smooth_y = smooth(x, 2 * x)
    inner = slice(10, -10)
    np.testing.assert_allclose(smooth_y[inner], 2 * smooth_x[inner])
    broken = np.where((x > 400) & (x < 600), np.nan, 1.0)
    smooth_x, smooth_y = smooth(x, broken)
    assert np.isnan(smooth_y[(smooth_x > 404) & (smooth_x < 596)]).all()
    np.testing.assert_allclose(smooth_y[(smooth_x < 400) | (smooth_x > 600)], 1.0)


def test_chart_tells_of_what_it_does_not_show():
    x, y = np.arange(1000.0), np.sin(np.arange(1000.0))
    y[500], y[600], y[700] = 1e12, np.nan, np.inf
    drawn = chart("Losses", [Series("D <1>", x, y)], "images seen")
    assert "values outside: 1 of 998" in drawn
    assert "infinite or undefined values: 2" in drawn
    assert "D &lt;1&gt;" in drawn
    assert "nan" not in drawn


def test_chart_of_nothing_and_of_one_point():
    assert "<svg" in chart("empty", [], "images seen")
    one = chart("one", [Series("a", np.array([5.0]), np.array([2.0]))], "images seen")
    assert one.count("<circle") == 1
    assert "nan" not in one
