"""Rematerialisation: activations of a block that the backward pass computes anew instead of keeping them.

Memory for time. Results are the same to rounding: the parameters, the statistics that a block writes and the random
numbers that it draws are those of one call. Moments of a batch and spectral norms are kept in any case: they are small,
and taking them again would cost all-reduces. What else is kept of a block, by the word before the colon:

    ""                everything
    "convolutions"    its input and the outputs of its convolutions: norms, activations and attention weights are
                      computed twice, which costs traffic and few operations
    "blocks"          its input: convolutions, too, are computed twice, but for the last, whose output nobody needs

A resolution behind a colon, as in "blocks:64", leaves blocks of lower resolutions alone: in most networks every block
costs about as many operations, but one at twice the resolution keeps twice as much.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
from jax.ad_checkpoint import checkpoint_name

from gan_jax.errors import ConfigError

_CONVOLUTION, _STATISTIC = "convolution", "statistic"
_POLICIES = {
    "blocks": jax.checkpoint_policies.save_only_these_names(_STATISTIC),
    "convolutions": jax.checkpoint_policies.save_only_these_names(_STATISTIC, _CONVOLUTION),
}


def convolved(y: jax.Array) -> jax.Array:
    """y itself, as the output of a convolution, which "convolutions" keeps."""
    return checkpoint_name(y, _CONVOLUTION)


def statistic(x: jax.Array) -> jax.Array:
    """x itself, as a small array that is dear to compute, which is always kept."""
    return checkpoint_name(x, _STATISTIC)


def rematted(block: nn.Module, remat: str | None, resolution: int) -> Callable[..., Any]:
    """How to call a block of a network: itself, or so that its backward pass computes its activations anew.

    Args:
        block: a module bound to its parent. Arrays (or None) are its positional arguments, all else goes by keyword.
        remat: what is kept, see above; the network's option of this name.
        resolution: the larger side of the block's activations.

    Raises:
        ConfigError: `remat` is none of these words.
    """
    if remat is None:
        return block
    word, colon, lowest = str(remat).partition(":")
    if word not in _POLICIES or (colon and not lowest.isdecimal()):
        raise ConfigError(
            f'config.model: remat is {remat!r}: expected None to keep all activations, "convolutions" or "blocks", and '
            'behind it, if wished, the resolution from which on, such as "blocks:64"'
        )
    if colon and resolution < int(lowest):
        return block

    def call(*arrays: Any, **static: Any) -> Any:
        return nn.remat(lambda block, *arrays: block(*arrays, **static), policy=_POLICIES[word])(block, *arrays)

    return call
