"""CoGAN (Liu and Tuzel 2016, arXiv 1606.07536): two generators that share layers learn pairs, without having seen a pair.

The second domain is made of the first by `phases.domain`: "negative" or "edges" (of digits, as in the paper, section
4). Of every batch one half are real images of one domain, the other half, changed, of the other. Sampling makes images
of the first domain; `pairs` makes both.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks
from gan_jax.game.latents import latents
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.networks.cogan import Discriminator, Generator


def edges(images: jax.Array) -> jax.Array:
    """How much pixels [n, r, r, c] in [-1, 1] differ from their right and lower neighbours, in [-1, 1]."""
    right, below = (jnp.abs(images - jnp.roll(images, -1, axis)) for axis in (2, 1))
    return jnp.maximum(right, below) - 1


DOMAINS = {"negative": lambda images: -images, "edges": edges}


def build(config) -> Recipe:
    data, model, phases = config.data, config.model, config.phases
    if phases.domain not in DOMAINS:
        raise ConfigError(f"config.phases.domain is {phases.domain!r}: expected one of {', '.join(map(repr, DOMAINS))}")
    if config.train.batch_size // config.train.microbatches % 2:
        raise ConfigError(
            f"config.train.batch_size is {config.train.batch_size} in {config.train.microbatches} microbatches: expected an "
            "even number in each, half for either domain"
        )
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    discriminator = Discriminator(**model.D, **given)
    z, loss = latents(model.latents, model.G.dim_z), adversarial("non_saturating")

    def generate(view, key, count):
        return view.net("G")(view.shard(z.draw(key, count)))

    def discriminator_loss(view, batch, key):
        images = to_float(batch["image"])
        real = (images[0::2], DOMAINS[phases.domain](images[1::2]))
        fake, g = generate(view, key, len(real[0]))
        of_real, _ = view.net("D")(*real)
        of_fake, _ = view.net("D")(*fake)
        value = sum(loss.discriminator(r, f) for r, f in zip(of_real, of_fake, strict=True))
        metrics = {"real_logit": of_real[0].mean(), "fake_logit": of_fake[0].mean()}
        return value, Out({"G": g.stats}, metrics=metrics)

    def generator_loss(view, batch, key):
        fake, g = generate(view, key, len(batch["image"]))
        return sum(loss.generator(logits) for logits in view.net("D")(*fake)[0]), Out({"G": g.stats})

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)),)),
        "D": Network(discriminator, lambda: (image, image)),
    }
    checks.statistics(config, checks.collections(networks), parts=2)
    return Recipe(
        networks=networks,
        players={
            "generator": Player(("G",), config.players.generator),
            "discriminator": Player(("D",), config.players.discriminator),
        },
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss),
        ),
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, train=False)[0],
        ema=Ema(("G",), config.ema) if config.ema else None,
    )


def pairs(recipe: Recipe, variables, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Images of both domains [n, r, r, c] in [-1, 1] of the same latents."""
    return recipe.networks["G"].module.apply(variables["G"], z, train=False)
