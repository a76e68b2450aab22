"""A tiny game to look into: DCGAN at 8 pixels, its losses by name."""

from typing import Any

import jax
import numpy as np

from gan_jax import config as configs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Recipe, Stage, View
from gan_jax.game.rules import Rules, section
from gan_jax.recipes import dcgan

CLASSES, BATCH = 3, 6


def recipe_of(norm: str = "none", extra: dict[str, Any] | None = None, **rules: Any) -> Recipe:
    config = configs.load("configs/dcgan_digits.py:quick").unlock()
    config.model.D.norm = norm
    config.data.update({"resolution": 8, "num_classes": CLASSES})
    config.train.batch_size = BATCH
    config.phases = section(Rules(**rules))
    config.model.G.embedding = 4 if "conditioning" in rules else 0
    for name, value in (extra or {}).items():
        config.update_from_flattened_dict({name: value})
    return dcgan.build(config)


def batch(seed: int = 0, size: int = BATCH, side: int = 8) -> dict[str, np.ndarray]:
    random = np.random.RandomState(seed)
    images = random.randint(0, 256, (size, side, side, 1)).astype(np.uint8)
    return {"image": images, "label": (np.arange(size) % CLASSES).astype(np.int32)}


def born(recipe: Recipe, seed: int = 0) -> state.State:
    """A fresh state whose kernels are ten times as large, so that logits differ."""
    start = state.init(recipe, seed)
    return state.dataclasses.replace(start, params=jax.tree.map(lambda w: 10 * w, start.params))


def view_of(recipe: Recipe, current: state.State, **changes: Any) -> View:
    modules = {name: network.module for name, network in recipe.networks.items()}
    seen = {"aux": current.aux, "step": current.step, "images": current.images, **changes}
    return View(modules, current.params, current.stats, {}, stage=Stage(), mesh=sharding.data_mesh(1), **seen)


def play(recipe: Recipe, phase: str, current: state.State | None = None, data: Any = None, **changes: Any):
    """`(value, Out)` of a phase's loss."""
    loss = next(each.loss for each in recipe.phases if each.name == phase)
    current = born(recipe) if current is None else current

    @jax.jit
    def run(current):
        return loss(view_of(recipe, current, **changes), batch() if data is None else data, jax.random.key(1))

    return run(current)


def leaves(tree: Any) -> np.ndarray:
    """All numbers of a tree, one behind the other."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(jax.device_get(tree))] or [np.zeros(0)])
