"""The judge of generated digits knows real ones from noise, wrong classes and missing variety."""

import numpy as np
import pytest

from gan_jax.data.digits import digits
from gan_jax.errors import UserError
from gan_jax.metrics.digits import DigitsJudge

REAL = digits(16)
RANDOM = np.random.RandomState(0)
NOISE = RANDOM.uniform(-1, 1, REAL.images.shape)


@pytest.fixture(scope="module")
def judge():
    return DigitsJudge(16)


def test_held_out_digits_are_recognised(judge):
    assert 0.98 <= judge.held_out_accuracy < 1


def test_real_digits_are_recognised_as_uint8_float_and_colour(judge):
    share = judge.recognised(REAL.images, REAL.labels)
    assert share > 0.98
    assert judge.recognised(REAL.images / 127.5 - 1, REAL.labels) == share
    assert judge.recognised(np.repeat(REAL.images, 3, axis=-1), REAL.labels) == share


def test_noise_and_wrong_labels_score_as_chance(judge):
    assert judge.recognised(NOISE, REAL.labels) < 0.2
    assert judge.recognised(REAL.images, RANDOM.permutation(REAL.labels)) < 0.2


def test_the_distance_ranks_real_below_corrupt_and_missing_variety(judge):
    order = RANDOM.permutation(len(REAL))
    half, other = REAL.images[order[:898]], REAL.images[order[898:1796]]
    small = judge.frechet(half)
    assert 0 < small < 1
    assert judge.frechet(other) < 1
    assert judge.frechet((half.astype(int) + other) / 255 - 1) > 10 * small
    assert judge.frechet(REAL.images[REAL.labels == 3]) > 100 * small
    assert judge.frechet(NOISE[:898]) > 100 * small


def test_the_judge_is_fixed_by_its_seed(judge):
    again = DigitsJudge(16)
    assert again.held_out_accuracy == judge.held_out_accuracy
    assert again.frechet(NOISE) == pytest.approx(judge.frechet(NOISE), rel=1e-6)


def test_images_that_are_not_finite_are_refused(judge):
    with pytest.raises(UserError, match="NaN"):
        judge.recognised(np.full((2, 16, 16, 1), np.nan), np.zeros(2, int))
