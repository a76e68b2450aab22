"""How p is kept, scheduled and adapted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.augment.probability import adaptive, constant, scheduled


def test_a_constant_p_has_no_state():
    probability = constant(0.3)
    assert probability.aux() == {}
    assert probability.value({}, jnp.uint32(7)) == 0.3
    assert probability.observe({}, jnp.ones(3)) == {}
    assert probability.adapt is None


def test_a_schedule_follows_half_a_cosine_and_stays_at_its_end():
    probability = scheduled(0.1, 0.5, 20_000_000)
    seen = jnp.array([0, 5_000_000, 10_000_000, 20_000_000, 4_000_000_000], jnp.uint32)
    quarter = 0.1 + 0.4 * (1 - np.cos(np.pi / 4)) / 2
    np.testing.assert_allclose(probability.value({}, seen), [0.1, quarter, 0.3, 0.5, 0.5], rtol=1e-5)
    assert probability.aux() == {}


@pytest.fixture
def probability():
    return adaptive(p=0.01, target=0.6, interval=4, horizon=500_000)


def test_p_rises_while_more_logits_are_positive_than_the_target_says(probability):
    every, adapt = probability.adapt
    assert every == 4
    aux = probability.observe(probability.aux(), jnp.ones(9))
    aux = jax.jit(probability.observe)(aux, -jnp.ones(1))  # mean sign 0.8
    aux = jax.jit(adapt)(aux, 64)
    np.testing.assert_allclose(aux["p"], 0.01 + 64 * 4 / 500_000, rtol=1e-6)
    np.testing.assert_allclose(probability.value(aux, jnp.uint32(0)), aux["p"])


def test_p_falls_when_the_mean_sign_is_below_the_target_but_never_below_0(probability):
    _, adapt = probability.adapt
    logits = jnp.array([5.0, 5, 5, -0.1])  # mean sign 0.5; the size of a logit does not count
    aux = adapt(probability.observe(probability.aux(), logits), 64)
    np.testing.assert_allclose(aux["p"], 0.01 - 64 * 4 / 500_000, rtol=1e-6)
    for _ in range(40):
        aux = adapt(probability.observe(aux, logits), 64)
    assert aux["p"] == 0


def test_p_may_have_a_bound_which_it_leaves_at_once():
    bounded = adaptive(p=0.999, target=0.6, interval=4, horizon=500_000, most=1.0)
    _, adapt = bounded.adapt
    aux = bounded.aux()
    for _ in range(3):
        aux = adapt(bounded.observe(aux, jnp.ones(9)), 640)
    assert aux["p"] == 1
    np.testing.assert_allclose(adapt(bounded.observe(aux, -jnp.ones(9)), 640)["p"], 1 - 640 * 4 / 500_000, rtol=1e-6)


def test_adapting_again_without_new_logits_changes_nothing(probability):
    _, adapt = probability.adapt
    aux = adapt(probability.observe(probability.aux(), jnp.ones(9)), 64)
    assert adapt(aux, 64) == aux
    fresh = probability.aux()
    assert adapt(fresh, 64) == fresh


def test_observed_logits_pass_no_gradient_on(probability):
    gradient = jax.grad(lambda logits: probability.observe(probability.aux(), logits)["signs"])(jnp.ones(3))
    assert not gradient.any()
