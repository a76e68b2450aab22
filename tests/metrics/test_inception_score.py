"""The Inception Score: values of the published codes, closed forms, extreme logits."""

import zlib

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.metrics.inception_score import inception_score
from tests.metrics.features import CASES, names


@pytest.mark.parametrize("name", names("is_"))
def test_the_score_equals_the_published_codes(name):
    case = CASES[name]
    logits = (np.random.RandomState(case["seed"]).standard_normal((case["n"], 1008)) * case["scale"]).astype(np.float32)
    assert zlib.crc32(logits.tobytes()) == case["crc32"]
    for peer, options in (
        ("torch_fidelity_noshuffle_splits10", {}),
        ("torch_fidelity_shuffle_seed2020_splits10", {"shuffle_seed": 2020}),
        ("torch_fidelity_splits1", {"splits": 1}),
    ):
        mean, deviation = inception_score(logits, **options)
        assert mean == pytest.approx(case[peer]["mean"], rel=1e-9), peer
        assert deviation == pytest.approx(case[peer]["std"], rel=1e-9, abs=1e-12), peer


def test_sure_and_varied_judgements_score_their_number():
    logits = (
        1000 * np.eye(5)[np.arange(100) % 5]
    )  # probabilities that are 0 in float64, as is the mean of classes unseen
    logits = np.hstack([logits, np.full((100, 3), -5000.0)])
    assert inception_score(logits) == (pytest.approx(5), pytest.approx(0))
    assert inception_score(np.zeros((100, 8))) == (pytest.approx(1), pytest.approx(0))
    assert inception_score(logits[::5])[0] == pytest.approx(1)


def test_unusable_logits_are_refused_in_a_sentence():
    with pytest.raises(
        UserError, match="an Inception Score of 9 images in 10 parts: expected at least one image in each"
    ):
        inception_score(np.zeros((9, 4)))
    with pytest.raises(UserError, match="1 of 20 rows of the logits hold NaN"):
        inception_score(np.where(np.arange(80).reshape(20, 4) == 3, np.nan, 0))
    with pytest.raises(UserError, match=r"the logits have shape \(20,\)"):
        inception_score(np.zeros(20))
