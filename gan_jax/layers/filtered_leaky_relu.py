"""The filtered leaky ReLU of StyleGAN3 (arXiv 2106.12423, section 3.2): a nonlinearity that does not alias."""

import jax
import numpy as np

from gan_jax.layers.bias_act import bias_act
from gan_jax.layers.fir import upfirdn


def filtered_leaky_relu(
    x: jax.Array,
    bias: jax.Array,
    up_filter: np.ndarray,
    down_filter: np.ndarray,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | tuple[int, int, int, int] = 0,
    slope: float = 0.2,
    gain: float = 2**0.5,
    clamp: float | None = None,
) -> jax.Array:
    """Leaky ReLU at a higher sampling rate: x [n, h, w, c] -> [n, h', w', c], in its dtype.

    A leaky ReLU adds frequencies without end. At `up` times the rate there is room for most of them, and the second
    filter removes what the final rate cannot hold.

    The numbers between the two filters, at least four times as many as x has, are not kept for the derivative but
    computed again: for a generator at 128 pixels that takes 30 % less memory and 9 % more time on CPU
    (benchmarks/stylegan3.py). The published code has a CUDA kernel that keeps their signs.

    Args:
        bias: [c], added first.
        up_filter, down_filter: taps [k] or [k, k] with the sum 1, see `fir.upfirdn`.
        up: how many times the samples are multiplied,
        down: and divided behind the leaky ReLU.
        padding: zeros around the samples before the first filter (top, bottom, left, right); negative ones crop.
        slope, gain, clamp: of the leaky ReLU, see `bias_act`.
    """

    @jax.checkpoint
    def filtered(x, bias):
        x = upfirdn(x + bias.astype(x.dtype), up_filter, up=up, padding=padding, gain=up**2)
        x = bias_act(x, slope=slope, gain=gain, clamp=clamp)
        return upfirdn(x, down_filter, down=down)

    return filtered(x, bias)
