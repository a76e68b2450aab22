"""BEGAN (Berthelot, Schumm and Metz 2017, arXiv 1703.10717): an autoencoder judges, and a balance is kept.

L is the mean absolute error of the discriminator, an autoencoder. It minimises L(x) - k L(G(z)), the generator
L(G(z)), both in one update. k, from 0, moves by `phases.step` times gamma L(x) - L(G(z)) within [0, 1], once for each
microbatch, so that L(G(z)) stays at gamma of L(x): a lower gamma means better and less diverse images. Form:
carpedm20/BEGAN-tensorflow, trainer.py.
"""

import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import ranges
from gan_jax.game.latents import latents
from gan_jax.layers.pixels import to_float
from gan_jax.networks.began import Autoencoder, Generator


def build(config) -> Recipe:
    data, model, phases = config.data, config.model, config.phases
    if not 0 < phases.gamma <= 1:
        raise ConfigError(f"config.phases.gamma is {phases.gamma}: expected a ratio above 0, at most 1")
    ranges.check(phases, "step")
    given = {"resolution": data.resolution, "image_channels": data.channels, "dtype": compute_dtype(config)}
    generator, autoencoder = Generator(**model.G, **given), Autoencoder(**model.D, **given)
    z = latents(model.latents, autoencoder.dim_z)

    def error(view, images):
        return jnp.abs(images - view.net("D")(images)[0]).mean()

    def both(view, batch, key):
        real = to_float(batch["image"])
        fake, _ = view.net("G")(view.shard(z.draw(key, len(real))))
        of_real, of_fake, k = error(view, real), error(view, fake), view.aux["k"]
        balance = phases.gamma * of_real - of_fake
        metrics = {"real_error": of_real, "fake_error": of_fake, "k": k, "convergence": of_real + jnp.abs(balance)}
        moved = jnp.clip(k + phases.step * balance, 0, 1)
        return {"discriminator": of_real - k * of_fake, "generator": of_fake}, Out(aux={"k": moved}, metrics=metrics)

    side = data.resolution
    return Recipe(
        networks={
            "G": Network(generator, lambda: (jnp.zeros((1, z.size)),)),
            "D": Network(autoencoder, lambda: (jnp.zeros((1, side, side, data.channels)),)),
        },
        players={
            "generator": Player(("G",), config.players.generator),
            "discriminator": Player(("D",), config.players.discriminator),
        },
        phases=(Phase("both", ("discriminator", "generator"), both),),
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: jnp.clip(generator.apply(variables["G"], z), -1, 1),
        aux=lambda: {"k": jnp.float32(0)},
        ema=Ema(("G",), config.ema) if config.ema else None,
    )
