"""Differentiable augmentation of Zhao et al. (arXiv 2006.10738): every image, every time, by policies.

As mit-han-lab/data-efficient-gans, DiffAugment_pytorch.py. What is drawn comes apart from what is done with it.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError

POLICIES = {
    "color": ("brightness", "saturation", "contrast"),
    "translation": ("translation",),
    "cutout": ("cutout",),
}
_REACH, _CUTOUT_SIZE = 0.125, 0.5  # fractions of the image's size

Draws = dict[str, jax.Array]


def operations(policy: Sequence[str], section: str = "config.phases.augment") -> tuple[str, ...]:
    """The operations of policies, in the order in which they act; `section` is where these stand, for sentences.

    Raises:
        ConfigError: an unknown policy, or the same one twice.
    """
    if isinstance(policy, str):
        raise ConfigError(f"{section}.policy is the text {policy!r}: expected a tuple, such as ('color',)")
    for name in policy:
        if name not in POLICIES or list(policy).count(name) > 1:
            known = ", ".join(map(repr, POLICIES))
            raise ConfigError(f"{section}.policy has {name!r}: expected each of {known} at most once")
    return tuple(operation for name in policy for operation in POLICIES[name])


def augment(key: jax.Array, images: jax.Array, operations: Sequence[str]) -> jax.Array:
    """Augments images float32 [n, h, w, c], each on its own."""
    return transform(images, draw(key, operations, images.shape))


def draw(key: jax.Array, operations: Sequence[str], shape: tuple[int, ...]) -> Draws:
    """Random numbers for a batch of images of `shape`, by operation: uniform float32 [n] for the colours, int32 [n, 2]
    along height and width else: how far the content moves up and left, and where the middle of the cut is."""
    n, *sides = shape[:3]
    draws = {}
    for index, name in enumerate(operations):
        own = jax.random.fold_in(key, index)
        if name == "translation":
            ranges = [(-_part(side, _REACH), _part(side, _REACH) + 1) for side in sides]
        else:  # an even cut has its middle between two pixels, so one place more
            ranges = [(0, side + 1 - _part(side, _CUTOUT_SIZE) % 2) for side in sides]
        if name in POLICIES["color"]:
            draws[name] = jax.random.uniform(own, (n,))
        else:
            low, high = jnp.array(ranges).T
            draws[name] = jax.random.randint(own, (n, 2), low, high)
    return draws


def transform(images: jax.Array, draws: Draws) -> jax.Array:
    """Does the operations that have draws, in their order; differentiable by the images."""
    for name, numbers in draws.items():
        images = _OPERATIONS[name](images, numbers)
    return images


def _part(side: int, fraction: float) -> int:
    return int(side * fraction + 0.5)


def _brightness(images, u):
    return images + (_each(u) - 0.5)


def _saturation(images, u):
    mean = images.mean(-1, keepdims=True)
    return (images - mean) * (2 * _each(u)) + mean


def _contrast(images, u):
    mean = images.mean((1, 2, 3), keepdims=True)
    return (images - mean) * (_each(u) + 0.5) + mean


def _each(numbers):
    return numbers[:, None, None, None]


def _translation(images, shift):
    """Zeros come in at the edges."""
    _, height, width, channels = images.shape
    reach = _part(height, _REACH), _part(width, _REACH)
    padded = jnp.pad(images, ((0, 0), *((r, r) for r in reach), (0, 0)))

    def crop(image, start):
        return jax.lax.dynamic_slice(image, (start[0], start[1], 0), (height, width, channels))

    return jax.vmap(crop)(padded, shift + jnp.array(reach))


def _cutout(images, middle):
    """A rectangle of zeros, less what lies outside."""
    cut = []
    for i, side in enumerate(images.shape[1:3]):
        size = _part(side, _CUTOUT_SIZE)
        from_first = jnp.arange(side) - (middle[:, i : i + 1] - size // 2)
        cut.append((from_first >= 0) & (from_first < size))
    return jnp.where((cut[0][:, :, None] & cut[1][:, None, :])[..., None], 0, images)


_OPERATIONS = {
    "brightness": _brightness,
    "saturation": _saturation,
    "contrast": _contrast,
    "translation": _translation,
    "cutout": _cutout,
}
