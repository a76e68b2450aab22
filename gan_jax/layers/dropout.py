"""Dropout by the share of units that it keeps, as papers give it."""

import flax.linen as nn

from gan_jax.errors import ConfigError


def keeping(share: float, *, still: bool) -> nn.Dropout:
    """Dropout with the collection of keys "noise"; `still` takes all units.

    Raises:
        ConfigError: the share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"config.model: dropout keeps a share of {share}: expected above 0, at most 1 for no dropout")
    return nn.Dropout(1 - share, rng_collection="noise", deterministic=still)
