"""What both players pay for classes."""

import jax
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.game.conditioning import build
from gan_jax.layers.heads import Verdict
from gan_jax.losses.conditional import contrastive, data_to_data, multi_hinge
from tests.game.arena import BATCH, CLASSES, batch, born, play, recipe_of

METHODS = (
    "projection",
    "predicted",
    "auxiliary",
    "twin_auxiliary",
    "discriminative",
    "contrastive",
    "data_to_data",
    "multi_hinge",
)
RANDOM = np.random.RandomState(0)
LABELS = np.array([0, 1, 2, 0], np.int32)


def answers(**sizes) -> Verdict:
    drawn = {name: RANDOM.standard_normal((4, size)).astype(np.float32) for name, size in sizes.items()}
    return Verdict(np.zeros(4, np.float32), np.zeros((4, 2), np.float32), drawn)


def cross_entropy(logits, labels):
    return -(logits - np.log(np.exp(logits).sum(1, keepdims=True)))[np.arange(4), labels].mean()


def test_a_classifier_is_trained_on_real_images_and_teaches_the_generator():
    verdict = answers(classes=3)
    expected = cross_entropy(verdict.answers["classes"], LABELS)
    method = build({"name": "auxiliary", "weight_fake": 0.5, "weight_generator": 0.1}, 3)
    np.testing.assert_allclose(method.real(verdict, LABELS), expected, rtol=1e-5)
    np.testing.assert_allclose(method.fake(verdict, LABELS), 0.5 * expected, rtol=1e-5)
    np.testing.assert_allclose(method.generated(verdict, LABELS), 0.1 * expected, rtol=1e-5)
    assert build({"name": "auxiliary"}, 3).fake(verdict, LABELS) == 0


def test_classes_are_learnt_from_the_labelled_images_alone():
    verdict, method = answers(classes=3), build({"name": "predicted", "weight": 2.0}, 3)
    log_p = np.log(np.exp(verdict.answers["classes"]).T / np.exp(verdict.answers["classes"]).sum(1)).T
    expected = -(log_p[1, 2] + log_p[3, 0])  # twice their mean
    np.testing.assert_allclose(method.real(verdict, np.array([-1, 2, -1, 0], np.int32)), expected, rtol=1e-5)
    vectors = np.eye(4, dtype=np.float32)[[3, 2, 3, 0], :3]
    np.testing.assert_allclose(method.real(verdict, vectors), expected, rtol=1e-5)
    assert method.real(verdict, np.full(4, -1, np.int32)) == 0
    assert method.fake(verdict, LABELS) == method.generated(verdict, LABELS) == 0


def test_images_without_a_label_count_as_what_they_are_taken_for():
    recipe = recipe_of(conditioning={"name": "predicted"})
    images = batch()["image"] / 127.5 - 1
    judge = jax.jit(recipe.networks["D"].module.apply)
    variables = {"params": born(recipe).params["D"]}
    likely = judge(variables, images, np.full(BATCH, -1, np.int32)).answers["classes"].argmax(1).astype(np.int32)
    labels = np.where(np.arange(BATCH) < 3, (likely + 1) % CLASSES, -1).astype(np.int32)
    completed = np.where(labels < 0, likely, labels)
    found = judge(variables, images, labels).logits
    np.testing.assert_allclose(found, judge(variables, images, completed).logits, rtol=1e-6)
    assert np.abs(found - judge(variables, images, likely).logits)[:3].min() > 1e-6
    vectors = np.where(labels[:, None] < 0, 0, np.eye(CLASSES)[labels]).astype(np.float32)
    np.testing.assert_allclose(judge(variables, images, vectors).logits, found, rtol=1e-5)


def test_a_twin_learns_from_generated_images_and_the_generator_works_against_it():
    verdict = answers(classes=3, twin=3)
    classes, twin = (cross_entropy(verdict.answers[name], LABELS) for name in ("classes", "twin"))
    method = build({"name": "twin_auxiliary", "weight": 2.0, "weight_twin": 3.0}, 3)
    np.testing.assert_allclose(method.real(verdict, LABELS), 2 * classes, rtol=1e-5)
    np.testing.assert_allclose(method.fake(verdict, LABELS), 3 * twin, rtol=1e-5)
    np.testing.assert_allclose(method.generated(verdict, LABELS), 2 * classes - 3 * twin, rtol=1e-5)


def test_a_discriminative_classifier_tells_real_from_generated_in_each_class():
    verdict = answers(classes=6)
    real, fake = (cross_entropy(verdict.answers["classes"], 2 * LABELS + i) for i in (0, 1))
    method = build({"name": "discriminative"}, 3)
    np.testing.assert_allclose(method.real(verdict, LABELS), real, rtol=1e-5)
    np.testing.assert_allclose(method.fake(verdict, LABELS), fake, rtol=1e-5)
    np.testing.assert_allclose(method.generated(verdict, LABELS), real - fake, rtol=1e-4)


def test_contrastive_methods_weigh_their_losses():
    verdict = answers(embedding=5, proxy=5)
    embedding, proxy = verdict.answers["embedding"], verdict.answers["proxy"]
    method = build({"name": "contrastive", "weight": 2.0, "temperature": 0.5}, 3)
    expected = 2 * contrastive(embedding, proxy, LABELS, 0.5)
    np.testing.assert_allclose([method.real(verdict, LABELS), method.generated(verdict, LABELS)], expected, rtol=1e-6)
    assert method.fake(verdict, LABELS) == 0
    method = build({"name": "data_to_data"}, 3)
    expected = 0.5 * data_to_data(embedding, proxy, LABELS, 0.5, 0.98)
    np.testing.assert_allclose(method.real(verdict, LABELS), expected, rtol=1e-6)


def test_multi_hinge_has_a_class_for_generated_images():
    verdict = answers(classes=4)
    method = build({"name": "multi_hinge", "weight": 0.5}, 3)
    assert method.alone
    logits = verdict.answers["classes"]
    np.testing.assert_allclose(method.real(verdict, LABELS), multi_hinge(logits, LABELS), rtol=1e-6)
    np.testing.assert_allclose(method.fake(verdict, LABELS), multi_hinge(logits, np.full(4, 3)), rtol=1e-6)
    np.testing.assert_allclose(method.generated(verdict, LABELS), 0.5 * multi_hinge(logits, LABELS), rtol=1e-6)


@pytest.mark.parametrize("name", [METHODS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in METHODS[1:])])
def test_both_players_can_play_by_each(name):
    recipe = recipe_of(conditioning={"name": name, **({"size": 4} if name in ("contrastive", "data_to_data") else {})})
    values = [play(recipe, phase)[0] for phase in ("discriminator", "generator")]
    assert np.isfinite(values).all()
    assert batch()["label"].max() < CLASSES


@pytest.mark.parametrize(
    ("section", "classes", "message"),
    [
        ({"name": "acgan"}, 3, "conditioning.name is 'acgan': expected one of 'none', 'projection'"),
        ({"name": "auxiliary", "wieght": 1.0}, 3, "conditioning has 'wieght': the fields of 'auxiliary' are"),
        ({"name": "auxiliary", "weight": -1.0}, 3, "conditioning.weight is -1.0: expected 0 or more"),
        (
            {"name": "projection"},
            0,
            "conditioning.name is 'projection', which needs labels, but config.data.num_classes is 0",
        ),
    ],
)
def test_what_cannot_be_is_a_sentence(section, classes, message):
    with pytest.raises(ConfigError, match=message):
        build(section, classes)
