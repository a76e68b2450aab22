"""The statistics of studies against plain statements of them, and their answers in words and pictures."""

import itertools
import re

import numpy as np
import pytest
from scipy import stats

from gan_jax.study import figures, report, statistics
from gan_jax.study.statistics import Interval

VALUES = [5.0, 1.0, 4.0, 1.5, 9.0, 2.5]


@pytest.mark.parametrize("budget", [1, 2, 3, 6])
def test_the_best_of_a_budget_is_the_mean_over_all_subsets(budget):
    least = [min(subset) for subset in itertools.combinations(VALUES, budget)]
    found = statistics.best_of(VALUES, budget)
    assert found.mean == pytest.approx(np.mean(least))
    assert found.spread == (
        np.quantile(least, 0.1, method="inverted_cdf"),
        np.quantile(least, 0.9, method="inverted_cdf"),
    )


def test_the_interval_is_that_of_resampled_settings():
    random = np.random.default_rng(5)
    resampled = []
    for _ in range(4000):
        drawn = random.choice(VALUES, len(VALUES))
        resampled.append(np.mean([min(subset) for subset in itertools.combinations(drawn, 2)]))
    found = statistics.best_of(VALUES, 2)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(resampled, [0.025, 0.975])), abs=0.12)
    assert found == statistics.best_of(VALUES[::-1], 2)  # the order of the settings says nothing


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    random, budget, count = np.random.default_rng(0), 4, 16
    truth = np.mean(np.exp(random.normal(size=(200_000, budget))).min(axis=1))
    intervals = [statistics.best_of(np.exp(random.normal(size=count)), budget) for _ in range(300)]
    assert 0.85 < np.mean([interval.low <= truth <= interval.high for interval in intervals]) <= 1
    assert np.mean([interval.mean for interval in intervals]) == pytest.approx(truth, abs=0.03)


def test_equal_methods_are_seldom_told_apart():
    random = np.random.default_rng(1)
    pairs = [[statistics.best_of(np.exp(random.normal(size=16)), 8) for _ in range(2)] for _ in range(200)]
    assert np.mean([a.below(b) or b.below(a) for a, b in pairs]) < 0.08


def test_repeats_have_students_interval():
    values = [1.0, 2.0, 4.0]
    found, low_high = statistics.mean_of(values), stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert found.mean == pytest.approx(7 / 3)
    assert (found.low, found.high) == pytest.approx(low_high)
    assert found.spread == (1, 4)


def interval(low, high):
    return Interval((low + high) / 2, low, high, (low, high))


def test_better_is_only_what_lies_apart():
    apart = statistics.told_apart({"A": interval(1, 2), "B": interval(2, 3), "C": interval(2.5, 4)})
    assert apart == {"A": ["C"], "B": [], "C": []}


def test_a_failure_is_as_bad_as_the_worst_of_all():
    scores = {"A": [1.0, None], "B": [7.0, 3.0]}
    assert statistics.without_failures(scores) == {"A": [1.0, 7.0], "B": [7.0, 3.0]}


def found_of(answers: dict) -> dict:
    intervals = {name: {"mean": 2.0, "low": 1.0, "high": 3.0, "spread": (1.0, 4.0)} for name in "ABC"}
    score = {"title": "F1", "arrow": "↑", "values": {name: [1.0, 2.0] for name in "ABC"}}
    score |= {"intervals": {"best of 2": intervals}, "answers": {"best of 2": answers}}
    methods = {name: {"ended": 2, "failed": 0, "seconds": 60.0, "best": 1, "setting": {"rate": 0.5}} for name in "ABC"}
    runs = {"planned": 8, "ended": 6, "failed": 0, "seconds": 180.0}
    return {"title": "Some <GANs>", "runs": runs, "samples": 2, "methods": methods, "scores": {"polygon_f1": score}}


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"A": [], "B": [], "C": []}, "no two methods are told apart"),
        ({"A": ["C"], "B": [], "C": []}, "A is better than C; all other pairs are not told apart"),
        ({"A": ["B", "C"], "B": ["C"], "C": []}, "A is better than B and C; B is better than C; these are all pairs"),
    ],
)
def test_answers_in_words(answers, words):
    assert list(report.answers(found_of(answers))) == [("F1", "best of 2", words)]


def test_the_report_says_what_is_missing_and_escapes_names(tmp_path):
    text = report.write(tmp_path, found_of({"A": ["C"], "B": [], "C": []}), {})
    assert "not complete, 2 of 8 runs are still to be done" in text
    page, words = (tmp_path / "report.html").read_text(), (tmp_path / "REPORT.md").read_text()
    assert "Some &lt;GANs&gt;" in page
    assert "<GANs>" not in page
    assert page.count("<figure") == 2
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert "| A | 2 (1 to 3) |" in words


def test_a_study_that_has_just_begun_has_a_report(tmp_path):
    found = found_of({"A": [], "B": [], "C": []})
    for score in found["scores"].values():
        score |= {"intervals": {}, "answers": {}}
    report.write(tmp_path, found, {})
    assert (tmp_path / "report.html").read_text().count("<figure") == 1
    report.write(tmp_path, {**found, "scores": {}}, {})
    assert "None yet" in (tmp_path / "REPORT.md").read_text()
    assert "None yet" in (tmp_path / "report.html").read_text()


def test_pictures_put_every_number_where_it_belongs():
    group = {
        "A": {"mean": 2.0, "low": 1.0, "high": 3.0, "spread": (0.5, 4.0)},
        "B": {"mean": 3.0, "low": 2.5, "high": 3.5, "spread": (2.0, 4.0)},
    }
    score = {
        "arrow": "↓",
        "intervals": {"best of 1": group, "repeats": group},
        "values": {"A": [1.0, 2.0, 3.0], "B": [1.0]},
    }
    picture = figures.intervals("x", "note", score)
    means = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', picture)]
    assert means[0] == means[2] > means[1] == means[3]  # up is more
    assert "<title>A, best of 1: 2.000 (1.000 to 3.000)</title>" in picture
    assert figures.settings("x", "note", score).count('class="dot"') == 4
