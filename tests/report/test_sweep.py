"""The page of a truncation sweep: a chart for each trade-off that was measured, and every score in a table."""

import xml.etree.ElementTree as ElementTree

from gan_jax.report.sweep import page

RECORDS = [
    {"images": 64, "samples": 9, "truncation": psi, "fid": fid, "inception_score": score, "recall": recall,
     "precision": 0.5, "status_of": "x"}
    for psi, fid, score, recall in ((None, 10.0, 5.0, 0.4), (0.5, 30.0, 9.0, 0.1), (1.0, 12.0, 7.0, 0.3))
]  # fmt: skip


def parse(text):
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n").replace('<meta charset="utf-8"/>', ""))


def words(tree, tag):
    return ["".join(node.itertext()) for node in tree.iter(tag)]


def test_each_trade_off_has_a_chart_with_a_point_for_each_truncation():
    tree = parse(page(RECORDS))
    assert words(tree, "h3") == ["fid ↓ against inception_score ↑", "precision ↑ against recall ↑"]
    for figure in tree.iter("figure"):
        assert len(list(figure.iter("circle"))) == 3
    labels = [text for text in words(tree, "text") if text in ("0.5", "1", "none")]
    assert labels.count("none") == 2


def test_the_table_has_every_score_from_the_strongest_truncation_to_none():
    rows = [[cell.strip() for cell in words(row, "td")] for row in parse(page(RECORDS)).iter("tr")][1:]
    assert [row[0] for row in rows] == ["0.5", "1", "none"]
    assert rows[0][1:] == ["30.00", "9.000", "0.1000", "0.5000"]


def test_higher_scores_lie_farther_up_and_to_the_right():
    figure = next(parse(page(RECORDS)).iter("figure"))
    x, y = ([float(dot.get(side)) for dot in figure.iter("circle")] for side in ("cx", "cy"))
    assert x[0] > x[1] > x[2]  # scores 9, 7, 5
    assert y[0] < y[1] < y[2]  # distances 30, 12, 10, of which SVG counts downwards
