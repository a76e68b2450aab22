"""WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028) at 28 x 28, in the form of igul222's gan_mnist.py.

Several critic steps for each generator step, a gradient penalty on random interpolations, no averaging of weights.
The generator goes first, except in the first step, as in the published loop.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.penalties import gradient_penalty
from gan_jax.networks.wgan_gp import Critic, Generator


def build(config) -> Recipe:
    if config.data.resolution != 28:
        raise ConfigError(f"config.data.resolution is {config.data.resolution}: the networks of wgan_gp make 28 pixels")
    dim_z, dtype = config.model.dim_z, compute_dtype(config)
    generator = Generator(config.model.channels, config.data.channels, dtype)
    critic = Critic(config.model.channels, dtype)
    loss = adversarial("wasserstein")

    def critic_loss(view, batch, key):
        key_z, key_alpha = jax.random.split(key)
        real = to_float(batch["image"])
        fake, _ = view.net("G")(view.normal(key_z, (len(real), dim_z)))
        score = lambda images: view.net("D")(images)[0]  # noqa: E731
        alpha = view.shard(jax.random.uniform(key_alpha, (len(real),)))
        penalty = gradient_penalty(score, real, fake, alpha)
        distance = -loss.discriminator(score(real), score(fake))
        metrics = {"wasserstein_estimate": distance, "gradient_penalty": penalty}
        return config.phases.penalty * penalty - distance, Out(metrics=metrics)

    def generator_loss(view, batch, key):
        fake, _ = view.net("G")(view.normal(key, (len(batch["image"]), dim_z)))
        return loss.generator(view.net("D")(fake)[0]), Out()

    return Recipe(
        networks={
            "G": Network(generator, lambda: (jnp.zeros((1, dim_z)),)),
            "D": Network(critic, lambda: (jnp.zeros((1, 28, 28, config.data.channels)),)),
        },
        players={
            "generator": Player(("G",), config.players.generator),
            "critic": Player(("D",), config.players.critic),
        },
        phases=(
            Phase("generator", ("generator",), generator_loss, every=lambda step: step > 0),
            Phase("critic", ("critic",), critic_loss, repeat=config.phases.critic_steps),
        ),
        prior=lambda key, options: jax.random.normal(key, (dim_z,)),
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents),
    )
