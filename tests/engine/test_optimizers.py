"""Optimisers from config sections: what they are made of."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from gan_jax.engine import optimizers
from gan_jax.engine.recipe import Player
from gan_jax.errors import ConfigError


def section(b1: float, b2, rate: float) -> ConfigDict:
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


def adam_of_pytorch(decays, gradients, rate, eps):
    """Steps of torch.optim.Adam without a first moment, with the second's decay set anew before each of them."""
    steps, second = [], np.zeros(2)
    for count, (decay, gradient) in enumerate(zip(decays, np.array(gradients, np.float64), strict=True), start=1):
        second = decay * second + (1 - decay) * gradient**2
        steps.append(-rate * gradient / (np.sqrt(second / (1 - decay**count)) + eps))
    return np.array(steps)


@pytest.mark.parametrize("lazy", [None, 4])
def test_a_decay_that_changes_follows_the_images_seen(lazy):
    decay = {"start": 0.9, "end": 0.99, "until": "100 images"}
    transform = optimizers.build(Player(("G",), section(0.0, decay, 0.1), lazy=lazy))
    params, found = {"w": jnp.zeros(2)}, []
    state = transform.init(params)
    update = jax.jit(lambda g, s, images: transform.update(g, s, params, images=images, images_per_step=25))
    for gradient, images in zip(GRADIENTS, (0, 50, 200), strict=True):
        step, state = update({"w": jnp.asarray(gradient)}, state, jnp.uint32(images))
        found.append(step["w"])
    share = lazy / (lazy + 1) if lazy else 1
    decays = np.array([0.9, 0.945, 0.99]) ** share
    np.testing.assert_allclose(found, adam_of_pytorch(decays, GRADIENTS, 0.1 * share, 1e-8), rtol=1e-5)


def test_a_fixed_decay_and_one_that_stays_are_the_same():
    still = {"start": 0.97, "end": 0.97, "until": "1 step"}
    fixed, scheduled = (
        updates_of(optimizers.build(Player((), section(0.5, b2, 0.1))), GRADIENTS) for b2 in (0.97, still)
    )
    np.testing.assert_allclose(fixed, scheduled, rtol=1e-5)


def test_options_that_do_not_fit_are_a_sentence():
    for options, message in (
        ({"b1": 0.0, "b3": 0.9}, "options of scale_by_adam do not fit"),
        ({"b2": {"start": 0.9, "until": "3 steps"}}, "expected start, end, until"),
    ):
        wrong = ConfigDict({"transform": "scale_by_adam", "options": options, "learning_rate": 0.1})
        with pytest.raises(ConfigError, match=message):
            optimizers.build(Player((), wrong))


@pytest.mark.parametrize("mu_dtype", ["int32", "bfloat17", 16])
def test_a_dtype_that_does_not_do_is_a_sentence(mu_dtype):
    options = {"b1": 0.0, "b2": 0.99, "mu_dtype": mu_dtype}
    wrong = ConfigDict({"transform": "scale_by_adam", "options": options, "learning_rate": 0.1})
    with pytest.raises(ConfigError, match='mu_dtype is .*: expected "float32" or "bfloat16"'):
        optimizers.build(Player((), wrong))


MANY = np.random.default_rng(0).normal(size=(20, 2))


def with_options(transform: str, **options) -> Player:
    return Player((), ConfigDict({"transform": transform, "options": options, "learning_rate": 0.1}), lazy=16)


def test_a_first_moment_in_bfloat16_changes_nothing_where_it_is_not_averaged_and_little_where_it_is():
    for b1, tolerance in ((0.0, 0.0), (0.9, 2**-7)):
        options = {"b1": b1, "b2": 0.999, "eps": 1e-6}
        full = updates_of(optimizers.build(with_options("scale_by_adam", **options)), MANY)
        half = updates_of(optimizers.build(with_options("scale_by_adam", **options, mu_dtype="bfloat16")), MANY)
        np.testing.assert_allclose(half, full, rtol=0, atol=tolerance * np.abs(full).max())
        assert b1 == 0 or np.abs(half - full).max() > 0


def test_adam_without_a_first_moment_need_not_keep_one():
    adam = updates_of(optimizers.build(with_options("scale_by_adam", b1=0.0, b2=0.99, eps=1e-6)), MANY)
    options = {"decay": 0.99, "eps": 1e-6, "eps_in_sqrt": False, "bias_correction": True}
    np.testing.assert_allclose(
        updates_of(optimizers.build(with_options("scale_by_rms", **options)), MANY), adam, rtol=1e-6
    )


def test_memory_of_the_moments():
    """Bytes for a thousand parameters and one count."""
    rms = {"decay": 0.99, "eps_in_sqrt": False, "bias_correction": True}
    for player, expected in (
        (with_options("scale_by_adam", b1=0.0, b2=0.99), 8004),
        (with_options("scale_by_adam", b1=0.0, b2=0.99, mu_dtype="bfloat16"), 6004),
        (with_options("scale_by_rms", **rms), 4004),
    ):
        state = jax.eval_shape(optimizers.build(player).init, {"w": jnp.zeros(1000)})
        assert sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)) == expected


def test_a_second_moment_in_bfloat16_would_stall():
    """Why there is no option for it: from 1, squared gradients of 4 must take it to 4 (1 - 0.999^n) + 0.999^n."""
    steps, decay = 1000, 0.999

    def moment(dtype):
        step = lambda _, v: (decay * v.astype(jnp.float32) + (1 - decay) * 4.0).astype(dtype)  # noqa: E731
        return float(jax.lax.fori_loop(0, steps, step, jnp.ones((), dtype)))

    np.testing.assert_allclose(moment(jnp.float32), 4 - 3 * decay**steps, rtol=1e-4)
    assert moment(jnp.bfloat16) == 1
