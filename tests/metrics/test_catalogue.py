"""Metrics by name: what is refused, how scores are named, what several metrics make of known features."""

import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.metrics.catalogue import METRICS, Pair, request
from gan_jax.metrics.features import FeatureSet
from gan_jax.metrics.moments import Moments
from gan_jax.metrics.settings import Settings

RANDOM = np.random.RandomState(0)
SETTINGS = Settings(kid_subsets=4, kid_size=50, prd_runs=2, prd_clusters=5)


def features(count, shift=0.0, classes=3):
    rows = (RANDOM.standard_normal((count, 8)) + shift).astype(np.float32)
    return FeatureSet({"x": Moments.of(rows)}, {"x": rows}, np.arange(count, dtype=np.int32) % classes)


def scores(name, fake, real):
    return METRICS[name].compute(Pair(fake, real, "x", SETTINGS, 0))


@pytest.mark.parametrize("name", [name for name in METRICS if name not in ("recognised", "nearest")])
def test_every_metric_prefers_images_like_the_real_ones(name):
    from gan_jax.report.scores import better

    near, far = (scores(name, features(300, shift), features(330)) for shift in (0.0, 3.0))
    for score, value in near.items():
        if name == "is":  # knows nothing of the real ones
            assert value > 0
        elif arrow := better(score):
            assert (value < far[score]) == (arrow == "↓"), score


def test_recognised_is_the_share_of_right_answers_on_both_sides():
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    fake, real = (FeatureSet({}, {"x": logits}, np.array(labels)) for labels in ([0, 1, 1, 1], [0, 1, 2, 0]))
    assert scores("recognised", fake, real) == {"recognised": 0.5, "recognised_real": 1.0}
    one_hot = FeatureSet({}, {"x": logits}, np.eye(3, dtype=np.float32)[[0, 1, 1, 1]])  # of a model of vectors
    assert scores("recognised", one_hot, real) == scores("recognised", fake, real)


def test_copies_of_real_images_are_found():
    real = features(300)
    rows = features(100).rows["x"].copy()
    rows[[5, 70]] = real.rows["x"][[11, 12]] + 1e-3
    found = scores("nearest", FeatureSet({}, {"x": rows}, np.zeros(100)), real)
    assert found["memorised"] == pytest.approx(0.02, abs=0.011)
    assert sorted(found["nearest_pairs"][:2]) == [[5, 11], [70, 12]]
    assert 0.8 < found["nearest_ratio"] < 1.5
    itself = scores("nearest", real, real)
    assert (itself["memorised"], itself["nearest_ratio"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("word", "extractor", "suffix"),
    [
        ("fid", "inception", ""),
        ("pr", "vgg16", ""),
        ("pr:inception", "inception", "_inception"),
        ("frechet:digits", "digits", "_digits"),
        ("fid:inception-clean", "inception-clean", "_inception-clean"),
    ],
)
def test_scores_of_an_unusual_extractor_carry_its_name(word, extractor, suffix):
    found = request(word, 10)
    assert (found.extractor, found.suffix) == (extractor, suffix)


@pytest.mark.parametrize(
    ("word", "classes", "message"),
    [
        ("frechet", 10, "lacks its extractor"),
        ("fid:vgg16", 10, "by fid people mean the features of inception"),
        ("cmmd:digits", 10, "by cmmd people mean the features of clip"),
        ("kid:none", 10, "there is no extractor 'none': expected one of inception, "),
        ("recognised:digits", 0, "needs classes, but the model has none"),
    ],
)
def test_words_that_make_no_sense_are_a_sentence(word, classes, message):
    with pytest.raises(ConfigError, match=message):
        request(word, classes)


def test_settings_are_checked():
    assert Settings.of({"kid_size": 7}).kid_size == 7
    for section, message in (
        ({"kid": 1}, "has 'kid'"),
        ({"kid_size": 0}, "kid_size is 0"),
        ({"kid_size": 1.5}, "is 1.5"),
    ):
        with pytest.raises(ConfigError, match=message):
            Settings.of(section)
