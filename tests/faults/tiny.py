"""A GAN of dense layers on the digits that compiles in a second: a config and its recipe, for runs in processes of their own.

It has what a state can have: two optimisers, statistics, an average. `config.phases.bad` lists steps whose loss is not
finite for the images in the second half of the batch, which are those of the last process.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.config import base
from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial

DIM, SIDE = 8, 16


def get_config():
    config = base()
    config.recipe = "tests.faults.tiny"
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.5, "b2": 0.99}, "learning_rate": 1e-3}
    config.model = {"width": 32}
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = {"bad": ()}
    config.ema = {"decay": 0.9, "start": "0 steps"}
    config.data.update({"source": "digits", "resolution": SIDE, "channels": 1, "workers": 0})
    config.train.update({"length": "2 steps", "batch_size": 16, "checkpoint_every": "1000 steps"})
    config.report.update({"every": "1 step", "rows": 2, "columns": 2, "tensorboard": False})
    config.evaluate.batch = 4
    return config


class Generator(nn.Module):
    width: int

    @nn.compact
    def __call__(self, z, train: bool = False):
        norm = nn.BatchNorm(use_running_average=not train, momentum=0.9)
        x = nn.Dense(SIDE * SIDE)(nn.relu(norm(nn.Dense(self.width, use_bias=False)(z))))
        return jnp.tanh(x).reshape(-1, SIDE, SIDE, 1)


class Discriminator(nn.Module):
    width: int

    @nn.compact
    def __call__(self, images):
        x = nn.leaky_relu(nn.Dense(self.width)(images.reshape(len(images), -1)), 0.2)
        return nn.Dense(1)(x)[:, 0]


def build(config) -> Recipe:
    loss = adversarial("non_saturating")
    generator = Generator(config.model.width)

    def discriminator_loss(view, batch, key):
        real = to_float(batch["image"])
        fake, g = view.net("G")(view.normal(key, (len(real), DIM)), train=True)
        real_logits, fake_logits = view.net("D")(real)[0], view.net("D")(fake)[0]
        bad = jnp.isin(view.step, jnp.array([-1, *config.phases.bad]))
        second_half = view.shard(jnp.arange(len(real)) >= len(real) // 2)
        real_logits += jnp.where(bad & second_half, jnp.nan, 0.0)
        metrics = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
        return loss.discriminator(real_logits, fake_logits), Out({"G": g.stats}, metrics=metrics)

    def generator_loss(view, batch, key):
        fake, _ = view.net("G")(view.normal(key, (len(batch["image"]), DIM)), train=True, advance=False)
        return loss.generator(view.net("D")(fake)[0]), Out()

    return Recipe(
        networks={
            "G": Network(generator, lambda: (jnp.zeros((1, DIM)),)),
            "D": Network(Discriminator(config.model.width), lambda: (jnp.zeros((1, SIDE, SIDE, 1)),)),
        },
        players={
            "generator": Player(("G",), config.players.generator),
            "discriminator": Player(("D",), config.players.discriminator),
        },
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss),
        ),
        ema=Ema(("G",), config.ema),
        prior=lambda key, options: jax.random.normal(key, (DIM,)),
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents),
    )
