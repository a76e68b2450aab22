"""`gan-jax params`: what a recipe's networks hold, without making them."""

import math
from typing import Any

import jax

from gan_jax.engine.recipe import Recipe
from gan_jax.engine.sharding import path_name


def count(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """`{network: {"parameters": total, "statistics": total, "tensors": {path: shape}}}` of trainable parameters."""
    table = {}
    for name, network in recipe.networks.items():
        shapes = jax.eval_shape(lambda n=network: n.module.init(jax.random.key(0), *n.inputs(), **n.kwargs))
        tensors = {path_name(path): leaf.shape for path, leaf in jax.tree.leaves_with_path(shapes["params"])}
        statistics = {collection: tree for collection, tree in shapes.items() if collection != "params"}
        table[name] = {
            "parameters": sum(math.prod(shape) for shape in tensors.values()),
            "statistics": sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(statistics)),
            "tensors": tensors,
        }
    return table


def as_text(table: dict[str, dict[str, Any]]) -> str:
    """The table for people: one line per tensor, totals last."""
    lines = []
    for name, entry in table.items():
        width = max((len(path) for path in entry["tensors"]), default=0)
        for path, shape in entry["tensors"].items():
            lines.append(
                f"{name:>4}  {path:<{width}}  {' x '.join(map(str, shape)) or 'scalar':>20}  {math.prod(shape):>13,}"
            )
    for name, entry in table.items():
        lines.append(f"{name:>4}  {entry['parameters']:,} parameters, {entry['statistics']:,} statistics")
    return "\n".join(lines)
