"""Conditional GAN (Mirza and Osindero 2014, arXiv 1411.1784): the label is an input of both networks.

The first GAN's networks with a table of classes joined to z and to the pixels.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.errors import ConfigError
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    if not config.data.num_classes:
        raise ConfigError("config.data.num_classes is 0: a conditional GAN needs data with classes")
    for network in ("G", "D"):
        if not config.model[network].get("embedding"):
            raise ConfigError(
                f"config.model.{network}.embedding is 0: the networks of a conditional GAN both see the label"
            )
    return pair(config)
