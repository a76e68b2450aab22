"""The players of most games: a generator against a discriminator."""

from typing import Any

from gan_jax.engine.recipe import Player


def opponents(config: Any, generator: tuple[str, ...] = ("G",), **options: Any) -> dict[str, Player]:
    """The players "generator", of these networks, and "discriminator", of "D", with their sections of `config.players`.

    Args:
        options: further attributes of both.
    """
    return {
        "generator": Player(generator, config.players.generator, **options),
        "discriminator": Player(("D",), config.players.discriminator, **options),
    }
