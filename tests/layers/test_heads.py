"""What a discriminator's last layers say."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.layers.heads import Head

FEATURES = np.random.RandomState(0).standard_normal((4, 5)).astype(np.float32)
LABELS = np.array([0, 2, 1, 2], np.int32)


def answered(labels=LABELS, **fields):
    head = Head(**fields, kernel_init=jax.nn.initializers.normal(1.0))
    variables = head.init(jax.random.key(0), FEATURES, labels)
    return head.apply(variables, FEATURES, labels), variables["params"]


def test_a_plain_head_is_linear_and_hands_its_features_on():
    verdict, params = answered()
    np.testing.assert_allclose(verdict.logits, FEATURES @ params["linear"]["kernel"][:, 0], rtol=1e-5)
    np.testing.assert_array_equal(verdict.features, FEATURES)
    assert verdict.answers == {}
    assert set(params) == {"linear"}


def test_a_projection_adds_the_product_with_the_embedding_of_the_label():
    verdict, params = answered(num_classes=3, projection=True)
    embedding = params["projection"]["embedding"][LABELS]
    expected = FEATURES @ params["linear"]["kernel"][:, 0] + (embedding * FEATURES).sum(1)
    np.testing.assert_allclose(verdict.logits, expected, rtol=1e-5)


def test_questions_are_linear_and_proxies_belong_to_labels():
    verdict, params = answered(num_classes=3, questions={"classes": 3, "rotation": 4}, proxy=2)
    assert {name: answer.shape for name, answer in verdict.answers.items()} == {
        "classes": (4, 3),
        "rotation": (4, 4),
        "proxy": (4, 2),
    }
    np.testing.assert_allclose(verdict.answers["classes"], FEATURES @ params["classes"]["kernel"], rtol=1e-5)
    np.testing.assert_array_equal(verdict.answers["proxy"], params["proxy"]["embedding"][LABELS])


def test_all_layers_can_be_spectrally_normalised():
    _, params = answered(num_classes=3, questions={"classes": 3}, projection=True)
    head = Head({"classes": 3}, 3, True, sn_eps=1e-6)
    variables = head.init(jax.random.key(0), jnp.asarray(FEATURES), LABELS)
    assert set(variables["spectral"]) == set(params) == {"linear", "classes", "projection"}
