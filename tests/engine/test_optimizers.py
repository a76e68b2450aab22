"""Optimisers from config sections: what they are made of."""

import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from gan_jax.engine import optimizers
from gan_jax.engine.recipe import Player


def section(b1: float, b2: float, rate: float) -> ConfigDict:
    return ConfigDict({"transform": "scale_by_adam", "options": {"b1": b1, "b2": b2}, "learning_rate": rate})


def updates_of(transform, gradients):
    params, updates = {"w": jnp.zeros(2)}, []
    state = transform.init(params)
    for gradient in gradients:
        update, state = transform.update({"w": jnp.asarray(gradient)}, state, params, images=0, images_per_step=4)
        updates.append(update["w"])
    return np.array(updates)


GRADIENTS = [[1.0, -2.0], [0.5, 3.0], [-1.0, 0.1]]


def test_a_lazy_player_s_rate_and_decays_are_those_of_stylegan2():
    """16 discriminator steps with a regularisation count as 17: rate times 16/17, decays to the power of it."""
    player = Player(("D",), section(0.5, 0.99, 0.0025), lazy=16)
    expected = optax.adam(0.0025 * 16 / 17, b1=0.5 ** (16 / 17), b2=0.99 ** (16 / 17))
    found = updates_of(optimizers.build(player), GRADIENTS)
    wanted = updates_of(optax.with_extra_args_support(expected), GRADIENTS)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_allclose(0.99 ** (16 / 17), 0.990585, atol=1e-6)  # the published code's own figure
    eager = updates_of(optimizers.build(Player(("D",), section(0.5, 0.99, 0.0025))), GRADIENTS)
    assert np.abs(eager - found).max() > 1e-4


def test_a_first_moment_that_is_not_kept_stays_so():
    found = updates_of(optimizers.build(Player(("G",), section(0.0, 0.99, 0.1), lazy=4)), GRADIENTS)
    np.testing.assert_allclose(found[0], -0.08 * np.sign(GRADIENTS[0]), rtol=1e-5)
