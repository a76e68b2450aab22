"""The auxiliary classifier's cross-entropy against a plain statement."""

import jax.numpy as jnp
import numpy as np

from gan_jax.losses.auxiliary import class_cross_entropy

LOGITS = np.random.RandomState(0).standard_normal((4, 3)).astype(np.float32)


def test_it_is_the_mean_negative_log_probability_of_the_label():
    labels = np.array([2, 0, 0, 1])
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    expected = -np.log(probabilities[np.arange(4), labels]).mean()
    np.testing.assert_allclose(class_cross_entropy(LOGITS, jnp.asarray(labels)), expected, rtol=1e-5)
    np.testing.assert_allclose(class_cross_entropy(LOGITS, jnp.eye(3)[labels]), expected, rtol=1e-5)
    np.testing.assert_allclose(class_cross_entropy(LOGITS + 100, jnp.asarray(labels)), expected, rtol=1e-4)


def test_several_labels_add_up_and_no_class_is_nan():
    each = [class_cross_entropy(LOGITS[:1], jnp.array([label])) for label in (0, 2)]
    np.testing.assert_allclose(class_cross_entropy(LOGITS[:1], jnp.array([[1.0, 0, 1]])), sum(each), rtol=1e-5)
    assert jnp.isnan(class_cross_entropy(LOGITS, jnp.array([0, 1, -1, 2])))
