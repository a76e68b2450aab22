"""Small networks that learn to judge images, and the one function that trains them and larger ones.

A network maps images float32 [n, R, R, C] in [-1, 1] to `(features, outputs)`: what comes before its last layer, and
what it says of the images. What the outputs mean is one of `TASKS`.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gan_jax.errors import ConfigError, UserError
from gan_jax.layers.pixels import to_float
from gan_jax.metrics.resnet_classifier import RESNETS

Tree = Any


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a network is trained. The defaults suit the small networks; `usual` knows the others.

    Attributes:
        network: one of `NETWORKS`.
        steps: batches of `batch` images, each drawn anew from all images.
        optimizer: "adamw", or "sgd" with Nesterov momentum 0.9.
        learning_rate: at the start; it falls to 0 along a cosine.
        weight_decay: decoupled with adamw, part of the gradient with sgd.
        smoothing: share of the targets that is spread over all classes.
        noise: standard deviation of the noise added to the pixels, in units of [-1, 1].
        shift: images are shifted by up to this share of their width each way, the edge repeated outward.
        flip: mirror half of the images.
        seed: of everything that is drawn.
    """

    network: str = "perceptron"
    steps: int = 600
    batch: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    smoothing: float = 0.1
    noise: float = 0.3
    shift: float = 1 / 16
    flip: bool = False
    seed: int = 0

    def __post_init__(self):
        if self.network not in NETWORKS:
            raise ConfigError(f"the classifier's network is {self.network!r}: expected one of {', '.join(NETWORKS)}")
        if self.optimizer not in ("adamw", "sgd"):
            raise ConfigError(f"the classifier's optimizer is {self.optimizer!r}: expected adamw or sgd")
        if self.steps < 1 or self.batch < 2:
            raise ConfigError(
                f"the classifier is to be trained for {self.steps} steps of {self.batch} images: expected at least 1 "
                "step of 2 images"
            )


def usual(network: str, steps: int, seed: int = 0) -> Settings:
    """The usual training of a network: for a residual one on crops and mirrored images (StudioGAN's, but for the cosine).

    Its 90 epochs take 35,156 steps on the 50,000 images of CIFAR-10 and 900,820 on the 1,281,167 of ImageNet.
    """
    if network not in RESNETS:
        return Settings(network, steps, seed=seed)
    return Settings(network, steps, 128, "sgd", 0.1, 1e-4, smoothing=0, noise=0, shift=1 / 8, flip=True, seed=seed)


class Perceptron(nn.Module):
    """Two hidden layers: quick to compile and to train on small grey images.

    The features [n, 64] are those before the last ReLU.
    """

    outputs: int

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        hidden = nn.relu(nn.Dense(256, name="hidden")(images.reshape(len(images), -1)))
        features = nn.Dense(64, name="features")(hidden)
        return features, nn.Dense(self.outputs, name="outputs")(nn.relu(features))


class ConvNet(nn.Module):
    """LeNet-like: 5x5 convolutions, ReLU and 2x2 maxima until at most 7 pixels are left, then as `Perceptron` ends.

    16 channels, doubled at each halving to at most 64. The features [n, 64] are those before the last ReLU.
    """

    outputs: int

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        x = images
        for stage in range(max(1, math.ceil(math.log2(images.shape[1] / 7)))):
            x = nn.relu(nn.Conv(min(16 * 2**stage, 64), (5, 5), name=f"conv{stage}")(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        features = nn.Dense(64, name="features")(x.reshape(len(x), -1))
        return features, nn.Dense(self.outputs, name="outputs")(nn.relu(features))


# Name -> network, made from the number of its outputs.
NETWORKS: dict[str, Callable[[int], nn.Module]] = {"perceptron": Perceptron, "convnet": ConvNet, **RESNETS}


def _classes(outputs: jax.Array, targets: jax.Array, smoothing: float) -> jax.Array:
    smooth = optax.smooth_labels(jax.nn.one_hot(targets, outputs.shape[-1]), smoothing)
    return optax.softmax_cross_entropy(outputs, smooth).mean()


def _labels(outputs: jax.Array, targets: jax.Array, smoothing: float) -> jax.Array:
    return optax.sigmoid_binary_cross_entropy(outputs, targets * (1 - smoothing) + smoothing / 2).mean()


def _numbers(outputs: jax.Array, targets: jax.Array, smoothing: float) -> jax.Array:
    return jnp.square(outputs - targets).mean()


# What outputs [n, k] are told: the class, int32 [n]; which of k labels apply, float32 [n, k] of 0 and 1, each by a
# logistic function of its own; or k numbers, float32 [n, k], of order 1. Each with its loss.
TASKS = {"classes": _classes, "labels": _labels, "numbers": _numbers}


def train(
    images: np.ndarray,
    targets: np.ndarray,
    outputs: int,
    task: str,
    settings: Settings,
    progress: Callable[[int], None] = lambda images: None,
    devices: Sequence[jax.Device] | None = None,
) -> tuple[nn.Module, Tree]:
    """Trains a network from the start.

    Numpy draws batches, shifts and noise: compiling JAX's generators would take longer than a small training.

    Args:
        images: uint8 [n, R, R, C].
        targets: what it is to say of them, see `TASKS`.
        outputs: number of its outputs.
        progress: is told after each step how many images have been drawn.
        devices: of this process, which share each batch and must divide it; None: the first does all.

    Returns:
        The network and its variables.

    Raises:
        UserError: the training diverges.
    """
    network = NETWORKS[settings.network](outputs)
    random = np.random.default_rng(settings.seed)
    mesh = Mesh(devices or jax.local_devices()[:1], ("data",))
    spread, everywhere = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())
    state = jax.device_put(_start(network, settings, images.shape[1:]), everywhere)
    for step in range(1, settings.steps + 1):
        chosen = random.integers(len(images), size=settings.batch)
        batch = jax.device_put((augmented(random, images[chosen], settings), targets[chosen]), spread)
        state = _step(network, task, settings, state, *batch)
        progress(step * settings.batch)
    variables = jax.device_get(state[0])
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(variables)):
        raise UserError(
            f"the training of the {settings.network} diverges at a learning rate of {settings.learning_rate}: lower it"
        )
    return network, variables


def predict(network: nn.Module, variables: Tree, images: np.ndarray, batch: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """Features and outputs, float32 [n, ...], of images uint8 [n, R, R, C], in full float32 precision on any device."""
    parts = [_judge(network, variables, images[start : start + batch]) for start in range(0, len(images), batch)]
    features, outputs = zip(*parts, strict=True)
    return np.concatenate(features), np.concatenate(outputs)


def judge(network: nn.Module, variables: Tree, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Features and outputs of images float32 [n, R, R, C] in [-1, 1], in full float32 precision; pure."""
    with jax.default_matmul_precision("highest"):
        features, outputs = network.apply(variables, images)
    return features.astype(jnp.float32), outputs.astype(jnp.float32)


@functools.partial(jax.jit, static_argnums=0)
def _judge(network: nn.Module, variables: Tree, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    return judge(network, variables, to_float(images))


def _optimizer(settings: Settings) -> optax.GradientTransformation:
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    if settings.optimizer == "adamw":
        return optax.adamw(rate, weight_decay=settings.weight_decay)
    return optax.chain(optax.add_decayed_weights(settings.weight_decay), optax.sgd(rate, momentum=0.9, nesterov=True))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _start(network: nn.Module, settings: Settings, image_shape: tuple[int, int, int]) -> tuple[Tree, Tree]:
    variables = network.init(jax.random.key(settings.seed), jnp.zeros((1, *image_shape)))
    return variables, _optimizer(settings).init(variables["params"])


@functools.partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=3)
def _step(network, task: str, settings: Settings, state, images: jax.Array, targets: jax.Array) -> tuple[Tree, Tree]:
    variables, memory = state
    images = to_float(images) if images.dtype == jnp.uint8 else images

    def loss(params):
        (_, outputs), changed = network.apply(
            {**variables, "params": params}, images, train=True, mutable=["batch_stats"]
        )
        return TASKS[task](outputs, targets, settings.smoothing), changed

    gradient, changed = jax.grad(loss, has_aux=True)(variables["params"])
    updates, memory = _optimizer(settings).update(gradient, memory, variables["params"])
    return {"params": optax.apply_updates(variables["params"], updates), **changed}, memory


def augmented(random: np.random.Generator, images: np.ndarray, settings: Settings) -> np.ndarray:
    """Images uint8 [n, R, R, C] shifted and mirrored each by itself, and with noise, which makes them float32."""
    count, width = images.shape[:2]
    if reach := int(width * settings.shift):
        start = random.integers(-reach, reach + 1, size=(2, count, 1))
        rows, columns = np.clip(start + np.arange(width), 0, width - 1)
        images = images[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    if settings.flip:
        mirrored = random.integers(2, size=(count, 1, 1, 1)).astype(bool)
        images = np.where(mirrored, images[:, :, ::-1], images)
    if not settings.noise:
        return images
    noise = settings.noise * random.standard_normal(images.shape, np.float32)
    return images.astype(np.float32) / 127.5 - 1 + noise
