"""A workdir of a tiny style-based GAN with classes that nobody has trained, for tests of the tools."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load

CONFIG = configs.load("configs/stylegan2_digits.py:quick", ["evaluate.batch=8"])
LAYERS, DIM_W = 6, 32


def weights(target: state.State) -> state.State:
    """Random ones, without compiling anything, much as training begins with."""
    random = np.random.RandomState(0)

    def value(path, leaf):
        name = sharding.path_name(path)
        if name.endswith("affine/bias"):
            return jnp.ones(leaf.shape)
        # Layers of the mapping network multiply their kernels by a hundredth.
        scale = 100 if "mapping/fc" in name else 0.03 if name.endswith(("noise_strength", "bias", "w_avg")) else 1
        return jnp.asarray(scale * random.normal(size=leaf.shape), leaf.dtype)

    return jax.tree.map_with_path(value, target)


def save(folder: Path) -> Path:
    """Makes the workdir."""
    target = state.abstract(load(CONFIG), sharding.make_mesh(CONFIG.mesh), CONFIG.mesh.rules)
    workdirs.record(folder, CONFIG)
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(weights(target), 1)
    return folder
