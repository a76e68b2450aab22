"""Projection of an image into W: the one w for all layers whose image comes nearest to it.

Source: arXiv 1912.04958, appendix D; settings of NVlabs/stylegan2-ada-pytorch, projector.py. That has the squared
distance of LPIPS features, of images that are not clipped to [-1, 1]; here the distance is an argument, and images are
clipped: a pixel darker than black is black, as it is in the target, and need not be explained otherwise.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.engine.recipe import Styles
from gan_jax.engine.sharding import path_name

Tree = Any
Distance = Callable[[jax.Array, jax.Array], jax.Array]

STATISTICS_SAMPLES = 10_000  # of w, for their mean and spread
RATE = 0.1
RAMP_UP, RAMP_DOWN = 0.05, 0.25  # shares of the steps in which the rate rises and falls
JITTER, JITTER_UNTIL = 0.05, 0.75  # noise on w in spreads of w, and the share of the steps after which it has faded
NOISE_WEIGHT = 1e5  # of the regularisation that keeps noise images noise
LARGEST = 256  # side of the images that are compared, pixels


def project(
    styles: Styles,
    variables: Tree,
    target: np.ndarray,
    w: np.ndarray,
    layers: int,
    steps: int,
    seed: int,
    distance: Distance,
    say: Callable[[int, float], None],
) -> np.ndarray:
    """Searches from the mean w by gradients through `styles.synthesize`, together with fitting noise images.

    Args:
        variables: `{network: variables}`. The leaves of a collection `buffers` whose names begin with "noise" are
            searched for too, from random ones, in a copy: so detail that is not w's need not be explained by w.
        target: float32 [1, r, r, c] in [-1, 1].
        w: float32 [n, d] of many latents, for their mean and spread.
        layers: how many of them an image takes.
        distance: of images [n, r, r, c], to be made small: float32 [n].
        say: told the step, from 1, and the distance, some twenty times.

    Returns:
        Styles float32 [1, layers, d], all layers alike.
    """
    mean = w.mean(0)
    spread = float(np.sqrt(np.square(w - mean).sum() / len(w)))
    goal = _limited(jnp.asarray(target))
    adam = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)

    def loss(searched: Tree, variables: Tree, shift: jax.Array) -> tuple[jax.Array, jax.Array]:
        ws = jnp.broadcast_to(searched["w"] + shift, (1, layers, len(mean)))
        images = styles.synthesize(with_leaves(variables, searched["noise"]), ws)
        away = distance(_limited(jnp.clip(images, -1, 1)), goal)[0]
        return away + NOISE_WEIGHT * sum(map(unlike_noise, searched["noise"].values())), away

    @jax.jit
    def step(searched: Tree, moments: Tree, variables: Tree, t: jax.Array, key: jax.Array) -> tuple:
        scale = spread * JITTER * jnp.square(jnp.maximum(1 - t / JITTER_UNTIL, 0))
        shift = scale * jax.random.normal(key, mean.shape)
        gradients, away = jax.grad(loss, has_aux=True)(searched, variables, shift)
        updates, moments = adam.update(gradients, moments)
        searched = jax.tree.map(lambda x, u: x - rate(t) * u, searched, updates)
        return {**searched, "noise": {path: whitened(n) for path, n in searched["noise"].items()}}, moments, away

    key = jax.random.key(seed)
    searched = {"w": jnp.asarray(mean), "noise": fresh_noise(variables, jax.random.fold_in(key, steps))}
    moments, every = adam.init(searched), max(1, steps // 20)
    for number in range(steps):
        searched, moments, away = step(
            searched, moments, variables, jnp.float32(number / steps), jax.random.fold_in(key, number)
        )
        if (number + 1) % every == 0 or number + 1 == steps:
            say(number + 1, float(away))
    return np.broadcast_to(np.asarray(searched["w"]), (1, layers, len(mean)))


def rate(t: jax.Array) -> jax.Array:
    """The learning rate at t in [0, 1): a linear rise, and a fall along a cosine."""
    fall = 0.5 - 0.5 * jnp.cos(jnp.pi * jnp.minimum(1, (1 - t) / RAMP_DOWN))
    return RATE * fall * jnp.minimum(1, t / RAMP_UP)


def fresh_noise(variables: Tree, key: jax.Array) -> dict[str, jax.Array]:
    """`{path: normal array}` for every noise image of the variables."""
    paths = [
        (path_name(path), leaf.shape)
        for path, leaf in jax.tree.leaves_with_path(variables)
        if "/buffers/" in path_name(path) and path_name(path).rpartition("/")[2].startswith("noise")
    ]
    return {path: jax.random.normal(jax.random.fold_in(key, i), shape) for i, (path, shape) in enumerate(paths)}


def with_leaves(tree: Tree, leaves: Mapping[str, jax.Array]) -> Tree:
    """The tree with some of its leaves, by path, replaced."""
    return jax.tree.map_with_path(lambda path, leaf: leaves.get(path_name(path), leaf), tree)


def unlike_noise(noise: jax.Array) -> jax.Array:
    """How much neighbours are alike, squared, on all scales down to 8 pixels; about 0 for white noise."""
    side = round(noise.size**0.5)
    noise, total = noise.reshape(1, side, side, 1), jnp.float32(0)
    while True:
        total += sum(jnp.square(jnp.mean(noise * jnp.roll(noise, 1, axis))) for axis in (1, 2))
        if noise.shape[1] <= 8:
            return total
        noise = _halved(noise)


def whitened(noise: jax.Array) -> jax.Array:
    """Noise with mean 0 and mean square 1."""
    noise = noise - noise.mean()
    return noise * jax.lax.rsqrt(jnp.square(noise).mean())


def _limited(images: jax.Array) -> jax.Array:
    """Images [n, r, r, c] with at most `LARGEST` pixels a side."""
    while images.shape[1] > LARGEST:
        images = _halved(images)
    return images


def _halved(images: jax.Array) -> jax.Array:
    """Means of 2 x 2 pixels: [n, r, r, c] -> [n, r / 2, r / 2, c]."""
    n, side, _, c = images.shape
    return images.reshape(n, side // 2, 2, side // 2, 2, c).mean((2, 4))
