"""The auxiliary classifier's cross-entropy against a plain statement."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.losses.auxiliary import class_cross_entropy, labelled_cross_entropy

LOGITS = np.random.RandomState(0).standard_normal((4, 3)).astype(np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)


def test_it_is_the_mean_negative_log_probability_of_the_label():
    labels = np.array([2, 0, 0, 1])
    expected = -np.log(PROBABILITIES[np.arange(4), labels]).mean()
    np.testing.assert_allclose(class_cross_entropy(LOGITS, jnp.asarray(labels)), expected, rtol=1e-5)
    np.testing.assert_allclose(class_cross_entropy(LOGITS, jnp.eye(3)[labels]), expected, rtol=1e-5)
    np.testing.assert_allclose(class_cross_entropy(LOGITS + 100, jnp.asarray(labels)), expected, rtol=1e-4)


def test_several_labels_add_up_and_no_class_is_nan():
    each = [class_cross_entropy(LOGITS[:1], jnp.array([label])) for label in (0, 2)]
    np.testing.assert_allclose(class_cross_entropy(LOGITS[:1], jnp.array([[1.0, 0, 1]])), sum(each), rtol=1e-5)
    assert jnp.isnan(class_cross_entropy(LOGITS, jnp.array([0, 1, -1, 2])))


def test_its_gradient_is_how_far_probabilities_are_from_the_labels():
    numbers, several = np.array([2, 0, 0, 1]), np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]], np.float32)
    gradient = jax.jit(jax.grad(class_cross_entropy))
    np.testing.assert_allclose(gradient(LOGITS, numbers), (PROBABILITIES - np.eye(3)[numbers]) / 4, atol=1e-6)
    expected = several.sum(1, keepdims=True) * PROBABILITIES - several
    np.testing.assert_allclose(gradient(LOGITS, several), expected / 4, atol=1e-6)


def test_images_without_a_label_have_no_part_in_the_mean_nor_in_the_gradient():
    labels = np.array([-1, 2, 0, -1])
    vectors = np.eye(4, dtype=np.float32)[labels % 4, :3]  # zeros where there is none
    expected = np.zeros((4, 3))
    expected[1:3] = (PROBABILITIES[1:3] - np.eye(3)[[2, 0]]) / 2
    both = jax.jit(jax.value_and_grad(labelled_cross_entropy))
    for given in (labels, vectors):
        value, gradient = both(LOGITS, given)
        np.testing.assert_allclose(value, -np.log(PROBABILITIES[[1, 2], [2, 0]]).mean(), rtol=1e-5)
        np.testing.assert_allclose(gradient, expected, atol=1e-6)
    value, gradient = both(LOGITS, np.full(4, -1))
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)
