"""The R1 recipe: what the losses are, when the penalty runs, and that weights are averaged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import Stage, View, load
from gan_jax.engine.step import abstract_batch, compile_step
from gan_jax.errors import ConfigError

BATCH = 4


def config_of(*overrides):
    return configs.load("configs/r1_digits.py:quick", [*overrides, "train.batch_size=4"])


def batch_of(size=BATCH):
    random = np.random.RandomState(0)
    return {
        "image": random.randint(0, 256, (size, 16, 16, 1)).astype(np.uint8),
        "label": np.arange(size, dtype=np.int32),
    }


@pytest.fixture(scope="module")
def born():
    """The recipe with gamma 6 and a penalty in every step, and what a loss sees of its first state."""
    recipe = load(config_of("phases.gamma=6.0"))
    mesh = sharding.data_mesh(1)
    first = state.born(recipe, state.abstract(recipe, mesh, ()), 0)
    modules = {name: network.module for name, network in recipe.networks.items()}
    stats = {name: {} for name in modules}
    return recipe, View(modules, first.params, stats, first.ema, {}, first.step, first.images, Stage(), mesh)


def loss_of(recipe, name):
    return next(phase.loss for phase in recipe.phases if phase.name == name)


def test_the_penalised_loss_adds_half_gamma_times_the_squared_gradient_at_real_images(born):
    recipe, view = born
    batch, key = batch_of(), jax.random.key(0)
    plain, _ = loss_of(recipe, "discriminator")(view, batch, key)
    value, out = loss_of(recipe, "discriminator_r1")(view, batch, key)
    np.testing.assert_allclose(out.metrics["adversarial"], plain, rtol=1e-6)
    np.testing.assert_allclose(value, plain + 6 / 2 * out.metrics["squared_gradient"], rtol=1e-5)

    real, step = batch["image"] / 127.5 - 1, 1e-2
    direction = np.random.RandomState(1).normal(size=real.shape)

    def logits(images):
        return view.net("D")(jnp.asarray(images, jnp.float32), batch["label"])[0].logits

    gradient = jax.vmap(jax.grad(lambda image, label: view.net("D")(image[None], label[None])[0].logits[0]))(
        jnp.asarray(real, jnp.float32), jnp.asarray(batch["label"])
    )
    np.testing.assert_allclose(out.metrics["squared_gradient"], (gradient**2).sum((1, 2, 3)).mean(), rtol=1e-4)
    slope = (logits(real + step * direction) - logits(real - step * direction)) / (2 * step)
    np.testing.assert_allclose(slope, (gradient * direction).sum((1, 2, 3)), atol=5e-3)


def test_the_adversarial_losses_are_the_non_saturating_ones(born):
    recipe, view = born
    batch, key = batch_of(), jax.random.key(0)
    labels = batch["label"]
    z = jax.random.normal(jax.random.split(key)[0], (BATCH, 32))
    fake, _ = view.net("G")(z, labels)
    fake_logits = view.net("D")(fake, labels)[0].logits
    real_logits = view.net("D")(jnp.asarray(batch["image"] / 127.5 - 1, jnp.float32), labels)[0].logits
    expected = np.log1p(np.exp(-real_logits)).mean() + np.log1p(np.exp(fake_logits)).mean()
    np.testing.assert_allclose(loss_of(recipe, "discriminator")(view, batch, key)[0], expected, rtol=1e-4)
    expected = np.log1p(np.exp(-fake_logits)).mean()
    np.testing.assert_allclose(loss_of(recipe, "generator")(view, batch, key)[0], expected, rtol=1e-4)


def test_a_lazy_penalty_is_as_many_times_stronger_as_it_is_rarer(born):
    _, view = born
    lazy = load(config_of("phases.gamma=6.0", "phases.r1_every=16"))
    batch, key = batch_of(), jax.random.key(0)
    value, out = loss_of(lazy, "discriminator_r1")(view, batch, key)
    np.testing.assert_allclose(
        value - out.metrics["adversarial"], 16 * 6 / 2 * out.metrics["squared_gradient"], rtol=1e-4
    )


def test_the_discriminator_takes_one_step_of_either_kind_then_the_generator():
    always = load(config_of())
    assert {schedule.due(always, step) for step in range(40)} == {(("discriminator_r1", 1), ("generator", 1))}
    lazy = load(config_of("phases.r1_every=16"))
    kinds = [schedule.due(lazy, step)[0][0] for step in range(40)]
    assert [step for step, kind in enumerate(kinds) if kind == "discriminator_r1"] == [0, 16, 32]
    assert set(kinds) == {"discriminator", "discriminator_r1"}
    assert all(schedule.due(lazy, step)[1:] == (("generator", 1),) for step in range(40))
    with pytest.raises(ConfigError, match=r"config\.phases\.r1_every is 0: expected 1"):
        load(config_of("phases.r1_every=0"))


def test_weights_move_and_their_average_follows_the_generator_alone():
    recipe = load(config_of("ema.decay=0.75", "ema.start=0 steps"))
    mesh = sharding.data_mesh(1)
    target = state.abstract(recipe, mesh, ())
    before = jax.device_get(state.born(recipe, target, 0))
    batch = {name: value[None, None] for name, value in batch_of().items()}
    step = compile_step(recipe, 0, mesh, schedule.due(recipe, 0), target, abstract_batch(batch, mesh))
    after, metrics = step(state.born(recipe, target, 0), sharding.put(batch, mesh))
    after = jax.device_get(after)
    assert set(after.ema) == {"G"}
    averaged = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, before.params["G"], after.params["G"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), after.ema["G"]["params"], averaged)
    for name in ("G", "D"):
        moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), before.params[name], after.params[name])
        assert any(jax.tree.leaves(moved))
    assert np.isfinite(metrics["discriminator_r1/squared_gradient"])


def test_without_classes_labels_do_not_matter():
    recipe = load(config_of("data.num_classes=0"))
    variables = {"G": recipe.networks["G"].module.init(jax.random.key(0), *recipe.networks["G"].inputs())}
    z = jax.vmap(lambda key: recipe.prior(key, {}))(jax.random.split(jax.random.key(1), 2))
    images = [recipe.sample(variables, z, jnp.array(labels), {}) for labels in ([0, 0], [-1, 7])]
    assert images[0].shape == (2, 16, 16, 1)
    np.testing.assert_array_equal(*images)
