"""Updates that are not finite are skipped, whole and on all devices alike, and counted; the next ones go on."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Out
from gan_jax.engine.step import abstract_batch, compile_step
from tests.engine.games import DIM, two_against_two

ACTIVE = (("discriminators", 1), ("generators", 1))
BATCH = 8


def poisoned(where: str):
    """The game, whose phase `where` has a loss or gradient that is not finite when an image holds a 7."""
    recipe = two_against_two()

    def spoil(loss, view, batch, key):
        value, out = loss(view, batch, key)
        bad = (batch["image"] == 7).any()
        worst = {name: jnp.where(bad, jnp.nan, 0.0) for name in value} if isinstance(value, dict) else None
        if where == "discriminators":
            return jax.tree.map(jnp.add, value, worst), out
        # Finite, but its gradient is infinite where it is taken at 0.
        zero = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(view.params["toA"])) * jnp.where(bad, 0.0, 1.0)
        root = jnp.sqrt(jnp.abs(zero)) * 1e-3
        return value + root, Out(out.stats, out.aux, out.metrics)

    phases = tuple(
        dataclasses.replace(phase, loss=functools.partial(spoil, phase.loss)) if phase.name == where else phase
        for phase in recipe.phases
    )
    return dataclasses.replace(recipe, phases=phases)


def images(*spoiled: int) -> np.ndarray:
    drawn = np.random.RandomState(0).uniform(-1, 1, (1, 1, BATCH, DIM)).astype(np.float32)
    drawn[0, 0, list(spoiled), 0] = 7
    return drawn


def compiled(recipe, devices):
    mesh = sharding.data_mesh(devices)
    target = state.abstract(recipe, mesh, ())
    batch = abstract_batch({"image": images()}, mesh)
    step = compile_step(recipe, 0, mesh, ACTIVE, target, batch)

    def run(current, drawn):
        return step(current, sharding.put({"image": drawn}, mesh))

    return run, state.born(recipe, target, 0)


@pytest.mark.parametrize("devices", [1, 4])
@pytest.mark.parametrize(
    ("where", "untouched", "moved"), [("discriminators", "D_A", "toA"), ("generators", "toA", "D_A")]
)
def test_a_bad_update_changes_nothing_of_its_players_and_others_go_on(devices, where, untouched, moved):
    run, current = compiled(poisoned(where), devices)
    current, metrics = run(current, images())
    assert int(metrics["skipped"]) == 0
    before = jax.device_get(current)
    current, metrics = run(current, images(5))  # one image on one of the devices
    after = jax.device_get(current)
    assert int(metrics["skipped"]) == int(after.skipped) == 1
    jax.tree.map(np.testing.assert_array_equal, before.params[untouched], after.params[untouched])
    player = "critic_A" if where == "discriminators" else "generators"
    jax.tree.map(np.testing.assert_array_equal, before.opt[player], after.opt[player])
    assert not np.array_equal(*(t.params[moved]["Dense_0"]["kernel"] for t in (before, after)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((after.params, after.opt, after.ema, after.stats)))
    assert int(after.step) == int(before.step) + 1


def test_steps_in_a_row_are_counted_until_a_good_one():
    run, current = compiled(poisoned("discriminators"), 4)
    counts = []
    for spoiled in ((), (1,), (2, 3), (0,), (), (7,)):
        current, metrics = run(current, images(*spoiled))
        counts.append(int(metrics["skipped"]))
    assert counts == [0, 1, 2, 3, 0, 1]


def test_what_a_skipped_phase_would_have_noted_is_not_kept():
    run, current = compiled(poisoned("discriminators"), 4)
    seen = []
    for spoiled in ((), (1,), ()):
        current, _ = run(current, images(*spoiled))
        seen.append(int(current.aux["seen"]))
    assert seen == [BATCH, BATCH, 2 * BATCH]
