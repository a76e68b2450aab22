"""The training step: phases in order, each with repeats and accumulated microbatches, then the moving average.

`compile_step` builds one donated, compiled variant per (stage, set of due phases). Which phases are due is decided
on the host, so a phase that does not run costs nothing and its metrics are absent.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gan_jax.engine import freezing, optimizers, sharding
from gan_jax.engine.recipe import Out, Phase, Recipe, Stage, View
from gan_jax.engine.schedule import Active, ema_decay
from gan_jax.engine.state import State, shardings_of

Tree = Any
Metrics = dict[str, jax.Array]
Step = Callable[[State, Tree], tuple[State, Metrics]]
SKIPPED = "skipped"  # the metric that counts steps in a row with a skipped update
BAD = "bad"  # whether a phase's update was skipped


def make_step(recipe: Recipe, stage: int, mesh: Mesh, active: Active, unroll: bool) -> Step:
    """The unjitted step `(state, batch) -> (state, metrics)` of one stage and one set of due phases.

    Args:
        active: the phases that run, with their repeats; see `schedule.due`.
        unroll: write loops over repeats and microbatches out instead of scanning. XLA on CPU needs it: inside a
            loop it runs the convolutions' weight gradients 10 to 50 times slower. It costs compile time.

    The batch is a tree of arrays [repeat, microbatch, batch, ...]. `images` advances by microbatch * batch.

    An update whose loss or gradient is not finite is skipped: nothing of it is kept. All devices decide alike, as both are
    global. The metric "skipped" counts the steps in a row with such an update.
    """
    repeats = dict(active)

    def step(state: State, batch: Tree) -> tuple[State, Metrics]:
        _, microbatches, size = jax.tree.leaves(batch)[0].shape[:3]
        images_per_step = microbatches * size
        key = jax.random.fold_in(jax.random.key(state.seed), state.step)
        metrics: Metrics = {}
        bad = jnp.float32(0)
        for index, phase in enumerate(recipe.phases):
            if count := repeats.get(phase.name):
                update = _phase_update(recipe, phase, recipe.stages[stage], mesh, unroll, images_per_step)
                inputs = (_keys(jax.random.fold_in(key, index), count), _own_slices(phase, count, batch))
                state, phase_metrics = _loop(update, state, inputs, unroll)
                bad += phase_metrics.pop(BAD)
                metrics |= {f"{phase.name}/{name}": value for name, value in phase_metrics.items()}
        state = dataclasses.replace(
            state,
            step=state.step + 1,
            skipped=jnp.where(bad > 0, state.skipped + 1, 0),
            images=state.images + jnp.uint32(images_per_step),
            ema=_moving_average(recipe, state, images_per_step),
        )
        return state, {**metrics, SKIPPED: state.skipped}

    return step


def compile_step(
    recipe: Recipe, stage: int, mesh: Mesh, active: Active, target: State, batch: Tree, unroll: bool | None = None
) -> jax.stages.Compiled:
    """Compiles one variant for an abstract state and batch; the state is donated and keeps its shardings.

    `unroll` None unrolls loops on CPU only.
    """
    return lower_step(recipe, stage, mesh, active, target, batch, unroll).compile()


def lower_step(
    recipe: Recipe, stage: int, mesh: Mesh, active: Active, target: State, batch: Tree, unroll: bool | None = None
) -> jax.stages.Lowered:
    """`compile_step` up to the point before XLA optimises, for those who only look."""
    if unroll is None:
        unroll = mesh.devices.flat[0].platform == "cpu"
    step = make_step(recipe, stage, mesh, active, unroll)
    state_shardings = shardings_of(target)
    everywhere = NamedSharding(mesh, PartitionSpec())
    # Unused arguments are kept, lest an average of statistics that are copied anew cannot be donated.
    jitted = jax.jit(step, donate_argnums=0, keep_unused=True, out_shardings=(state_shardings, everywhere))
    return jitted.lower(target, batch)


def abstract_batch(example: Tree, mesh: Mesh) -> Tree:
    """Shapes and shardings of a global batch that looks like `example`."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding.stacked(x.shape, mesh)), example
    )


def enter_stage(recipe: Recipe, stage: int, target: State) -> Callable[[State], State]:
    """Jitted, donated `state -> state` at the begin of a stage: fresh optimisers where a player asks for it."""

    def enter(state: State) -> State:
        fresh = {
            name: optimizers.build(player).init({network: state.params[network] for network in player.networks})
            for name, player in recipe.players.items()
            if player.reset_at_stage
        }
        return dataclasses.replace(state, stage=jnp.int32(stage), opt={**state.opt, **fresh})

    return jax.jit(enter, donate_argnums=0, out_shardings=shardings_of(target))


def _phase_update(
    recipe: Recipe, phase: Phase, stage: Stage, mesh: Mesh, unroll: bool, images_per_step: int
) -> Callable[[State, tuple[jax.Array, Tree]], tuple[State, Metrics]]:
    """One update of a phase's players: gradients over the microbatches, then one optimiser step for each player."""
    players = {name: recipe.players[name] for name in phase.players}
    owned = [network for player in players.values() for network in player.networks]
    modules = {name: network.module for name, network in recipe.networks.items()}

    def update(state: State, inputs: tuple[jax.Array, Tree]) -> tuple[State, Metrics]:
        key, slices = inputs
        microbatches = jax.tree.leaves(slices)[0].shape[0]
        params, stats = sharding.replicate((state.params, state.stats), mesh)
        fixed = freezing.fixed(players, params)

        def accumulate(carry, inputs):
            total, stats, aux = carry
            key, data = inputs

            def loss(trainable):
                seen = (state.step, state.images, stage, mesh, images_per_step)
                trainable = freezing.hold(trainable, fixed)
                return phase.loss(View(modules, {**params, **trainable}, stats, state.ema, aux, *seen), data, key)

            grads, out, metrics = _gradients(loss, {name: params[name] for name in owned}, players)
            stats, aux = _merge_stats(stats, out), _merge(aux, out.aux, "aux")
            return (jax.tree.map(jnp.add, total, grads), stats, aux), {**metrics, **out.metrics}

        zeros = {name: jax.tree.map(jnp.zeros_like, {n: params[n] for n in p.networks}) for name, p in players.items()}
        (total, stats, aux), metrics = _loop(
            accumulate, (zeros, stats, state.aux), (_keys(key, microbatches), slices), unroll
        )
        params, opt = dict(state.params), dict(state.opt)
        for name, player in players.items():
            grads = jax.tree.map(lambda g: g / microbatches, total[name])
            own = {network: params[network] for network in player.networks}
            updates, opt[name] = optimizers.build(player).update(
                grads, opt[name], own, images=state.images, images_per_step=images_per_step
            )
            updates = freezing.keep(jax.tree.map(lambda u: u * stage.rate, updates), {n: fixed[n] for n in own})
            own = optax.apply_updates(own, updates)
            params |= player.project(own) if player.project else own
            metrics |= {
                f"gradient_norm_{name}": optax.tree.norm(grads),
                f"update_norm_{name}": optax.tree.norm(updates),
            }
        updated = dataclasses.replace(state, params=params, stats=stats, opt=opt, aux=aux)
        judged = [value for name, value in metrics.items() if name.startswith(("loss", "gradient_norm"))]
        finite = jnp.isfinite(jnp.stack(judged)).all() if judged else jnp.bool(True)
        # Where a leaf was not touched both are one array, and XLA drops the choice.
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), updated, state)
        return kept, {**metrics, BAD: 1.0 - finite.astype(jnp.float32)}

    return update


def _own_slices(phase: Phase, count: int, batch: Tree) -> Tree:
    """What `count` updates of a phase read: [count, microbatch, batches * batch, ...].

    Examples of several slices come in turns, so that each stays on the device that has it.
    """

    def own(x: jax.Array) -> jax.Array:
        x = x[phase.first_slice : phase.first_slice + count * phase.batches]
        _, microbatches, size, *rest = x.shape
        x = jnp.moveaxis(x.reshape(count, phase.batches, microbatches, size, *rest), 1, 3)
        return x.reshape(count, microbatches, size * phase.batches, *rest)

    return jax.tree.map(own, batch)


def _gradients(loss: Callable, trainable: Tree, players: dict) -> tuple[dict[str, Tree], Out, Metrics]:
    """Gradients `{player: {network: tree}}` of a loss that is one scalar for all players, or one for each."""
    value, pull_back, out = jax.vjp(loss, trainable, has_aux=True)
    if isinstance(value, dict):
        grads = {name: pull_back({other: jnp.float32(other == name) for other in value})[0] for name in players}
        metrics = {f"loss_{name}": scalar for name, scalar in value.items()}
    else:
        grads = dict.fromkeys(players, pull_back(jnp.ones_like(value))[0])
        metrics = {"loss": value}
    grads = {name: {network: grads[name][network] for network in player.networks} for name, player in players.items()}
    return grads, jax.lax.stop_gradient(out), metrics


def _moving_average(recipe: Recipe, state: State, images_per_step: int) -> Tree:
    """The EMA after a step: old * decay + new * (1 - decay) for weights; statistics as `Ema.stats` says."""
    if recipe.ema is None:
        return state.ema
    decay = ema_decay(recipe.ema.decay)(state.images, images_per_step)

    def average(old, new):
        return jax.tree.map(lambda o, n: (o * decay + n * (1 - decay)).astype(o.dtype), old, new)

    return {
        name: {
            "params": average(state.ema[name]["params"], state.params[name]),
            **{
                collection: average(state.ema[name][collection], new) if recipe.ema.stats == "average" else new
                for collection, new in state.stats[name].items()
            },
        }
        for name in recipe.ema.networks
    }


def _keys(key: jax.Array, count: int) -> jax.Array:
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(count))


def _loop(body: Callable, carry: Tree, xs: Tree, unroll: bool) -> tuple[Tree, Metrics]:
    """`lax.scan` of a body that returns metrics, averaged over the loop; a loop of length one is no loop."""
    length = jax.tree.leaves(xs)[0].shape[0]
    if not unroll and length > 1:
        carry, metrics = jax.lax.scan(body, carry, xs)
        return carry, jax.tree.map(lambda m: jnp.mean(m, axis=0), metrics)
    each = []
    for i in range(length):
        carry, metrics = body(carry, jax.tree.map(lambda x, i=i: x[i], xs))
        each.append(metrics)
    return carry, jax.tree.map(lambda *m: sum(m) / length, *each)


def _merge_stats(stats: Tree, out: Out) -> Tree:
    return _merge(stats, {name: {**stats.get(name, {}), **tree} for name, tree in out.stats.items()}, "stats")


def _merge(old: dict[str, Tree], new: dict[str, Tree], what: str) -> dict[str, Tree]:
    """`old` with the entries of `new`; refuses unknown names and changed structures, shapes and dtypes by path."""
    for name, tree in new.items():
        if name not in old:
            raise ValueError(f"a loss returned {what}/{name}, which the state does not have: it has {sorted(old)}")
        before, after = (dict(jax.tree.leaves_with_path(t)) for t in (old[name], tree))
        for path in before.keys() | after.keys():
            shown = [f"{t[path].dtype}{list(t[path].shape)}" if path in t else "nothing" for t in (before, after)]
            if shown[0] != shown[1]:
                where = f"{what}/{name}/{sharding.path_name(path)}"
                raise ValueError(f"a loss changed {where} from {shown[0]} to {shown[1]}")
    return {**old, **new}
