"""Tiny recipes for tests of the engine: each shows one thing, with dense networks only."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe

DIM = 8


class Linear(nn.Module):
    """One dense layer that counts its advancing calls in a statistic."""

    features: int

    @nn.compact
    def __call__(self, x):
        calls = self.variable("counter", "calls", lambda: jnp.float32(0))
        if self.is_mutable_collection("counter") and not self.is_initializing():
            calls.value += 1
        return nn.Dense(self.features)(x)


def network(features: int) -> Network:
    return Network(Linear(features), lambda: (jnp.zeros((1, DIM)),))


def no_sample(variables, latents, labels, options):
    raise AssertionError("not sampled in this test")


def prior(key, options):
    return jax.random.normal(key, (DIM,))


def two_against_two(reset_at_stage: bool = False, **changes) -> Recipe:
    """Two generators and two discriminators, a penalty every third step and an aux state that counts."""

    def discriminators(view, batch, key):
        values, stats = {}, {}
        for side, generator in (("A", "toA"), ("B", "toB")):
            net, other = view.net(f"D_{side}"), view.net(generator)
            fake, other = other(view.normal(key, batch["image"].shape))
            real_logits, _ = net(batch["image"], advance=False)
            fake_logits, net = net(jax.lax.stop_gradient(fake))
            values[f"critic_{side}"] = jnp.mean(nn.softplus(fake_logits)) + jnp.mean(nn.softplus(-real_logits))
            stats |= {f"D_{side}": net.stats, generator: other.stats}
        return values, Out(stats=stats, aux={"seen": view.aux["seen"] + batch["image"].shape[0]})

    def generators(view, batch, key):
        value = 0.0
        for side, generator in (("A", "toA"), ("B", "toB")):
            fake, _ = view.net(generator)(view.normal(key, batch["image"].shape))
            value += jnp.mean(nn.softplus(-view.net(f"D_{side}")(fake)[0]))
        return value, Out(metrics={"twice": 2 * value})

    def penalty(view, batch, key):
        value = sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(view.params["D_A"]))
        return value, Out(aux={"penalties": view.aux["penalties"] + 1})

    fields = {
        "networks": {"toA": network(DIM), "toB": network(DIM), "D_A": network(1), "D_B": network(1)},
        "players": {
            "generators": Player(("toA", "toB"), optax.adam(1e-2), reset_at_stage=reset_at_stage),
            "critic_A": Player(("D_A",), optax.sgd(1e-2)),
            "critic_B": Player(("D_B",), optax.sgd(1e-2)),
        },
        "phases": (
            Phase("discriminators", ("critic_A", "critic_B"), discriminators),
            Phase("generators", ("generators",), generators),
            Phase("penalty", ("critic_A",), penalty, every=3),
        ),
        "aux": lambda: {"seen": jnp.int32(0), "penalties": jnp.int32(0)},
        "ema": Ema(("toA",), lambda images, images_per_step: 0.5),
        "prior": prior,
        "sample": no_sample,
    }
    return Recipe(**{**fields, **changes})


def regression(repeat: int = 1, optimizer=None, **player) -> Recipe:
    """One network, one player: the mean square of a linear map; latents come with the batch, not from keys."""

    def loss(view, batch, key):
        y, _ = view.net("f")(batch["image"], advance=False)
        return jnp.mean(jnp.square(y)), Out()

    return Recipe(
        networks={"f": network(3)},
        players={"solver": Player(("f",), optimizer or optax.sgd(0.1), **player)},
        phases=(Phase("fit", ("solver",), loss, repeat=repeat),),
        prior=prior,
        sample=no_sample,
    )
