"""A bias, an activation, a gain and a clamp in one expression, which XLA fuses into what follows."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError

# The gain keeps the variance of a normal input; the value is that of NVlabs/stylegan2-ada-pytorch, ops/bias_act.py.
_ACTIVATIONS: dict[str, tuple[Callable[[jax.Array], jax.Array], float]] = {
    "linear": (lambda x: x, 1.0),
    "relu": (jax.nn.relu, 2**0.5),
    "tanh": (jnp.tanh, 1.0),
    "sigmoid": (jax.nn.sigmoid, 1.0),
    "elu": (jax.nn.elu, 1.0),
    "selu": (jax.nn.selu, 1.0),
    "softplus": (jax.nn.softplus, 1.0),
    "swish": (jax.nn.silu, 2**0.5),
}


def bias_act(
    x: jax.Array,
    bias: jax.Array | None = None,
    activation: str = "leaky_relu",
    slope: float = 0.2,
    gain: float | None = None,
    clamp: float | None = None,
) -> jax.Array:
    """clamp(gain * activation(x + bias)) of x [..., c], in its dtype.

    Args:
        bias: [c], cast to the dtype of x.
        activation: "leaky_relu" with `slope`, or a name of the table above.
        gain: None for the activation's own, sqrt(2) for the leaky ReLU.
        clamp: the result stays within +-clamp; None for no bound.

    Raises:
        ConfigError: on any other activation.
    """
    if bias is not None:
        x = x + bias.astype(x.dtype)
    if activation == "leaky_relu":
        x, own_gain = jnp.maximum(x, slope * x), 2**0.5
    elif activation in _ACTIVATIONS:
        function, own_gain = _ACTIVATIONS[activation]
        x = function(x)
    else:
        raise ConfigError(f"the activation is {activation!r}: expected one of {['leaky_relu', *_ACTIVATIONS]}")
    gain = own_gain if gain is None else gain
    x = x if gain == 1 else x * gain
    return x if clamp is None else jnp.clip(x, -clamp, clamp)
