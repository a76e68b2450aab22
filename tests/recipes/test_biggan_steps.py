"""Two whole training steps against BigGAN-PyTorch's own: losses, gradients, Adam, statistics and moving average."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

from gan_jax.config import base
from gan_jax.engine import optimizers, schedule, sharding, state
from gan_jax.engine.recipe import Player, View
from gan_jax.engine.step import make_step
from gan_jax.game import game, pair
from gan_jax.game.latents import Latents
from gan_jax.game.rules import Rules, section
from gan_jax.recipes import biggan
from tests.reference import Peer, assert_array, assert_scalar, assert_summaries, cases, images, integers, normal

NETWORKS = {"G": "generator", "D": "discriminator"}


def configured(published):
    """Our config of a published run."""
    train, classes = published["train"], published["n_classes"]
    config = base()
    config.model = {
        "family": "biggan",
        "latents": "normal",
        "G": {
            "channels": published["G"]["G_ch"],
            "dim_z": published["G"]["dim_z"],
            "shared_dim": published["G"]["shared_dim"],
            "attention": (16,),
        },
        "D": {"channels": published["D"]["D_ch"]},
    }
    config.players = {
        player: {
            "transform": "scale_by_adam",
            "options": {"b1": 0.0, "b2": 0.999, "eps": published[name]["adam_eps"]},
            "learning_rate": published[name][f"{name}_lr"],
        }
        for name, player in NETWORKS.items()
    }
    config.phases = section(
        Rules(
            loss=published["loss"],
            discriminator_steps=train["num_D_steps"],
            orthogonal=train["G_ortho"],
            conditioning={"name": "projection"},
        )
    )
    config.ema = {"decay": published["ema_decay"], "start": f"{published['ema_start']} steps"}
    config.data.update({"resolution": 32, "channels": 3, "num_classes": classes})
    return config


def recording(optimizer):
    """An optimiser whose state keeps the gradients that it was given last."""
    record = optax.GradientTransformation(lambda params: params, lambda updates, _, params=None: (updates, updates))
    return optax.chain(record, optimizers.build(Player((), optimizer)))


def answer_draws(monkeypatch):
    """Lets the latents and labels drawn in a step, in order of tracing, be those that lie in the auxiliary state."""
    views = []  # one for each draw: labels come first, then latents, which do not see the view

    def labels(view, key, real, num_classes, source):
        views.append(view)
        return view.shard(view.aux["y"][len(views) - 1])

    monkeypatch.setattr(View, "generated_labels", labels)
    scripted = lambda name, size: Latents(size, lambda key, n: views[-1].aux["z"][len(views) - 1])  # noqa: E731
    monkeypatch.setattr(pair, "latents", scripted)
    # The reals of the vectors are floats already.
    monkeypatch.setattr(game, "to_float", lambda x: x)


def draws(published, iteration):
    """The latents and labels of all draws of an iteration: z and y, [draw, batch, ...]."""
    train, seed = published["train"], published["input_seed"]
    size, dim_z = train["batch_size"], published["G"]["dim_z"]
    calls = train["num_D_steps"] * train["num_D_accumulations"] + train["num_G_accumulations"]
    numbers = range(iteration * calls, (iteration + 1) * calls)
    return {
        "z": np.stack([normal(f"z{k}", (size, dim_z), seed) for k in numbers]),
        "y": np.stack([integers(f"y{k}", (size,), seed, published["n_classes"]) for k in numbers]),
    }


@pytest.mark.parametrize("case", ["step_1acc", "step_2acc"])
def test_training_steps_equal_biggan_pytorch(case, monkeypatch):
    published = cases("biggan_steps")[case]["config"]
    size, microbatches = published["train"]["batch_size"], published["train"]["num_D_accumulations"]
    seed, classes = published["input_seed"], published["n_classes"]
    answer_draws(monkeypatch)

    recipe = biggan.build(configured(published))
    players = {
        name: dataclasses.replace(player, optimizer=recording(player.optimizer))
        for name, player in recipe.players.items()
    }
    recipe = dataclasses.replace(recipe, players=players)
    peers = {name: Peer(f"{case}/{name}") for name in NETWORKS}
    mesh = sharding.make_mesh(base().mesh)
    step = jax.jit(make_step(recipe, 0, mesh, schedule.due(recipe, 0), unroll=True))
    current = started(recipe, peers)

    skip = {name: set() for name in NETWORKS}
    for iteration in range(published["iterations"]):
        reals = images(f"x{iteration}", (size * microbatches, 3, 32, 32), seed)
        labels = integers(f"yreal{iteration}", (size * microbatches,), seed, classes)
        batch = {
            "image": reals.reshape(1, microbatches, size, 32, 32, 3),
            "label": labels.reshape(1, microbatches, size),
        }
        before = dataclasses.replace(current, aux={**current.aux, **draws(published, iteration)})
        current, metrics = jax.device_get(step(before, sharding.put(batch, mesh)))

        for name, peer in peers.items():
            group = f"it{iteration}/grad_{name}"
            summaries = cases("biggan_steps")[case]["summaries"][group]
            skip[name] |= {tensor for tensor, entry in summaries.items() if entry.get("exact_zero_in_theory")}
            grads = current.opt[NETWORKS[name]][0]
            assert_summaries(peer.from_ours({"params": grads[name]}), "biggan_steps", case, group, skip[name])
            delta = jax.tree.map(np.subtract, current.params[name], before.params[name])
            group = f"it{iteration}/delta_{name}"
            assert_summaries(peer.from_ours({"params": delta}), "biggan_steps", case, group, skip[name])
            assert_array(peer.flat(current.stats[name], "u0"), "biggan_steps", case, f"it{iteration}/{name}_u0")
        for buffer in ("stored_mean", "stored_var"):
            key = f"it{iteration}/G_{buffer}"
            assert_array(peers["G"].flat(current.stats["G"], buffer), "biggan_steps", case, key)
        delta = jax.tree.map(np.subtract, current.ema["G"], before.ema["G"])
        assert_summaries(peers["G"].from_ours(delta), "biggan_steps", case, f"it{iteration}/ema_delta", skip["G"])
        if microbatches == 1:  # the published code reports the last microbatch, the engine the mean
            entries = cases("biggan_steps")[case]["scalars"]
            assert_scalar(metrics["generator/loss"], "biggan_steps", case, f"it{iteration}/G_loss")
            parts = [entries[f"it{iteration}/D_loss_{part}"] for part in ("real", "fake")]
            tolerance = sum(20 * part["f32_err"] + 2e-6 * abs(part["value"]) for part in parts)
            total = sum(part["value"] for part in parts)
            np.testing.assert_allclose(metrics["discriminator/loss"], total, rtol=0, atol=tolerance)


def started(recipe, peers):
    """The state before the first step, on the host, with the published weights and statistics."""
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), jax.eval_shape(lambda: state.init(recipe, 0)))
    stats = {name: peer.variables() for name, peer in peers.items()}
    params = {name: variables.pop("params") for name, variables in stats.items()}
    ema = {"G": {"params": params["G"], **stats["G"]}}
    return dataclasses.replace(zeros, params=params, stats=stats, ema=ema)
