"""LSGAN (Mao et al. 2017, arXiv 1611.04076) with two small networks for 16 x 16 images."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe
from gan_jax.layers.norm import BatchNorm
from gan_jax.layers.pixels import to_float


class Generator(nn.Module):
    """z [n, d] -> images [n, 16, 16, 1] in [-1, 1]."""

    channels: int

    @nn.compact
    def __call__(self, z, train=True):
        x = nn.Dense(4 * 4 * 4 * self.channels)(z).reshape(-1, 4, 4, 4 * self.channels)
        for factor in (2, 1):
            x = nn.relu(BatchNorm()(x, train=train))
            x = nn.ConvTranspose(factor * self.channels, (4, 4), strides=(2, 2))(x)
        return jnp.tanh(nn.Conv(1, (3, 3))(nn.relu(BatchNorm()(x, train=train))))


class Discriminator(nn.Module):
    """Images [n, 16, 16, 1] -> scores [n]: 1 for real, 0 for generated."""

    channels: int

    @nn.compact
    def __call__(self, images):
        x = images
        for factor in (1, 2, 4):
            x = nn.leaky_relu(nn.Conv(factor * self.channels, (4, 4), strides=(2, 2))(x), 0.2)
        return nn.Dense(1)(x.reshape(len(x), -1))[:, 0]


def build(config):
    """The recipe, from the config's sections `model`, `players` and `ema`."""
    dim_z = config.model.dim_z
    generator, discriminator = Generator(config.model.channels), Discriminator(config.model.channels)

    def discriminator_loss(view, batch, key):
        real = to_float(batch["image"])
        fake, _ = view.net("G")(view.normal(key, (len(real), dim_z)), advance=False)
        real_score, _ = view.net("D")(real)
        fake_score, _ = view.net("D")(fake)
        metrics = {"real_score": real_score.mean(), "fake_score": fake_score.mean()}
        return ((real_score - 1) ** 2).mean() + (fake_score**2).mean(), Out(metrics=metrics)

    def generator_loss(view, batch, key):
        fake, g = view.net("G")(view.normal(key, (len(batch["image"]), dim_z)))
        score, _ = view.net("D")(fake)
        return ((score - 1) ** 2).mean(), Out(stats={"G": g.stats})

    return Recipe(
        networks={
            "G": Network(generator, lambda: (jnp.zeros((1, dim_z)),)),
            "D": Network(discriminator, lambda: (jnp.zeros((1, 16, 16, 1)),)),
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
        prior=lambda key, options: jax.random.normal(key, (dim_z,)),
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents, train=False),
    )
