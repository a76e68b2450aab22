"""Training states that begin with networks trained elsewhere: in another run, or imported."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.engine import optimizers, state
from gan_jax.engine.recipe import Recipe
from gan_jax.engine.sharding import path_name
from gan_jax.engine.state import State
from gan_jax.errors import ConfigError

Variables = Mapping[str, Mapping[str, Any]]


def born_with(
    recipe: Recipe,
    target: State,
    seed: int,
    networks: Variables,
    averaged: Variables,
    classes: tuple[int, int] | None = None,
) -> tuple[State, list[str]]:
    """A fresh state with the weights and statistics of given networks; optimisers and counters start anew.

    Args:
        target: the abstract state, with shardings.
        networks: `{network: {"params": ..., collection: ...}}`; networks of the recipe that are missing are fresh,
            others are left out.
        averaged: the same of moving averages; where one is missing the network itself begins its average.
        classes: number of classes there and here. Where they differ, arrays with an axis of classes are fresh.

    Returns:
        The state, and the paths of the arrays that are fresh within a given network.

    Raises:
        ConfigError: a network has other arrays than the recipe's, or none is the recipe's.
    """
    averages = {**networks, **averaged}
    known = {name: networks[name] for name in target.params if name in networks}
    if not known:
        raise ConfigError(f"the weights are those of {sorted(networks)}: expected some of {sorted(target.params)}")
    wanted = state.variables(target, averaged=False)
    given = {name: _fitting(name, wanted[name], known[name], classes) for name in known}
    given_ema = {
        name: _fitting(name, target.ema[name], averages[name], classes) for name in target.ema if name in averages
    }

    def make(seed: jax.Array, given: Any, given_ema: Any) -> State:
        # XLA drops the random numbers that are replaced.
        fresh = state.init(recipe, seed)
        mixed = {name: _put(tree, given.get(name, {})) for name, tree in state.variables(fresh, averaged=False).items()}
        params = {name: tree["params"] for name, tree in mixed.items()}
        stats = {name: {key: tree for key, tree in trees.items() if key != "params"} for name, trees in mixed.items()}
        opt = {
            name: optimizers.build(player).init({network: params[network] for network in player.networks})
            for name, player in recipe.players.items()
        }
        ema = {name: _put(tree, given_ema.get(name, {})) for name, tree in fresh.ema.items()}
        return dataclasses.replace(fresh, params=params, stats=stats, opt=opt, ema=ema)

    born = jax.jit(make, out_shardings=state.shardings_of(target))(jnp.uint32(seed), given, given_ema)
    fresh_paths = [f"{name}/{path}" for name in known for path in _leaves(wanted[name]) if path not in given[name]]
    return born, fresh_paths


def _fitting(network: str, wanted: Any, found: Any, classes: tuple[int, int] | None) -> dict[str, Any]:
    """`{path: array}` of the arrays of `found` that have the wanted shape."""
    expected, given = _leaves(wanted), _leaves(found)
    fitting = {}
    for path in sorted(expected.keys() | given.keys()):
        found_shape, wanted_shape = (leaves[path].shape if path in leaves else None for leaves in (given, expected))
        if found_shape == wanted_shape:
            fitting[path] = given[path]
        elif not _is_of_classes(found_shape, wanted_shape, classes):
            has, wants = ("nothing" if s is None else f"an array {list(s)}" for s in (found_shape, wanted_shape))
            raise ConfigError(
                f"the weights to begin with have {has} as {network}/{path}, where the config wants {wants}: use a config "
                "with the same networks"
            )
    return fitting


def _is_of_classes(found: Any, wanted: Any, classes: tuple[int, int] | None) -> bool:
    """Whether two shapes differ in axes of classes only."""
    if classes is None or found is None or wanted is None or len(found) != len(wanted):
        return False
    return all(pair in ((pair[0], pair[0]), classes) for pair in zip(found, wanted, strict=True))


def _leaves(tree: Any) -> dict[str, Any]:
    return {path_name(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}


def _put(tree: Any, given: Mapping[str, Any]) -> Any:
    """The tree with the given arrays, in its dtypes."""
    return jax.tree.map_with_path(lambda path, leaf: jnp.asarray(given.get(path_name(path), leaf), leaf.dtype), tree)
