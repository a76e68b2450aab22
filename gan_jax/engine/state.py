"""The training state: one pytree with everything that changes in training, hence everything in a checkpoint."""

import dataclasses
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from gan_jax.engine import optimizers, sharding
from gan_jax.engine.recipe import Recipe

Tree = Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """All that training changes.

    Attributes:
        seed: uint32; every random key is folded from it, so no key is stored.
        step: int32, steps done. images: uint32, images seen (enough for 4.2e9). stage: int32.
        skipped: int32, so many steps in a row had an update that was skipped as it was not finite.
        params: {network: params}. stats: {network: {collection: tree}}. opt: {player: optimiser state}.
        ema: {network: {"params": ..., collection: ...}}. aux: the recipe's own names.
    """

    seed: jax.Array
    step: jax.Array
    images: jax.Array
    stage: jax.Array
    skipped: jax.Array
    params: dict[str, Tree]
    stats: dict[str, dict[str, Tree]]
    opt: dict[str, Tree]
    ema: dict[str, dict[str, Tree]]
    aux: dict[str, Tree]


def init(recipe: Recipe, seed: int | jax.Array) -> State:
    """The state before the first step. To be called under `jit` or `eval_shape`: see `born`."""
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(b"init"))
    params, stats = {}, {}
    for name, network in recipe.networks.items():
        network_key = jax.random.fold_in(key, zlib.crc32(name.encode()))
        variables = dict(network.module.init(network_key, *network.inputs(), **network.kwargs))
        params[name] = variables.pop("params")
        stats[name] = variables
    opt = {
        name: optimizers.build(player).init({network: params[network] for network in player.networks})
        for name, player in recipe.players.items()
    }
    averaged = recipe.ema.networks if recipe.ema else ()
    return State(
        seed=jnp.asarray(seed, jnp.uint32),
        step=jnp.int32(0),
        images=jnp.uint32(0),
        stage=jnp.int32(0),
        skipped=jnp.int32(0),
        params=params,
        stats=stats,
        opt=opt,
        ema={name: {"params": params[name], **stats[name]} for name in averaged},
        aux=recipe.aux(),
    )


def abstract(recipe: Recipe, mesh: Mesh, rules: sharding.Rules) -> State:
    """The state as `jax.ShapeDtypeStruct`s with shardings: what it will be, at no cost."""
    shapes = jax.eval_shape(lambda: init(recipe, 0))
    shardings = sharding.by_rules(shapes, (*rules, *recipe.rules), mesh)
    return jax.tree.map(lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), shapes, shardings)


def shardings_of(tree: Tree) -> Tree:
    """The sharding of every leaf."""
    return jax.tree.map(lambda leaf: leaf.sharding, tree)


def born(recipe: Recipe, target: State, seed: int) -> State:
    """A fresh state, made on the devices in the shardings of the abstract `target`; no host ever holds it whole.

    Made under `jit` so that weights and their average are different buffers: otherwise donation fails.
    """
    make = jax.jit(lambda seed: init(recipe, seed), out_shardings=shardings_of(target))
    return make(jnp.uint32(seed))


def with_seed(state: State, seed: int) -> State:
    """The state with another seed of its random keys, in the same shardings."""
    return dataclasses.replace(state, seed=sharding.spread(np.array(seed, np.uint32), state.seed.sharding))


def variables(state: State, averaged: bool) -> dict[str, dict[str, Tree]]:
    """`{network: {"params": ..., collection: ...}}`; averaged networks from the EMA if so asked."""
    current = {name: {"params": params, **state.stats[name]} for name, params in state.params.items()}
    return {**current, **state.ema} if averaged else current
