"""Rules that do not go together, or not with the networks at hand."""

from collections.abc import Mapping
from typing import Any

from gan_jax.errors import ConfigError
from gan_jax.game.rules import Rules
from gan_jax.game.terms import PENALTIES


def check(config: Any, rules: Rules, shapes: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses what cannot work.

    Args:
        shapes: the collections of both networks.

    Raises:
        ConfigError: a penalty on the gradients of single images where batch normalisation mixes them; a batch of one image
            where statistics are taken over it; weight clipping beside a penalty.
    """
    penalties = [name for name in PENALTIES if getattr(rules, name)]
    if penalties and "batch_stats" in shapes["D"]:
        raise ConfigError(
            f"config.phases.{penalties[0]} penalises the gradient of each image by itself, but the discriminator has batch "
            'normalisation, which mixes the images: set config.model.D.norm to "layer" or "none"'
        )
    images = config.train.batch_size // config.train.microbatches
    if images < 2 and any("batch_stats" in collections for collections in shapes.values()):
        raise ConfigError(
            f"config.train.batch_size is {config.train.batch_size} in {config.train.microbatches} microbatches, one image "
            "each, over which batch normalisation has no statistics: take two or more"
        )
    if penalties and rules.clip:
        raise ConfigError(
            f"config.phases.clip is {rules.clip} beside config.phases.{penalties[0]}, two ways to the same end: set one to 0"
        )
