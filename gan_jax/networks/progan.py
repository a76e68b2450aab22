"""ProGAN's growing generator and discriminator (Karras et al. 2018, arXiv 1710.10196).

Source: tkarras/progressive_growing_of_gans, networks.py, `G_paper` and `D_paper`: equalised learning rates, leaky ReLUs
of slope 0.2 without a gain of their own, pixel normalisation behind them in the generator, a minibatch standard
deviation in the discriminator. What `level` and `alpha` mean: see `gan_jax.layers.growth`.

The published code joins resampling and convolution in one kernel. Up, that is nearest neighbour and a 3x3 convolution.
Down, it is a 3x3 convolution and a 2x2 mean *before* the bias and the activation, where the drawing in the paper has the
mean behind them; what the code does is done here.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers import fir
from gan_jax.layers.equalized import EqualizedConv, EqualizedDense
from gan_jax.layers.growth import composed, faded, shares, sides, width
from gan_jax.layers.heads import Verdict, told
from gan_jax.layers.linear import rows
from gan_jax.layers.minibatch_stddev import minibatch_stddev
from gan_jax.layers.norm import pixel_norm
from gan_jax.layers.resample import average_pool2, upsample2

HE = 2**0.5  # gain of layers that a leaky ReLU follows
BLUR = fir.normalized((1, 2, 1))

leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.2)


class Generator(nn.Module):
    """z [n, dim_z] float32 and labels -> images [n, s, s, image_channels] float32, nominally in [-1, 1], not bounded.

    In training s is the side of the `level`. Without a level the images have the full resolution and show what the
    network has grown to, smaller images enlarged by nearest neighbour.

    Attributes:
        resolution: side of the images when fully grown, a power of two.
        num_classes: number of classes, joined to z as one-hot vectors; 0 makes a generator that ignores the labels.
        dim_z: size of the latents.
        channel_base: channels times the side of the image; twice the published `fmap_base`.
        channel_max: but no more than this.
        image_channels: channels of the images.
        dtype: of the convolutions and the first layer.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 512
    channel_base: int = 16384
    channel_max: int = 512
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, z: jax.Array, labels: jax.Array, *, level: int | None = None, alpha: jax.Array | None = None
    ) -> jax.Array:
        conv = functools.partial(EqualizedConv, dtype=self.dtype)
        all_sides = sides(self.resolution)
        share = shares(self, len(all_sides), level, alpha)
        if self.num_classes:
            z = jnp.concatenate([z, rows(jnp.eye(self.num_classes), labels)], axis=-1)
        images = []
        x = pixel_norm(z)
        for i, side in enumerate(all_sides[: max(share) + 1]):
            features = width(side, self.channel_base, self.channel_max)
            if side == 4:
                # The published gain of sqrt(2)/4 is that of an older code base.
                dense = EqualizedDense(16 * features, gain=HE / 4, use_bias=False, dtype=self.dtype, name="dense_4")
                bias = self.param("bias_4", nn.initializers.zeros, (features,)).astype(self.dtype)
                x = pixel_norm(leaky_relu(dense(x).reshape(-1, 4, 4, features) + bias))
            else:
                x = pixel_norm(leaky_relu(conv(features, 3, gain=HE, name=f"conv0_{side}")(upsample2(x))))
            x = pixel_norm(leaky_relu(conv(features, 3, gain=HE, name=f"conv1_{side}")(x)))
            if i in share:
                image = conv(self.image_channels, 1, name=f"to_rgb_{side}")(x).astype(jnp.float32)
                images.append(share[i] * image)
        return composed(images)


class Discriminator(nn.Module):
    """Images [n, s, s, c] float32 -> `Verdict` with float32 [n, outputs] for logits.

    The side s, 4 to the full resolution, says which level it is.
    While that level fades in, `alpha` is its share of the features that the level below gets.

    Attributes:
        resolution, channel_base, channel_max, dtype: as in `Generator`.
        outputs: numbers for each image: 1, or with ProGAN's auxiliary classifier 1 + classes.
        blur: smooth by (1, 2, 1) before each halving, as in StyleGAN's discriminator (NVlabs/stylegan, `D_basic`).
        group: images over which the minibatch standard deviation is taken.
        head: what is asked beside logits, see `layers.heads.told`.
    """

    resolution: int
    outputs: int = 1
    blur: bool = False
    group: int = 4
    channel_base: int = 16384
    channel_max: int = 512
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, alpha: jax.Array | None = None) -> Verdict:
        conv = functools.partial(EqualizedConv, gain=HE, dtype=self.dtype)
        level_side = images.shape[1]

        def features(side):
            return width(side, self.channel_base, self.channel_max)

        def from_rgb(x):
            side = x.shape[1]
            return leaky_relu(conv(features(side), 1, name=f"from_rgb_{side}")(x))

        x = from_rgb(images)
        for side in reversed([side for side in sides(self.resolution) if 4 < side <= level_side]):
            x = leaky_relu(conv(features(side), 3, name=f"conv0_{side}")(x))
            x = fir.upfirdn(x, BLUR, padding=1) if self.blur else x
            x = leaky_relu(average_pool2(conv(features(side // 2), 3, name=f"conv1_{side}")(x)))
            fading = alpha is not None and side == level_side
            if fading or self.is_initializing():
                images = average_pool2(images)
                x = faded(from_rgb(images), x, alpha if fading else 1.0)
        x = minibatch_stddev(x, self.group)
        x = leaky_relu(conv(features(4), 3, name="conv_4")(x)).astype(jnp.float32).reshape(len(x), -1)
        x = leaky_relu(EqualizedDense(features(2), gain=HE, name="dense_4")(x))
        return told(x, EqualizedDense(self.outputs, name="output"), **dict(self.head))
