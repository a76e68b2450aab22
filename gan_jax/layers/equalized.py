"""Dense layers and convolutions with an equalised learning rate (ProGAN, arXiv 1710.10196, section 4.1).

Weights are drawn from N(0, 1) and scaled at run time by gain / sqrt(fan_in), so Adam's steps have the same size
relative to every weight. Scales are applied in float32, before the cast to `dtype`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers import fir


class EqualizedDense(nn.Module):
    """Matrix product over the last axis: [..., c] -> [..., features].

    Attributes:
        features: number of outputs.
        gain: multiplies the weights beside 1/sqrt(fan_in).
        lr_multiplier: how fast weights and bias learn, relative to others; they are stored divided by it.
        use_bias: add a bias.
        bias_init: what the bias is at first.
        dtype: of the operands and the output. With float32 accelerators compute in full float32.
    """

    features: int
    gain: float = 1.0
    lr_multiplier: float = 1.0
    use_bias: bool = True
    bias_init: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = scaled_kernel(self, (x.shape[-1], self.features), self.gain, self.lr_multiplier).astype(self.dtype)
        y = jnp.matmul(x.astype(self.dtype), kernel, precision=jax.lax.Precision.HIGHEST)
        if self.use_bias:
            init = nn.initializers.constant(self.bias_init / self.lr_multiplier)
            y += (self.param("bias", init, (self.features,)) * self.lr_multiplier).astype(self.dtype)
        return y


class EqualizedConv(nn.Module):
    """Convolution with zero padding: [n, h, w, c] -> [n, h, w, features], or half the size.

    Attributes:
        features: number of output channels.
        kernel_size: side of the kernel.
        gain: multiplies the weights beside 1/sqrt(fan_in).
        use_bias: add a bias.
        down: smooth by (1, 3, 3, 1) and take every second pixel (StyleGAN2), in one go with the convolution.
        dtype: of the operands and the output.
    """

    features: int
    kernel_size: int
    gain: float = 1.0
    use_bias: bool = True
    down: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = scaled_kernel(self, shape, self.gain).astype(self.dtype)
        x = x.astype(self.dtype)
        y = fir.conv_down(x, kernel) if self.down else fir.conv(x, kernel)
        if self.use_bias:
            y += self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        return y


def scaled_kernel(layer: nn.Module, shape: tuple[int, ...], gain: float = 1.0, lr_multiplier: float = 1.0) -> jax.Array:
    """The layer's parameter `kernel` of this shape [..., in, out], drawn from N(0, 1)/lr_multiplier, times its scale.

    Raises:
        ConfigError: it would have no entries.
    """
    if min(shape) < 1:
        raise ConfigError(
            f"the layer {'/'.join(layer.path)} would have a weight of shape {shape}: a width in config.model is too small"
        )
    fan_in = 1
    for size in shape[:-1]:
        fan_in *= size
    kernel = layer.param("kernel", nn.initializers.normal(1 / lr_multiplier), shape)
    return kernel * (gain * lr_multiplier / fan_in**0.5)
