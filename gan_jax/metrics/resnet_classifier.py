"""Residual networks that classify: those of CIFAR-10 with 6n + 2 layers, and the 50 layers of ImageNet.

Source: He et al. 2015 (arXiv 1512.03385), sections 3 and 4.2; in the bottleneck it is the 3x3 convolution that has the
stride, as in torchvision. Initialisation: He's for the convolutions (fan out), the output as in PyTorch.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.initializers import fan_in_uniform
from gan_jax.layers.norm import BatchNorm


def _conv(features: int, size: int, stride: int, name: str) -> nn.Conv:
    """A convolution without bias, padded by half its size on both sides."""
    padding = [(size // 2, size // 2)] * 2
    init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
    return nn.Conv(features, (size, size), stride, padding, use_bias=False, kernel_init=init, name=name)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; a shortcut without parameters (option A): every other pixel, new channels zero."""

    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        h = nn.relu(BatchNorm(name="norm1")(_conv(self.width, 3, self.stride, "conv1")(x), train=train))
        h = BatchNorm(name="norm2")(_conv(self.width, 3, 1, "conv2")(h), train=train)
        added = (self.width - x.shape[-1]) // 2
        x = x[:, :: self.stride, :: self.stride]
        return nn.relu(h + jnp.pad(x, ((0, 0), (0, 0), (0, 0), (added, added))))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions to four times the width; a shortcut of another shape is a 1x1 convolution."""

    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        h = nn.relu(BatchNorm(name="norm1")(_conv(self.width, 1, 1, "conv1")(x), train=train))
        h = nn.relu(BatchNorm(name="norm2")(_conv(self.width, 3, self.stride, "conv2")(h), train=train))
        h = BatchNorm(name="norm3")(_conv(4 * self.width, 1, 1, "conv3")(h), train=train)
        if x.shape[-1] != 4 * self.width or self.stride > 1:
            x = _conv(4 * self.width, 1, self.stride, "shortcut")(x)
            x = BatchNorm(name="shortcut_norm")(x, train=train)
        return nn.relu(h + x)


class ResNet(nn.Module):
    """Images float32 [n, R, R, C] in [-1, 1] -> (pooled features [n, d], outputs [n, outputs]).

    Attributes:
        outputs: number of outputs.
        depths: blocks of each stage; the width doubles and the resolution halves from stage to stage.
        width: of the first stage.
        block: `BasicBlock` or `Bottleneck`.
        stem: "small", a 3x3 convolution, or "large", 7x7 with stride 2 and then maxima of 3x3 with stride 2.
    """

    outputs: int
    depths: tuple[int, ...]
    width: int
    block: Callable[..., nn.Module]
    stem: str

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        size, stride = (3, 1) if self.stem == "small" else (7, 2)
        x = _conv(self.width, size, stride, "stem")(images)
        x = nn.relu(BatchNorm(name="stem_norm")(x, train=train))
        if self.stem == "large":
            x = nn.max_pool(x, (3, 3), (2, 2), [(1, 1), (1, 1)])
        for stage, depth in enumerate(self.depths):
            for number in range(depth):
                stride = 2 if stage and not number else 1
                x = self.block(self.width * 2**stage, stride, name=f"stage{stage}_block{number}")(x, train)
        features = x.mean(axis=(1, 2))
        bias = fan_in_uniform(features.shape[-1])
        kernel = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
        return features, nn.Dense(self.outputs, kernel_init=kernel, bias_init=bias, name="outputs")(features)


def _of_cifar(depth: int) -> Callable[[int], ResNet]:
    return functools.partial(ResNet, depths=((depth - 2) // 6,) * 3, width=16, block=BasicBlock, stem="small")


# Name -> network, made from the number of its outputs.
RESNETS: dict[str, Callable[[int], ResNet]] = {
    **{f"resnet{depth}": _of_cifar(depth) for depth in (20, 32, 56)},
    "resnet50": functools.partial(ResNet, depths=(3, 4, 6, 3), width=64, block=Bottleneck, stem="large"),
}
