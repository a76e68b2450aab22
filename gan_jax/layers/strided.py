"""Convolutions that change the size, plain or with normalised kernels, as fast in derivatives of every order.

Parameters are float32, kernels HWIO. Zeros are padded as TensorFlow's "SAME" does, which for even sizes and kernels of 4
is PyTorch's padding of 1: the smaller side is the larger one divided by the stride, rounded up.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer

from gan_jax.layers.convolution import Window, correlate, transposed
from gan_jax.layers.kernels import normalized


class _Strided(nn.Module):
    """What both layers have in common.

    Attributes:
        features: number of output channels.
        kernel_size: side of the kernel, at least the stride.
        stride: ratio of the sides.
        sn_eps: epsilon of spectral normalisation, None for a plain convolution.
        use_bias: add a bias, which starts at zero.
        kernel_init: initialiser of the kernel [k, k, c, features].
        dtype: of the operands and the output.
        weight_norm: weight normalisation, see `kernels`.
    """

    features: int
    kernel_size: int = 4
    stride: int = 2
    sn_eps: float | None = None
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.normal(0.02)
    dtype: jnp.dtype = jnp.float32
    weight_norm: bool = False

    def _kernel(self, channels: int) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, channels, self.features)
        return normalized(self, self.param("kernel", self.kernel_init, shape)).astype(self.dtype)

    def _with_bias(self, y: jax.Array) -> jax.Array:
        if not self.use_bias:
            return y
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)

    def _margins(self, size: int) -> tuple[int, int]:
        """Zeros before and behind a side of the larger image."""
        total = max((-(-size // self.stride) - 1) * self.stride + self.kernel_size - size, 0)
        return total // 2, total - total // 2


class StridedConv(_Strided):
    """Convolution that divides the size: [n, h, w, c] -> [n, h / stride, w / stride, features].

    Attributes:
        padded: whether zeros are padded; without, [n, (h - k) / stride + 1, ...], rounded down.
    """

    padded: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        margins = [self._margins(size) if self.padded else (0, 0) for size in x.shape[1:3]]
        padding = margins[0][0]
        if {padding} != {zeros for pair in margins for zeros in pair}:
            x, padding = jnp.pad(x, ((0, 0), *margins, (0, 0))), 0
        y = correlate(x.astype(self.dtype), self._kernel(x.shape[-1]), Window(self.stride, padding))
        return self._with_bias(y)


class ConvTranspose(_Strided):
    """Transposed convolution, which multiplies the size: [n, h, w, c] -> [n, stride h, stride w, features]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        sizes = [self.stride * size for size in x.shape[1:3]]
        margins = [self._margins(size) for size in sizes]
        padded = tuple(size + sum(pair) for size, pair in zip(sizes, margins, strict=True))
        kernel = self._kernel(x.shape[-1]).swapaxes(2, 3)
        y = transposed(x.astype(self.dtype), kernel, Window(self.stride, 0), padded)
        (top, _), (left, _) = margins
        return self._with_bias(y[:, top : top + sizes[0], left : left + sizes[1]])
