"""What one training step does: order, repeats, microbatches, players, merging of what losses return."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Ema, Out, Phase, Player, Stage
from gan_jax.engine.schedule import due
from gan_jax.engine.step import abstract_batch, compile_step, enter_stage
from gan_jax.errors import ConfigError
from tests.engine.games import DIM, network, regression, two_against_two


def batch_of(shape, seed=0):
    return {"image": np.random.RandomState(seed).standard_normal((*shape, DIM)).astype(np.float32)}


GAME = two_against_two()
compiled = {}  # steps by recipe and circumstances: compiling is most of what these tests cost


def run(recipe, batches, devices=1, rules=(), unroll=None, seed=0):
    """The host copy of the state after all batches, and the metrics of each step."""
    mesh = sharding.data_mesh(devices)
    target = state.abstract(recipe, mesh, rules)
    current = state.born(recipe, target, seed)
    history = []
    for number, batch in enumerate(batches):
        active = due(recipe, number)
        variant = (id(recipe), devices, rules, unroll, active, batch["image"].shape)
        if variant not in compiled:  # the recipe is kept, so that no other one gets its id
            step = compile_step(recipe, 0, mesh, active, target, abstract_batch(batch, mesh), unroll)
            compiled[variant] = (recipe, step)
        current, metrics = compiled[variant][1](current, sharding.put(batch, mesh))
        history.append(jax.device_get(metrics))
    return jax.device_get(current), history


def assert_trees_close(a, b, rtol=1e-6, atol=1e-7):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), a, b)


def test_a_toy_game_of_four_networks_runs_its_phases_when_due():
    final, history = run(two_against_two(), [batch_of((1, 1, 8), seed) for seed in range(7)], devices=4)
    assert final.step == 7
    assert final.images == 56
    assert final.aux["penalties"] == 3  # steps 0, 3 and 6
    assert final.aux["seen"] == 56
    assert ["penalty/loss" in metrics for metrics in history] == [True, False, False, True, False, False, True]
    assert {"discriminators/loss_critic_A", "generators/loss", "generators/gradient_norm_generators"} <= set(history[1])
    np.testing.assert_allclose(history[0]["generators/twice"], 2 * history[0]["generators/loss"], rtol=1e-6)
    assert final.stats["D_A"]["counter"]["calls"] == 7  # real does not advance, fake does
    assert final.stats["toB"]["counter"]["calls"] == 7
    assert set(final.ema) == {"toA"}


def test_players_of_one_phase_each_follow_their_own_loss():
    """With losses that share networks, a player's gradient must not hold the other player's loss."""

    def loss(view, batch, key):
        a, b = view.params["a"]["Dense_0"]["bias"], view.params["b"]["Dense_0"]["bias"]
        return {"first": jnp.sum(a) + 10 * jnp.sum(b), "second": 100 * jnp.sum(a) + jnp.sum(b)}, Out()

    game = regression()
    game = dataclasses.replace(
        game,
        networks={"a": network(3), "b": network(3)},
        players={"first": Player(("a",), optax.sgd(1.0)), "second": Player(("b",), optax.sgd(1.0))},
        phases=(Phase("both", ("first", "second"), loss),),
    )
    final, _ = run(game, [batch_of((1, 1, 4))])
    np.testing.assert_array_equal(final.params["a"]["Dense_0"]["bias"], -np.ones(3))
    np.testing.assert_array_equal(final.params["b"]["Dense_0"]["bias"], -np.ones(3))


@pytest.mark.parametrize("unroll", [True, False])
def test_microbatches_give_the_gradient_of_the_whole_batch(unroll):
    whole = batch_of((1, 1, 32))
    parts = {"image": whole["image"].reshape(1, 4, 8, DIM)}
    expected, _ = run(regression(), [whole])
    found, _ = run(regression(), [parts], unroll=unroll)
    assert_trees_close(found.params, expected.params)
    assert found.images == expected.images == 32


@pytest.mark.parametrize("unroll", [True, False])
def test_repeats_are_updates_in_a_row_on_their_own_slices(unroll):
    batch = batch_of((3, 1, 8))
    repeated, _ = run(regression(repeat=3), [batch], unroll=unroll)
    single, _ = run(regression(), [{"image": batch["image"][i : i + 1]} for i in range(3)])
    assert_trees_close(repeated.params, single.params)
    assert repeated.images == 8  # images advance by one batch, whatever the repeats
    assert repeated.step == 1


@pytest.mark.parametrize("unroll", [True, False])
def test_a_phase_may_begin_at_a_later_slice(unroll):
    """Then two phases of a step see different examples: here the first three slices, then the last two."""
    batch = batch_of((5, 1, 8))
    game = regression(repeat=3)
    game = dataclasses.replace(
        game, phases=(*game.phases, dataclasses.replace(game.phases[0], name="more", repeat=2, first_slice=3))
    )
    found, _ = run(game, [batch], unroll=unroll)
    expected, _ = run(regression(repeat=5), [batch], unroll=unroll)
    assert_trees_close(found.params, expected.params)
    other, _ = run(regression(repeat=3), [batch], unroll=unroll)
    assert not np.allclose(found.params["f"]["Dense_0"]["kernel"], other.params["f"]["Dense_0"]["kernel"])


@pytest.mark.parametrize("unroll", [True, False])
def test_an_update_may_see_several_batches_as_one(unroll):
    """Two updates on two slices each are two on batches of twice the size, microbatch by microbatch."""
    batch = batch_of((4, 2, 8))
    game = regression()
    game = dataclasses.replace(game, phases=(dataclasses.replace(game.phases[0], repeat=2, batches=2),))
    found, _ = run(game, [batch], unroll=unroll)
    joined = [np.concatenate(batch["image"][i : i + 2], axis=1)[None] for i in (0, 2)]
    expected, _ = run(regression(), [{"image": x} for x in joined])
    assert_trees_close(found.params, expected.params)
    assert found.images == 16  # one slice for each step, as with repeats


def test_several_batches_as_one_stay_on_their_devices():
    game = regression()
    game = dataclasses.replace(game, phases=(dataclasses.replace(game.phases[0], batches=2),))
    mesh = sharding.data_mesh(4)
    target = state.abstract(game, mesh, ())
    compiled = compile_step(game, 0, mesh, due(game, 0), target, abstract_batch(batch_of((2, 1, 8)), mesh))
    text = compiled.as_text()
    assert "all-reduce" in text
    assert not re.search(r"all-gather|all-to-all|collective-permute", text)


def test_a_loss_sees_numbers_that_change_at_the_images_seen():
    section = ConfigDict({"start": 1.0, "end": 3.0, "until": "2 steps"})

    def loss(view, batch, key):
        return {}, Out(metrics={"number": jnp.float32(view.at_present(section))})

    game = dataclasses.replace(regression(), phases=(Phase("look", (), loss),))
    _, history = run(game, [batch_of((1, 2, 8))] * 4)
    np.testing.assert_allclose([metrics["look/number"] for metrics in history], [1, 2, 3, 3], rtol=1e-6)


def test_a_hand_computed_update_and_moving_average():
    game = dataclasses.replace(regression(), ema=Ema(("f",), lambda images, images_per_step: 0.75))
    mesh = sharding.data_mesh(1)
    start = jax.device_get(state.born(game, state.abstract(game, mesh, ()), 0))
    batch = batch_of((1, 1, 4))
    final, _ = run(game, [batch])
    kernel, bias = (start.params["f"]["Dense_0"][k] for k in ("kernel", "bias"))
    x = batch["image"][0, 0]
    gradient = 2 * x.T @ (x @ kernel + bias) / (4 * 3)
    expected = kernel - 0.1 * gradient
    np.testing.assert_allclose(final.params["f"]["Dense_0"]["kernel"], expected, rtol=1e-5, atol=1e-6)
    averaged = final.ema["f"]["params"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(averaged, 0.75 * kernel + 0.25 * expected, rtol=1e-5, atol=1e-6)


def test_statistics_are_copied_into_the_average_when_asked():
    ema = Ema(("toA",), lambda images, images_per_step: 0.5, stats="copy")
    final, _ = run(two_against_two(ema=ema), [batch_of((1, 1, 8))] * 2)
    assert final.ema["toA"]["counter"]["calls"] == 2
    final, _ = run(GAME, [batch_of((1, 1, 8))] * 2)
    assert final.ema["toA"]["counter"]["calls"] == 1.25  # (0 + 1)/2, then (0.5 + 2)/2


def test_projection_is_exact_after_every_update():
    def clip(params):
        return jax.tree.map(lambda w: jnp.clip(w, -0.01, 0.01), params)

    final, _ = run(regression(optimizer=optax.rmsprop(0.05), project=clip), [batch_of((1, 1, 8))] * 3)
    assert max(np.max(np.abs(leaf)) for leaf in jax.tree.leaves(final.params)) == np.float32(0.01)


def test_one_and_four_devices_agree():
    batches = [batch_of((1, 2, 8), seed) for seed in range(4)]
    one, _ = run(GAME, batches, devices=1)
    four, _ = run(GAME, batches, devices=4)
    assert_trees_close(one, four, rtol=1e-5, atol=1e-6)


def test_sharded_parameters_train_as_replicated_ones():
    batches = [batch_of((1, 2, 8), seed) for seed in range(4)]
    rules = ((".*", "largest"),)
    replicated, _ = run(GAME, batches, devices=4)
    sharded, _ = run(GAME, batches, devices=4, rules=rules)
    assert_trees_close(replicated, sharded, rtol=1e-5, atol=1e-6)
    target = state.abstract(two_against_two(), sharding.data_mesh(4), rules)
    for tree in (target.params["toA"], target.opt["generators"], target.ema["toA"]["params"]):
        specs = {tuple(leaf.sharding.spec) for leaf in jax.tree.leaves(tree) if leaf.shape == (DIM, DIM)}
        assert specs == {("data", None)}


def test_the_same_seed_repeats_and_another_differs():
    batches = [batch_of((1, 1, 8))] * 2
    first, again, other = (run(GAME, batches, seed=seed)[0] for seed in (1, 1, 2))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    kernel = lambda s: s.params["toA"]["Dense_0"]["kernel"]  # noqa: E731
    assert not np.allclose(kernel(first), kernel(other))


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (Out(aux={"sen": jnp.int32(1)}), "aux/sen"),
        (Out(aux={"seen": jnp.float32(1)}), "aux/seen.* from int32"),
        (Out(stats={"toA": {"counter": {"calls": jnp.zeros(2)}}}), "stats/toA/counter/calls"),
    ],
)
def test_a_loss_that_changes_the_state_s_shape_is_named(out, message):
    game = two_against_two(phases=(Phase("bad", ("generators",), lambda view, batch, key: (jnp.float32(0), out)),))
    with pytest.raises(ValueError, match=message):
        run(game, [batch_of((1, 1, 8))])


def test_a_new_stage_resets_the_moments_that_should_be():
    game = two_against_two(reset_at_stage=True, stages=(Stage(until=16), Stage()))
    mesh = sharding.data_mesh(1)
    target = state.abstract(game, mesh, ())
    current = state.born(game, target, 0)
    batch = batch_of((1, 1, 8))
    step = compile_step(game, 0, mesh, due(game, 1), target, abstract_batch(batch, mesh))
    current, _ = step(current, sharding.put(batch, mesh))
    before = jax.device_get(current)
    after = jax.device_get(enter_stage(game, 1, target)(current))
    assert max(np.max(np.abs(m)) for m in jax.tree.leaves(before.opt["generators"])) > 0
    assert all(np.all(m == 0) for m in jax.tree.leaves(after.opt["generators"]))
    assert after.stage == 1
    jax.tree.map(np.testing.assert_array_equal, before.params, after.params)


def test_a_stage_multiplies_the_learning_rates():
    """Of plain gradient descent, so that a step is as many times as long."""
    moves = []
    for rate in (1.0, 3.0):
        game = dataclasses.replace(regression(), stages=(Stage(rate=rate),))
        start = jax.device_get(state.born(game, state.abstract(game, sharding.data_mesh(1), ()), 0))
        final, _ = run(game, [batch_of((1, 1, 8))])
        moves.append(jax.tree.map(np.subtract, final.params, start.params))
    assert_trees_close(moves[1], jax.tree.map(lambda move: 3 * move, moves[0]), rtol=1e-5)
    assert max(np.abs(move).max() for move in jax.tree.leaves(moves[0])) > 1e-3


def compiled_regression(freeze, batch, mesh):
    """A step with weight decay and moments, and the abstract state."""
    options = {"learning_rate": 0.1, "b1": 0.9, "weight_decay": 0.1}
    section = ConfigDict({"transform": "adamw", "options": options, "learning_rate": -1.0, "freeze": freeze})
    recipe = regression(optimizer=section)
    target = state.abstract(recipe, mesh, ())
    step = compile_step(recipe, 0, mesh, due(recipe, 0), target, abstract_batch(batch, mesh))
    return step, state.born(recipe, target, 0)


def test_a_frozen_parameter_stays_though_weight_decay_and_moments_would_move_it():
    mesh, batch = sharding.data_mesh(1), batch_of((1, 1, 8))
    free, current = compiled_regression((), batch, mesh)
    half, _ = compiled_regression(("f/.*/kernel",), batch, mesh)
    history = [jax.device_get(current.params["f"]["Dense_0"])]
    for step in (free, half, half):
        current, _ = step(current, sharding.put(batch, mesh))
        history.append(jax.device_get(current.params["f"]["Dense_0"]))
    _, moved, _, final = history
    assert np.abs(moved["kernel"] - history[0]["kernel"]).max() > 1e-3
    np.testing.assert_array_equal(final["kernel"], moved["kernel"])
    assert np.abs(final["bias"] - moved["bias"]).max() > 1e-3


def test_gradients_of_frozen_parameters_are_not_computed():
    mesh, batch = sharding.data_mesh(1), batch_of((1, 1, 8))
    free, half = (
        compiled_regression(freeze, batch, mesh)[0].cost_analysis()["flops"] for freeze in ((), ("f/.*/kernel",))
    )
    assert free - half >= 2 * 8 * DIM * 3  # inputs times gradients of outputs


@pytest.mark.parametrize("pattern", ["f/.*/kernl", "f/(", 5])
def test_a_pattern_that_freezes_nothing_is_a_sentence(pattern):
    with pytest.raises(ConfigError, match="config.players.solver.freeze holds .* such as f/Dense_0/"):
        compiled_regression((pattern,), batch_of((1, 1, 8)), sharding.data_mesh(1))


def test_a_phase_without_players_changes_aux_alone():
    """What an adaptive augmentation needs: something that happens after the updates of a step."""
    recipe = two_against_two()

    def adapt(view, batch, key):
        seen = view.aux["seen"]
        return {}, Out(aux={"seen": seen * 10}, metrics={"seen": seen})

    adapting = dataclasses.replace(recipe, phases=(*recipe.phases, Phase("adapt", (), adapt, every=2)))
    batches = [batch_of((1, 2, 4), seed) for seed in range(2)]
    (plain, _), (adapted, history) = run(recipe, batches), run(adapting, batches)
    assert plain.aux["seen"] == 16
    assert adapted.aux["seen"] == 8 * 10 * 10 + 8  # at step 0 once for each microbatch
    assert ["adapt/seen" in metrics for metrics in history] == [True, False]
    assert "adapt/loss" not in history[0]
    assert_trees_close(plain.params, adapted.params)
