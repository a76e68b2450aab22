"""Modulated convolution (StyleGAN2, arXiv 1912.04958, section 2.2): a convolution whose kernel each image scales.

The kernel of an image is w s, scaled so that every output channel of it has length one. Here x is scaled on the way in
and the result on the way out, around one convolution with the shared kernel: the same numbers as a kernel for every
image, without a grouped convolution, which most backends run slowly and none can split over a sharded batch.
"""

import jax
import jax.numpy as jnp

from gan_jax.layers import fir


def modulated_conv(
    x: jax.Array, kernel: jax.Array, styles: jax.Array, *, demodulate: bool = True, up: bool = False
) -> jax.Array:
    """x [n, h, w, c] with a kernel float32 [k, k, c, d] and styles float32 [n, c] -> [n, h, w, d], or twice the size.

    The convolution runs in the dtype of x; demodulation is float32. In float16 the kernel and the styles are divided
    by their largest values first, which demodulation undoes and which keeps sums below 65,504
    (NVlabs/stylegan2-ada-pytorch, networks.py, modulated_conv2d). bfloat16 has the range of float32 and needs none.

    Args:
        demodulate: scale every output channel by rsqrt of its kernel's squared length plus 1e-8.
        up: double the size, see `fir.conv_up`.
    """
    if demodulate and x.dtype == jnp.float16:
        kernel = kernel / (jnp.abs(kernel).max((0, 1, 2)) * (kernel[..., 0].size) ** 0.5)
        styles = styles / jnp.abs(styles).max(1, keepdims=True)
    x = x * styles.astype(x.dtype)[:, None, None]
    y = (fir.conv_up if up else fir.conv)(x, kernel.astype(x.dtype))
    if not demodulate:
        return y
    squares = jnp.square(kernel).sum((0, 1))
    lengths = jnp.matmul(jnp.square(styles), squares, precision=jax.lax.Precision.HIGHEST)
    return y * jax.lax.rsqrt(lengths + 1e-8).astype(y.dtype)[:, None, None]
