"""BigBiGAN (Donahue and Simonyan 2019, arXiv 1907.02544): BigGAN that learns an encoder, by pairs of image and latent.

The discriminator has three scores, of the image, of the latent and of the pair, and tells (x, E(x)) from (G(z), z) by
the sum of their hinges; generator and encoder, whose rates may differ, make the scores of the two kinds of pair change
places. E(x) is drawn from a normal distribution. Constants: section 2 and appendix A of the paper.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks, ranges
from gan_jax.game.latents import latents
from gan_jax.layers.norm import standing
from gan_jax.layers.pairs import apart, in_turns
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.networks import biggan
from gan_jax.networks.bigbigan import Discriminator, Encoder

_OWNERS = {"generator": "G", "encoder": "E", "discriminator": "D"}


def build(config) -> Recipe:
    data, model = config.data, config.model
    checks.labels(model, 0)
    ranges.check(config.phases, "discriminator_steps", least=1, whole=True)
    given = {"resolution": data.resolution, "num_classes": 0, "dtype": compute_dtype(config)}
    generator = biggan.Generator(**model.G, **given, image_channels=data.channels)
    normal, label = latents("normal", generator.latent_dim), jnp.zeros(1, jnp.int32)
    encoder = Encoder(**model.E, dim_z=normal.size, dtype=given["dtype"])
    discriminator = Discriminator(biggan.Discriminator(**model.F, **given), **model.D)
    hinge = adversarial("hinge")

    def scores(view, batch, key):
        """Of pairs of real and of generated images, and the networks with their statistics advanced."""
        key_z, key_e = jax.random.split(key)
        real = to_float(batch["image"])
        z = view.normal(key_z, (len(real), normal.size))
        fake, g = view.net("G")(z, jnp.zeros_like(batch["label"]))
        code, e = view.net("E")(real)
        drawn = code.mean + code.deviation * view.normal(key_e, z.shape)
        answers, d = view.net("D")(in_turns(real, fake), in_turns(drawn, z))
        of_real, of_fake = zip(*map(apart, answers), strict=True)
        return of_real, of_fake, {"G": g.stats, "E": e.stats, "D": d.stats}

    def discriminator_loss(view, batch, key):
        of_real, of_fake, stats = scores(view, batch, key)
        value = sum(hinge.discriminator(r, f) for r, f in zip(of_real, of_fake, strict=True))
        metrics = {"real_logit": sum(of_real).mean(), "fake_logit": sum(of_fake).mean()}
        return value, Out(stats, metrics=metrics)

    def generator_loss(view, batch, key):
        of_real, of_fake, stats = scores(view, batch, key)
        return sum(of_real).mean() - sum(of_fake).mean(), Out(stats)

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, normal.size)), label)),
        "E": Network(encoder, lambda: (image,)),
        "D": Network(discriminator, lambda: (image, jnp.zeros((1, normal.size)))),
    }
    shapes = checks.collections(networks)
    checks.statistics(config, shapes)
    if "batch_stats" in shapes["D"]:
        raise ConfigError(
            f"config.model.F.norm is {model.F.norm!r}, by which real and generated images, which F sees together, would have "
            'common statistics: set it to "layer" or "none"'
        )

    def with_standing(variables, z, labels):
        return {**variables, "G": standing(generator, variables["G"], z, labels)}

    return Recipe(
        networks=networks,
        players={name: Player((network,), config.players[name]) for name, network in _OWNERS.items()},
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss, repeat=config.phases.discriminator_steps),
            Phase("generator", ("generator", "encoder"), generator_loss),
        ),
        prior=normal.prior,
        truncates=normal.truncates,
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "E"), config.ema) if config.ema else None,
        standing=with_standing if "batch_stats" in shapes["G"] else None,
    )


def reconstruct(recipe: Recipe, variables, images: jax.Array) -> jax.Array:
    """Images [n, r, r, c] in [-1, 1] through the encoder, by its means, and the generator."""
    code = recipe.networks["E"].module.apply(variables["E"], images, train=False)
    return recipe.sample(variables, code.mean, jnp.zeros(len(images), jnp.int32), {})
