"""Self-attention for convolutional GANs (SAGAN, arXiv 1805.08318), in the form of its code and of BigGAN's.

It differs from the paper's drawing: keys and values are max-pooled, values have C/2 channels, and the scores
are not scaled by the square root of their dimension.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.resample import max_pool2


class SelfAttention(nn.Module):
    """x + gamma * attention(x) on [n, h, w, c], h and w even; gamma is a learned scalar that starts at 0.

    Attributes:
        conv: makes a convolution, e.g. `functools.partial(Conv, sn_eps=1e-6)`; called with features, kernel size,
            `use_bias` and `name`.
    """

    conv: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        n, h, w, c = x.shape
        query = self.conv(c // 8, 1, use_bias=False, name="query")(x).reshape(n, h * w, c // 8)
        key = max_pool2(self.conv(c // 8, 1, use_bias=False, name="key")(x)).reshape(n, h * w // 4, c // 8)
        value = max_pool2(self.conv(c // 2, 1, use_bias=False, name="value")(x)).reshape(n, h * w // 4, c // 2)
        scores = jnp.einsum("nqc,nkc->nqk", query, key, preferred_element_type=jnp.float32)
        weights = nn.softmax(scores, axis=-1).astype(value.dtype)
        attended = jnp.einsum("nqk,nkc->nqc", weights, value).reshape(n, h, w, c // 2)
        gamma = self.param("gamma", nn.initializers.zeros, ())
        return x + gamma.astype(x.dtype) * self.conv(c, 1, use_bias=False, name="output")(attended)
