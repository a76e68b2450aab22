"""Scores of an evaluation: which entries are some, which values are better, how they read."""

import pytest

from gan_jax.report.scores import better, in_words, scores_of

RECORD = {
    "step": 4, "images": 32, "samples": 9, "seed": 0, "truncation": None, "sampling_seconds": 0.1,
    "frechet_digits": 5.0, "recognised_digits": 0.5, "nearest_pairs": [[1, 2]], "protocol": {"frechet_digits": {"seed": 0}},
}  # fmt: skip
FIRST = {"images": 0, "samples": 9, "frechet_digits": 20.0}


def test_only_numbers_that_judge_are_scores():
    assert scores_of(RECORD) == {"frechet_digits": 5.0, "recognised_digits": 0.5}


@pytest.mark.parametrize(
    ("name", "arrow"),
    [
        *(("fid", "↓"), ("fid_inception-clean", "↓"), ("fid_infinity", "↓"), ("kid", "↓"), ("fd_dinov2", "↓")),
        *(("frechet_digits", "↓"), ("ppl_w", "↓"), ("cmmd", "↓"), ("memorised", "↓")),
        *(("inception_score", "↑"), ("precision", "↑"), ("recall_digits", "↑"), ("prd_f8", "↑"), ("polygon_f1", "↑")),
        *(
            ("polygon_f1_0.25", "↑"),
            ("polygon_distance_50", "↓"),
            ("polygon_inversion_distance_50", "↓"),
            ("polygon_recall_if_doubled", ""),
        ),
        *(("kid_deviation", ""), ("recognised_real_digits", ""), ("fidelity", ""), ("unknown", "")),
    ],
)
def test_it_is_known_which_values_are_better(name, arrow):
    assert better(name) == arrow


def test_scores_are_told_beside_the_first_of_the_run_if_it_has_them():
    text = in_words(RECORD, FIRST)
    assert "after 32 images, on 9 samples (seed 0):" in text
    assert "5.000  Frechet distance to the real images in the features of digits  (20.00 after 0 images)" in text
    assert "share recognised as the class asked for (digits)" in text
    assert "after 0 images" not in in_words(RECORD, RECORD)
    assert "truncation 0.5" in in_words({**RECORD, "truncation": 0.5}, FIRST)
