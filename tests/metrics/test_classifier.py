"""Classifiers have the published sizes, learn each kind of target, and are fixed by their seed."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics.classifier import NETWORKS, TASKS, Settings, augmented, judge, predict, train, usual
from gan_jax.metrics.resnet_classifier import BasicBlock, ResNet

RANDOM = np.random.RandomState(0)
# Brightness says all: dark images of the first class, bright ones of the second.
CLASSES = RANDOM.randint(2, size=64)
IMAGES = (RANDOM.randint(0, 100, (64, 8, 8, 1)) + 155 * CLASSES[:, None, None, None]).astype(np.uint8)
QUICK = Settings(steps=40, batch=32)


def shapes(network, resolution, channels=3):
    images = jnp.zeros((2, resolution, resolution, channels))
    variables = jax.eval_shape(lambda: network.init(jax.random.key(0), images))
    answers = jax.eval_shape(network.apply, variables, images)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables["params"])), answers


@pytest.mark.parametrize(
    ("name", "outputs", "resolution", "count", "features"),
    [
        ("resnet20", 10, 32, 269_722, 64),  # He et al. 2015, table 6: 0.27 M, 0.46 M and 0.85 M
        ("resnet32", 10, 32, 464_154, 64),
        ("resnet56", 10, 32, 853_018, 64),
        ("resnet50", 1000, 224, 25_557_032, 2048),  # torchvision
        ("perceptron", 10, 16, 768 * 256 + 256 + 256 * 64 + 64 + 64 * 10 + 10, 64),
    ],
)
def test_networks_have_the_published_sizes(name, outputs, resolution, count, features):
    found, answers = shapes(NETWORKS[name](outputs), resolution)
    assert found == count
    assert [answer.shape for answer in answers] == [(2, features), (2, outputs)]


@pytest.mark.parametrize(("resolution", "left", "width"), [(8, 4, 16), (16, 4, 32), (28, 7, 32), (64, 4, 64)])
def test_the_convnet_halves_images_to_at_most_seven_pixels(resolution, left, width):
    variables = jax.eval_shape(
        lambda: NETWORKS["convnet"](3).init(jax.random.key(0), jnp.zeros((1, resolution, resolution, 1)))
    )
    assert variables["params"]["features"]["kernel"].shape == (left * left * width, 64)


def test_a_shortcut_without_parameters_skips_pixels_and_adds_empty_channels():
    block, x = BasicBlock(8, 2), RANDOM.standard_normal((1, 4, 4, 4)).astype(np.float32)
    variables = jax.tree.map(jnp.zeros_like, block.init(jax.random.key(0), x, False))
    expected = np.zeros((1, 2, 2, 8))
    expected[..., 2:6] = np.maximum(x[:, ::2, ::2], 0)
    np.testing.assert_array_equal(block.apply(variables, x, False), expected)


def test_losses_are_those_of_the_books():
    outputs, smoothing = RANDOM.standard_normal((3, 4)), 0.1
    log_share = outputs - np.log(np.exp(outputs).sum(axis=-1, keepdims=True))
    smooth = np.full((3, 4), smoothing / 4)
    smooth[np.arange(3), [0, 3, 1]] += 1 - smoothing
    expected = {"classes": -(smooth * log_share).sum(axis=-1).mean()}
    labels = np.float32([[0, 1, 1, 0]] * 3)
    chance, wanted = 1 / (1 + np.exp(-outputs)), labels * 0.9 + 0.05
    expected["labels"] = -(wanted * np.log(chance) + (1 - wanted) * np.log(1 - chance)).mean()
    expected["numbers"] = ((outputs - labels) ** 2).mean()
    for task, targets in (("classes", jnp.array([0, 3, 1])), ("labels", labels), ("numbers", labels)):
        np.testing.assert_allclose(TASKS[task](jnp.array(outputs), targets, smoothing), expected[task], rtol=1e-5)


def test_classes_labels_and_numbers_are_learnt():
    brightness = IMAGES.mean(axis=(1, 2, 3), keepdims=True)[:, :, 0, 0] / 127.5 - 1
    vectors = np.stack([CLASSES, 1 - CLASSES], axis=-1).astype(np.float32)
    learnt = {
        task: predict(*train(IMAGES, targets, outputs, task, QUICK), IMAGES)[1]
        for task, targets, outputs in (
            ("classes", CLASSES, 2),
            ("labels", vectors, 2),
            ("numbers", brightness.astype(np.float32), 1),
        )
    }
    np.testing.assert_array_equal(learnt["classes"].argmax(axis=-1), CLASSES)
    np.testing.assert_array_equal(learnt["labels"] > 0, vectors)
    assert np.sqrt(np.mean((learnt["numbers"] - brightness) ** 2)) < 0.2 * brightness.std()


def test_the_seed_decides_and_progress_is_told():
    told = []
    first = train(IMAGES, CLASSES, 2, "classes", Settings(steps=3, batch=32), told.append)
    again = train(IMAGES, CLASSES, 2, "classes", Settings(steps=3, batch=32))
    other = train(IMAGES, CLASSES, 2, "classes", Settings(steps=3, batch=32, seed=1))
    assert told == [32, 64, 96]
    answers = [predict(*trained, IMAGES)[1] for trained in (first, again, other)]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert np.abs(answers[0] - answers[2]).max() > 1e-3


def test_devices_share_the_batches():
    settings = Settings(steps=3, batch=32)
    answers = [
        predict(*train(IMAGES, CLASSES, 2, "classes", settings, devices=jax.devices()[:count]), IMAGES)[1]
        for count in (1, 2)
    ]
    np.testing.assert_allclose(*answers, rtol=1e-3, atol=1e-4)


def test_batch_normalisation_keeps_its_statistics_and_judges_by_them(monkeypatch):
    def tiny(outputs):
        return ResNet(outputs, (1, 1), 4, BasicBlock, "small")

    monkeypatch.setitem(NETWORKS, "tiny", tiny)
    settings = Settings("tiny", 30, 32, "sgd", 0.1, 1e-4, smoothing=0, noise=0, shift=0)
    network, variables = train(IMAGES, CLASSES, 2, "classes", settings)
    _, answers = predict(network, variables, IMAGES)
    np.testing.assert_array_equal(answers.argmax(axis=-1), CLASSES)
    one_by_one = np.concatenate([judge(network, variables, IMAGES[i : i + 1] / 127.5 - 1)[1] for i in range(3)])
    np.testing.assert_allclose(one_by_one, answers[:3], rtol=1e-3, atol=1e-4)


def test_images_are_shifted_mirrored_and_made_noisy():
    ramp = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None], (16, 16))
    images = np.stack([np.stack([ramp, ramp.T], axis=-1)] * 200)
    plain = {"noise": 0, "shift": 0}
    random = np.random.default_rng(0)
    assert augmented(random, images, Settings(**plain)) is images
    shifted = augmented(random, images, Settings(**plain | {"shift": 1 / 8})).astype(int)
    steps = {(int(image[8, 8, 0]) - 8, int(image[8, 8, 1]) - 8) for image in shifted}
    assert steps == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}
    down = shifted[:, 8, 0, 0] - 8
    np.testing.assert_array_equal(shifted[:, :, 0, 0], np.clip(np.arange(16) + down[:, None], 0, 15))
    flipped = augmented(random, images, Settings(**plain, flip=True))
    mirrored = flipped[:, 0, 0, 1] == 15
    assert 60 < mirrored.sum() < 140
    np.testing.assert_array_equal(flipped[mirrored], images[mirrored][:, :, ::-1])
    np.testing.assert_array_equal(flipped[~mirrored], images[~mirrored])
    noisy = augmented(random, images, Settings(noise=0.3, shift=0))
    assert noisy.dtype == np.float32
    assert (noisy - (images / 127.5 - 1)).std() == pytest.approx(0.3, rel=0.02)


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(ConfigError, match="'lenet': expected one of perceptron, convnet, resnet20"):
        usual("lenet", 10)
    with pytest.raises(ConfigError, match="0 steps of 128 images"):
        Settings(steps=0)
    with pytest.raises(UserError, match="diverges at a learning rate of 1e\\+30"):
        train(IMAGES, CLASSES, 2, "classes", Settings(steps=3, optimizer="sgd", learning_rate=1e30))


def test_residual_networks_are_trained_as_published():
    settings = usual("resnet56", 35_156, seed=3)
    assert (settings.optimizer, settings.learning_rate, settings.weight_decay) == ("sgd", 0.1, 1e-4)
    assert (settings.batch, settings.steps, settings.seed, settings.flip) == (128, 35_156, 3, True)
