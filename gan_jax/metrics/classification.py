"""Classification accuracy scores: what a classifier learns from generated images is worth on real ones, and vice versa.

"GAN-train" (Shmelkov et al. 2018; the CAS of Ravuri and Vinyals 2019, arXiv 1905.10887): trained on generated images of
asked-for classes, tested on real ones held out; it falls with quality and with variety. "GAN-test": trained on real
images, tested on generated ones; it falls with quality alone. Beside them stands the same classifier trained and tested
on real images, the best that can be hoped for.

The set of generated images is fixed, and it is the last step that counts: whoever draws new images at each step, or
takes the best of many tests, has higher figures. Take as many generated images as real ones, of the same classes.
"""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics.classifier import Settings, predict, train

Labelled = tuple[np.ndarray, np.ndarray]  # images uint8 [n, R, R, C] and their classes, int32 [n]


def cas(
    real_train: Labelled,
    real_test: Labelled,
    fake: Labelled,
    settings: Settings,
    devices: Sequence[jax.Device] | None = None,
) -> dict[str, float]:
    """All three scores, of two trainings that differ in nothing but their images.

    Args:
        real_train: what the generator was trained on.
        real_test: other images of the same classes.
        fake: generated images with the classes asked for.
        settings: of both trainings; `classifier.usual` has what suits a network.
        devices: which share the batches of the training, see `classifier.train`.

    Returns:
        `gan_train_top1`, `gan_train_top5`, `gan_test_top1`, `gan_test_top5`, `real_top1` and `real_top5`: shares of the
        images whose class is the first, or among the first five, of the classifier's answers.

    Raises:
        UserError: a set is empty, has images of another shape than the others, or images without a class.
    """
    sets = {"real images to train on": real_train, "real images to test on": real_test, "generated images": fake}
    for name, found in sets.items():
        _check(name, found, real_train[0].shape[1:])
    num_classes = 1 + max(int(labels.max()) for _, labels in sets.values())
    of_fakes = classification_accuracy(fake, {"gan_train": real_test}, num_classes, settings, devices)
    of_real = classification_accuracy(real_train, {"gan_test": fake, "real": real_test}, num_classes, settings, devices)
    return {**of_fakes, **of_real}


def classification_accuracy(
    training: Labelled,
    tests: Mapping[str, Labelled],
    num_classes: int,
    settings: Settings,
    devices: Sequence[jax.Device] | None = None,
) -> dict[str, float]:
    """Trains a classifier, and gives NAME_top1 and NAME_top5 on each of the sets `tests`, see `cas`."""
    network, variables = train(*training, num_classes, "classes", settings, devices=devices)
    scores = {}
    for name, (images, labels) in tests.items():
        _, answers = predict(network, variables, images)
        scores |= {f"{name}_top{k}": _top(answers, labels, k) for k in (1, 5)}
    return scores


def _top(answers: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of the labels int [n] that are among the k highest of answers [n, classes]; ties count against them."""
    own = np.take_along_axis(answers, labels[:, None], axis=1)
    return float(((answers >= own).sum(axis=1) <= k).mean())


def _check(name: str, found: Labelled, image_shape: tuple[int, int, int]) -> None:
    images, labels = found
    if not len(images) or len(labels) != len(images):
        raise UserError(
            f"of the {name} there are {len(images)} with {len(labels)} labels: the classification accuracy score needs "
            "some, each with its class"
        )
    if images.shape[1:] != image_shape:
        raise UserError(
            f"the {name} have the shape {images.shape[1:]}: expected {image_shape} as the real images to train on"
        )
    if labels.ndim > 1 or (labels < 0).any():
        problem = "several labels each" if labels.ndim > 1 else "no label in part"
        raise UserError(f"the {name} have {problem}: the classification accuracy score needs one class for each image")
