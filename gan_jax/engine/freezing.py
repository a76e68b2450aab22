"""Parameters that a player has but does not train, for fine-tuning.

A player's section of the config may have `freeze`: regular expressions on paths such as "D/b256/conv0/kernel", network
first. Freeze-D (Mo, Cho and Shin 2020, arXiv 2002.10964), for one, freezes what the discriminator has nearest to the
images. Gradients that nothing asks for are never computed; the optimiser keeps moments for them all the same.
"""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from gan_jax.engine.recipe import Player
from gan_jax.engine.sharding import path_name
from gan_jax.errors import ConfigError

Tree = Any


def fixed(players: Mapping[str, Player], params: Tree) -> dict[str, Tree]:
    """`{network: tree of bool}` of the networks of these players: True where a parameter is frozen.

    Raises:
        ConfigError: a pattern is no regular expression, or matches no parameter of its player.
    """
    masks: dict[str, Tree] = {}
    for name, player in players.items():
        own = {network: params[network] for network in player.networks}
        paths = [path_name(path) for path, _ in jax.tree.leaves_with_path(own)]
        patterns = [_compiled(name, pattern, paths) for pattern in _freeze(player)]
        masks |= jax.tree.map_with_path(
            lambda path, _, patterns=patterns: any(p.fullmatch(path_name(path)) for p in patterns), own
        )
    return masks


def hold(trainable: Tree, fixed: Tree) -> Tree:
    """The parameters, the frozen ones behind a stop-gradient."""
    return jax.tree.map(lambda x, is_fixed: jax.lax.stop_gradient(x) if is_fixed else x, trainable, fixed)


def keep(updates: Tree, fixed: Tree) -> Tree:
    """The updates, none for the frozen ones: weight decay, or moments from before, would move them without a gradient."""
    return jax.tree.map(lambda x, is_fixed: jnp.zeros_like(x) if is_fixed else x, updates, fixed)


def _freeze(player: Player) -> tuple[str, ...]:
    section = player.optimizer
    return () if isinstance(section, optax.GradientTransformation) else section.get("freeze", ())


def _compiled(player: str, pattern: str, paths: list[str]) -> re.Pattern:
    try:
        compiled = re.compile(pattern)
        matches = any(map(compiled.fullmatch, paths))
    except (re.error, TypeError):
        matches = False
    if not matches:
        raise ConfigError(
            f"config.players.{player}.freeze holds {pattern!r}, which matches none of its parameters: expected a regular "
            f"expression on paths such as {paths[0]}"
        )
    return compiled
