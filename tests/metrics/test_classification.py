"""Classification accuracy scores tell good fakes of digits from those with wrong classes and those that lack some."""

import numpy as np
import pytest

from gan_jax.data.digits import digits
from gan_jax.errors import UserError
from gan_jax.metrics.classification import cas
from gan_jax.metrics.classifier import usual

SOURCE = digits(16)
ORDER = np.random.RandomState(0).permutation(len(SOURCE))
TEST, FIRST, SECOND = ((SOURCE.images[part], SOURCE.labels[part]) for part in np.split(ORDER, [360, 1078]))
SETTINGS = usual("perceptron", 250)


def scores(fake):
    return cas(FIRST, TEST, fake, SETTINGS)


@pytest.fixture(scope="module")
def perfect():
    """The fakes are real digits that the generator has not been trained on."""
    return scores(SECOND)


def test_real_digits_as_fakes_are_as_good_as_real_ones(perfect):
    assert set(perfect) == {f"{name}_top{k}" for name in ("gan_train", "gan_test", "real") for k in (1, 5)}
    assert perfect["real_top1"] > 0.95
    assert perfect["gan_train_top1"] == pytest.approx(perfect["real_top1"], abs=0.03)
    assert perfect["gan_test_top1"] == pytest.approx(perfect["real_top1"], abs=0.03)
    assert all(perfect[f"{name}_top1"] <= perfect[f"{name}_top5"] <= 1 for name in ("gan_train", "gan_test", "real"))


def test_fakes_of_any_class_but_the_one_asked_for_score_as_chance(perfect):
    images, labels = SECOND
    found = scores((images, np.random.RandomState(1).permutation(labels)))
    for name in ("gan_train", "gan_test"):
        assert found[f"{name}_top1"] < 0.25
        assert found[f"{name}_top5"] < 0.75
    assert found["real_top1"] == perfect["real_top1"]


def test_missing_classes_show_where_the_classifier_learns_from_fakes(perfect):
    images, labels = SECOND
    found = scores((images[labels < 7], labels[labels < 7]))
    expected = perfect["gan_train_top1"] * np.mean(TEST[1] < 7)
    assert found["gan_train_top1"] == pytest.approx(expected, abs=0.04)
    assert found["gan_test_top1"] > 0.95  # every one of them is good


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (SOURCE.images[:0], SOURCE.labels[:0], "of the generated images there are 0 with 0 labels"),
        (SOURCE.images[:9], SOURCE.labels[:8], "there are 9 with 8 labels"),
        (
            SOURCE.images[:9, :8],
            SOURCE.labels[:9],
            r"generated images have the shape \(8, 16, 1\): expected \(16, 16, 1\)",
        ),
        (SOURCE.images[:9], np.full(9, -1), "no label in part"),
        (SOURCE.images[:9], np.ones((9, 10)), "several labels each"),
    ],
)
def test_sets_that_cannot_be_compared_are_refused(images, labels, message):
    with pytest.raises(UserError, match=message):
        scores((images, labels))
