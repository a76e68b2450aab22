"""The networks of LAPGAN (Denton et al. 2015, arXiv 1506.05751): a pair for each level of a Laplacian pyramid, coarse to fine.

Source: section 4 of the paper; facebookarchive/eyescream, cifar/scripts. The coarsest pair is fully connected. On every finer
level the generator has three convolutions that see a plane of noise, a plane made of the label and the coarse image in the
finer size, and make what that lacks; the discriminator has two, without padding, and sees the sum and a plane of the
label. Kernels and biases are PyTorch's U(+-1/sqrt(fan_in)). Labels are class numbers int32 [n] or vectors float32
[n, num_classes]; without classes they are not used.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import ConfigError
from gan_jax.layers.dropout import keeping
from gan_jax.layers.heads import Verdict, told
from gan_jax.layers.linear import Conv, Dense, rows
from gan_jax.layers.strided import StridedConv

_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
_dense = functools.partial(Dense, kernel_init=_uniform)


def sides(resolution: int, coarsest: int) -> tuple[int, ...]:
    """The sides of the images of all levels, coarsest first, each twice the one before.

    Raises:
        ConfigError: the resolution is not the coarsest side doubled once or more often.
    """
    doublings = (resolution // coarsest).bit_length() - 1 if coarsest > 0 else 0
    if doublings < 1 or coarsest * 2**doublings != resolution:
        raise ConfigError(
            f"config.model.coarsest is {coarsest} and config.data.resolution is {resolution}: expected a side that doubled "
            "once or more gives the resolution, such as 8 and 32"
        )
    return tuple(coarsest * 2**level for level in range(doublings + 1))


def shrink(x: jax.Array) -> jax.Array:
    """Blurs by (1, 3, 3, 1)/8 and keeps every other pixel: [n, h, w, c] -> [n, h/2, w/2, c]; edges count what is there."""
    n, h, w, c = x.shape
    return jax.image.resize(x, (n, h // 2, w // 2, c), "linear")


def grow(x: jax.Array) -> jax.Array:
    """Linear interpolation: [n, h, w, c] -> [n, 2h, 2w, c]."""
    n, h, w, c = x.shape
    return jax.image.resize(x, (n, 2 * h, 2 * w, c), "linear")


def pyramid(images: jax.Array, levels: int) -> tuple[jax.Array, ...]:
    """Images [n, r, r, c] in so many sizes, coarsest first (the Gaussian pyramid)."""
    found = [images]
    for _ in range(levels - 1):
        found.append(shrink(found[-1]))
    return tuple(reversed(found))


class Generator(nn.Module):
    """z [n, latent_dim] float32 and labels -> images of all levels, each [n, side, side, image_channels], coarsest first.

    With `coarse`, real images of all levels but the finest, each level refines the real image below it instead of the one
    that it was given by the level below: so the levels learn, and no gradient goes from one to another.

    Attributes:
        resolution: side of the finest images, see `sides`.
        coarsest: that of the coarsest.
        num_classes: number of classes, 0 for none.
        dim_z: size of z of the coarsest level; the others have a number for each pixel.
        width: of the two hidden layers of the coarsest level.
        channels: of the convolutions of the others.
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    coarsest: int = 8
    num_classes: int = 0
    dim_z: int = 100
    width: int = 1200
    channels: int = 128
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @property
    def latent_dim(self) -> int:
        """Size of the latents of all levels, one behind the other."""
        return self.dim_z + sum(side**2 for side in sides(self.resolution, self.coarsest)[1:])

    @nn.compact
    def __call__(
        self, z: jax.Array, labels: jax.Array, coarse: Sequence[jax.Array] | None = None
    ) -> tuple[jax.Array, ...]:
        _, *finer = sides(self.resolution, self.coarsest)
        first, *noises = jnp.split(z, self.dim_z + np.cumsum([0, *(side**2 for side in finer[:-1])]), axis=-1)
        images = [self._first(first, labels)]
        for level, (side, noise) in enumerate(zip(finer, noises, strict=True)):
            below = grow(images[level] if coarse is None else coarse[level])
            refine = _Refiner(self.num_classes, self.channels, self.dtype, name=f"level_{level + 1}")
            images.append(below + refine(noise.reshape(-1, side, side, 1), below, labels))
        return tuple(images)

    def _first(self, z, labels):
        x = jnp.concatenate([z, *_classes(labels, self.num_classes)], -1)
        for i in range(2):
            x = nn.relu(_dense(self.width, name=f"hidden_{i}")(x))
        shape = (self.coarsest, self.coarsest, self.image_channels)
        return _dense(shape[0] * shape[1] * shape[2], name="output")(x).reshape(-1, *shape)


class Discriminator(nn.Module):
    """Images of all levels, coarsest first, and labels -> a `Verdict` of each level.

    Attributes:
        width: of the two hidden layers of the coarsest level. keep: share of the hidden units that dropout keeps.
        head: what each level is asked beside logits, see `layers.heads.told`.
        padded: whether convolutions pad zeros; without, as published, finer levels need 13 pixels or more.

    The others are those of `Generator`.
    """

    num_classes: int = 0
    width: int = 600
    channels: int = 128
    keep: float = 0.5
    padded: bool = False
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Sequence[jax.Array], labels: jax.Array, train: bool = True) -> tuple[Verdict, ...]:
        still = not train or self.is_initializing()
        drop = functools.partial(keeping, self.keep, still=still)
        first, *finer = images
        x = jnp.concatenate([first.reshape(len(first), -1), *_classes(labels, self.num_classes)], -1)
        for i in range(2):
            x = drop()(nn.relu(_dense(self.width, name=f"hidden_{i}")(x)))
        verdicts = [told(x, lambda x: _dense(1, name="output")(x)[:, 0], **dict(self.head))]
        given = {"kernel_init": _uniform, "padded": self.padded, "dtype": self.dtype}
        conv = functools.partial(StridedConv, self.channels, 5, **given)
        for level, x in enumerate(finer, start=1):
            if not self.padded and x.shape[1] < 13:
                raise ConfigError(
                    f"config.model.D.padded is False, and a level has {x.shape[1]} pixels: set it to True, or take a coarsest "
                    "side of 7 or more"
                )
            x = _with_plane(x, labels, self.num_classes, f"plane_{level}")
            x = nn.relu(conv(stride=1, name=f"conv_{level}_0")(x))
            x = nn.relu(conv(name=f"conv_{level}_1")(x)).astype(jnp.float32)
            judge = lambda x, name=f"output_{level}": _dense(1, name=name)(x)[:, 0]  # noqa: E731
            verdicts.append(told(drop()(x.reshape(len(x), -1)), judge, **dict(self.head), suffix=f"_{level}"))
        return tuple(verdicts)


class _Refiner(nn.Module):
    """A plane of noise [n, s, s, 1], a coarse image [n, s, s, c] and labels -> what it lacks, float32 [n, s, s, c]."""

    num_classes: int
    channels: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, noise: jax.Array, coarse: jax.Array, labels: jax.Array) -> jax.Array:
        conv = functools.partial(Conv, kernel_init=_uniform, dtype=self.dtype)
        x = _with_plane(jnp.concatenate([noise, coarse], -1), labels, self.num_classes, "plane")
        x = nn.relu(conv(self.channels, 7, name="conv_0")(x))
        x = nn.relu(conv(self.channels, 7, name="conv_1")(x))
        return conv(coarse.shape[-1], 5, name="output")(x).astype(jnp.float32)


def _classes(labels, num_classes):
    """One-hot vectors, or nothing."""
    return [rows(jnp.eye(num_classes), labels)] if num_classes else []


def _with_plane(x, labels, num_classes, name):
    """x [n, h, w, c] and one channel more that a linear layer and a ReLU make of the label."""
    n, h, w, _ = x.shape
    planes = [nn.relu(_dense(h * w, name=name)(c)).reshape(n, h, w, 1) for c in _classes(labels, num_classes)]
    return jnp.concatenate([x, *planes], -1)
