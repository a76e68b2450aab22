"""Losses about classes, against published values and against their formulas written plainly."""

import jax
import numpy as np
import pytest

from gan_jax.losses.conditional import contrastive, data_to_data, multi_hinge
from tests.reference import assert_array, assert_scalar, integers, normal
from tests.slopes import slopes

RANDOM = np.random.RandomState(0)
EMBEDDING, PROXY = (RANDOM.standard_normal((7, 5)).astype(np.float32) for _ in range(2))
LABELS = np.array([0, 1, 0, 2, 1, 0, 3], np.int32)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_multi_hinge_equals_the_published_one():
    logits, labels = normal("mh", (6, 5), 2200), integers("mh_y", (6,), 2200, 5)
    value, gradient = jax.value_and_grad(multi_hinge)(logits, labels)
    assert_scalar(value, "losses", "logit_losses", "crammer_singer")
    assert_array(gradient, "losses", "logit_losses", "crammer_singer/dlogits")


def check(loss, formula):
    """The value of a loss of embeddings and proxies, and its gradient by both, are those of a formula in numpy."""
    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(EMBEDDING, PROXY)
    np.testing.assert_allclose(value, formula(EMBEDDING, PROXY), rtol=1e-5)
    expected = slopes(lambda x: formula(x, PROXY), EMBEDDING), slopes(lambda x: formula(EMBEDDING, x), PROXY)
    np.testing.assert_allclose(gradients, expected, rtol=1e-3, atol=1e-5)
    assert np.abs(expected).max(axis=(1, 2)).min() > 0.01


@pytest.mark.parametrize("positives", [True, False])
def test_the_contrastive_loss_is_its_formula(positives):
    def formula(embedding, proxies):
        costs = []
        for i in range(7):
            proxy = np.exp(cosine(embedding[i], proxies[i]) / 0.5)
            others = {j: np.exp(cosine(embedding[i], embedding[j]) / 0.5) for j in range(7) if j != i}
            alike = sum(value for j, value in others.items() if LABELS[j] == LABELS[i])
            costs.append(-np.log((proxy + alike * positives) / (proxy + sum(others.values()))))
        return np.mean(costs)

    check(lambda embedding, proxy: contrastive(embedding, proxy, LABELS, 0.5, positives), formula)


@pytest.mark.parametrize("margin", [0.98, 0.7])
def test_data_to_data_cross_entropy_is_its_code_written_plainly(margin):
    """The largest similarity that is taken off is a constant."""

    def similarities(i, embedding):
        return {j: (cosine(embedding[i], embedding[j]) + margin - 1) / 0.25 for j in range(7) if j != i}

    largest = [max(similarities(i, EMBEDDING).values()) for i in range(7)]

    def formula(embedding, proxies):
        costs = []
        for i in range(7):
            others = similarities(i, embedding)
            negatives = sum(np.exp(max(others[j], 0) - largest[i]) for j in others if LABELS[j] != LABELS[i])
            pull = max((margin - cosine(embedding[i], proxies[i])) / 0.25, 0)
            costs.append(pull + np.log(np.exp(-pull) + negatives))
        return np.mean(costs)

    check(lambda embedding, proxy: data_to_data(embedding, proxy, LABELS, 0.25, margin), formula)


def test_one_image_alone_is_compared_with_its_proxy():
    loss = lambda x: data_to_data(x, PROXY[:1], LABELS[:1], 0.25, 0.98)  # noqa: E731
    value, gradient = jax.value_and_grad(loss)(EMBEDDING[:1])
    pull = (0.98 - cosine(EMBEDDING[0], PROXY[0])) / 0.25
    np.testing.assert_allclose(value, pull - pull, atol=1e-6)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_images_of_their_class_s_direction_cost_least():
    axes = np.eye(4, dtype=np.float32)[LABELS]
    apart = contrastive(axes, axes, LABELS, 0.1)
    assert apart < 0.01 < contrastive(axes[::-1].copy(), axes, LABELS, 0.1)
    assert data_to_data(axes, axes, LABELS, 0.5, 0.98) < data_to_data(axes[::-1].copy(), axes, LABELS, 0.5, 0.98)
    for loss in (lambda x: contrastive(x, axes, LABELS, 0.1), lambda x: data_to_data(x, axes, LABELS, 0.5, 0.98)):
        assert np.isfinite(jax.grad(loss)(np.zeros_like(axes))).all()
