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


def test_the_logit_may_be_the_sum_over_classes():
    verdict, params = answered(questions={"classes": 3}, summed=True)
    np.testing.assert_allclose(verdict.logits, np.log(np.exp(verdict.answers["classes"]).sum(1)), rtol=1e-5)
    assert set(params) == {"classes"}


def test_the_logit_may_be_how_far_a_class_is_ahead_of_generated():
    verdict, params = answered(questions={"classes": 3}, ahead=True)
    assert set(params) == {"classes"}
    classes = np.asarray(verdict.answers["classes"])
    np.testing.assert_allclose(verdict.logits, classes[:, :2].max(-1) - classes[:, 2], rtol=1e-6)


def test_features_may_compare_images_with_each_other():
    verdict, params = answered(minibatch=7)
    assert verdict.features.shape == (4, 5 + 7)
    np.testing.assert_array_equal(verdict.features[:, :5], FEATURES)
    np.testing.assert_allclose(verdict.logits, verdict.features @ params["linear"]["kernel"][:, 0], rtol=1e-5)


def test_linear_layers_can_be_weight_normalised():
    _, params = answered(questions={"classes": 3}, weight_norm=True)
    assert set(params["linear"]) == set(params["classes"]) == {"kernel", "bias", "scale"}
