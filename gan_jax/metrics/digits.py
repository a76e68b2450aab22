"""Scores for generated digits from a small classifier that is trained on the spot, in about two seconds.

It judges what a class-conditional generator of the built-in digits should do: draw the digit it was asked for
(`recognised`), with the variety of the real ones (`frechet`). The encoder is fixed by its seed; the distance is no FID
and compares only with other figures of this file, at equal counts of images.
"""

import flax.linen as nn
import jax
import numpy as np
import optax

from gan_jax.data.digits import digits
from gan_jax.errors import UserError
from gan_jax.layers.pixels import to_uint8
from gan_jax.metrics.frechet import frechet_distance, moments

HELD_OUT = 360  # of 1,797 digits, a fixed random choice
STEPS, BATCH = 600, 128
NOISE = 0.3  # standard deviation of the pixel noise in training
SMOOTHING = 0.1


class Classifier(nn.Module):
    """Images float32 [n, ...] in [-1, 1] -> (penultimate features before their ReLU [n, 64], logits [n, 10])."""

    @nn.compact
    def __call__(self, images):
        hidden = nn.relu(nn.Dense(256)(images.reshape(len(images), -1)))
        features = nn.Dense(64)(hidden)
        return features, nn.Dense(10)(nn.relu(features))


class DigitsJudge:
    """A classifier of digits at one resolution, and the real digits' features.

    Attributes:
        held_out_accuracy: share of the real digits kept out of training that it recognises.
    """

    def __init__(self, resolution: int = 16, seed: int = 0):
        source = digits(resolution)
        order = np.random.RandomState(0).permutation(len(source))
        held_out, training = order[:HELD_OUT], order[HELD_OUT:]
        self._variables = train_classifier(_inputs(source.images[training]), source.labels[training], seed)
        self._apply = jax.jit(Classifier().apply)
        self._real_moments = moments(self._outputs(source.images)[0])
        self.held_out_accuracy = self.recognised(source.images[held_out], source.labels[held_out])

    def recognised(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Share of the images that are classified as their labels say.

        Args:
            images: float in [-1, 1], or uint8; [n, R, R, C], channels are averaged.
            labels: int [n] in 0..9.

        Raises:
            UserError: images hold NaN or infinite numbers.
        """
        _, logits = self._outputs(images)
        return float((logits.argmax(axis=-1) == np.asarray(labels)).mean())

    def frechet(self, images: np.ndarray) -> float:
        """Frechet distance of the features of images, as in `recognised`, to those of all 1,797 real digits."""
        return frechet_distance(*moments(self._outputs(images)[0]), *self._real_moments)

    def _outputs(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and logits, in full float32 precision on any device."""
        with jax.default_matmul_precision("highest"):
            features, logits = self._apply(self._variables, _inputs(images))
        return np.asarray(features), np.asarray(logits)


def train_classifier(images: np.ndarray, labels: np.ndarray, seed: int = 0):
    """Trains a `Classifier` on images float32 [n, R, R] in [-1, 1] and labels int32 [n]; returns its variables.

    Shifts by up to a sixteenth of the width, noise and smoothed labels lift the held-out accuracy from 0.98 to 0.99.
    Numpy draws them: compiling JAX's generators would take longer than the training.
    """
    network = Classifier()
    optimizer = optax.adamw(optax.cosine_decay_schedule(2e-3, STEPS), weight_decay=1e-2)

    @jax.jit
    def step(variables, memory, batch, labels):
        def loss(variables):
            _, logits = network.apply(variables, batch)
            return optax.softmax_cross_entropy(
                logits, optax.smooth_labels(jax.nn.one_hot(labels, 10), SMOOTHING)
            ).mean()

        updates, memory = optimizer.update(jax.grad(loss)(variables), memory, variables)
        return optax.apply_updates(variables, updates), memory

    random = np.random.default_rng(seed)
    with jax.default_matmul_precision("highest"):
        variables = jax.jit(network.init)(jax.random.key(seed), images[:1])
        memory = optimizer.init(variables)
        for _ in range(STEPS):
            chosen = random.integers(len(images), size=BATCH)
            batch = _shift(random, images[chosen])
            batch += NOISE * random.standard_normal(batch.shape, np.float32)
            variables, memory = step(variables, memory, batch, labels[chosen])
    return variables


def _shift(random: np.random.Generator, images: np.ndarray) -> np.ndarray:
    """Rolls each image [n, R, R] by its own whole number of pixels, up to R / 16 each way."""
    width = images.shape[1]
    start = random.integers(-(width // 16), width // 16 + 1, size=(2, len(images), 1))
    rows, columns = (start + np.arange(width)) % width
    return images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _inputs(images: np.ndarray) -> np.ndarray:
    """Images uint8, or float that is rounded to uint8 first, [n, R, R, C] -> grey float32 [n, R, R] in [-1, 1]."""
    if images.dtype != np.uint8:
        if not np.isfinite(images).all():
            raise UserError("the generated images hold NaN or infinite values: expected numbers in [-1, 1]")
        images = np.asarray(to_uint8(images))
    return images.mean(axis=-1, dtype=np.float32) / 127.5 - 1
