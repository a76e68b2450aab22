"""The mapping network of StyleGAN2 and 3, also of labels alone for their discriminators."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.bias_act import bias_act
from gan_jax.layers.equalized import EqualizedDense, scaled_kernel
from gan_jax.layers.linear import rows
from gan_jax.layers.norm import pixel_norm


class Mapping(nn.Module):
    """z [n, d] and labels -> w [n, dim_w], all float32.

    Source: NVlabs/stylegan2-ada-pytorch, networks.py, MappingNetwork.

    Attributes:
        num_layers: number of dense layers.
        dim_w: their width, and that of the label embedding.
        num_classes: number of classes; 0 ignores the labels.
        lr_multiplier: learning rate of the dense layers relative to other layers.
        average_decay: of the moving average `buffers/w_avg` [dim_w], None to keep none.
    """

    num_layers: int
    dim_w: int
    num_classes: int
    lr_multiplier: float = 0.01
    average_decay: float | None = None

    @nn.compact
    def __call__(self, z: jax.Array | None, labels: jax.Array, *, update_average: bool = False) -> jax.Array:
        """Maps z, None for labels alone; `update_average` moves w_avg towards the batch's mean, if it is mutable."""
        inputs = [] if z is None else [pixel_norm(z)]
        if self.num_classes:
            inputs.append(pixel_norm(LabelEmbedding(self.num_classes, self.dim_w, name="embed")(labels)))
        w = jnp.concatenate(inputs, axis=-1)
        for i in range(self.num_layers):
            layer = EqualizedDense(self.dim_w, lr_multiplier=self.lr_multiplier, name=f"fc{i}")
            w = bias_act(layer(w))
        if self.average_decay is not None:
            average = self.variable("buffers", "w_avg", jnp.zeros, (self.dim_w,))
            if update_average and self.is_mutable_collection("buffers"):
                mean = jax.lax.stop_gradient(w).mean(0)
                average.value = mean + self.average_decay * (average.value - mean)
        return w

    def average(self) -> jax.Array:
        """The moving average of w, [dim_w]."""
        return self.get_variable("buffers", "w_avg")


class LabelEmbedding(nn.Module):
    """An equalised dense layer on one-hot labels: int32 [n] or float32 [n, num_classes] -> float32 [n, features]."""

    num_classes: int
    features: int

    @nn.compact
    def __call__(self, labels: jax.Array) -> jax.Array:
        kernel = scaled_kernel(self, (self.num_classes, self.features))
        return rows(kernel, labels) + self.param("bias", nn.initializers.zeros, (self.features,))
