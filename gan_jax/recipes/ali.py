"""ALI and BiGAN (Dumoulin et al. 2017, arXiv 1606.00704; Donahue et al. 2017, arXiv 1605.09782): images and latents in pairs.

A discriminator tells pairs (x, E(x)) of real images from pairs (G(z), z); generator and encoder, one player, make them
alike, so that E inverts G. All learn in one update, from the same pairs, by cross-entropy with the labels changed for
the player of G and E. With `phases.stochastic` the encoder's vector is a mean and a logarithm of a variance, and E(x)
is drawn (ALI); without, E(x) is the vector (BiGAN). `phases.r1`, which the papers do not have, is the weight of the
discriminator's squared gradient by the real images and their E(x) (arXiv 1801.04406): it keeps few images from being
learnt by heart.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game import checks, ranges
from gan_jax.game.latents import latents
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.ali import Discriminator
from gan_jax.networks.dcgan import Generator
from gan_jax.networks.encoder import Encoder


def build(config) -> Recipe:
    data, model, phases = config.data, config.model, config.phases
    checks.labels(model, 0)
    ranges.check(phases, "r1")
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    encoder = Encoder(**model.E, **given, outputs=model.G.dim_z * (2 if phases.stochastic else 1))
    discriminator = Discriminator(**model.D, **given)
    z, label = latents(model.latents, model.G.dim_z), jnp.zeros(1, jnp.int32)
    loss = adversarial("non_saturating")

    def encode(view, images, key):
        codes, e = view.net("E")(images)
        if not phases.stochastic:
            return codes, e
        mean, log_variance = jnp.split(codes, 2, axis=-1)
        return mean + jnp.exp(log_variance / 2) * view.normal(key, mean.shape), e

    def both(view, batch, key):
        key_z, key_e, key_d = jax.random.split(key, 3)
        real = to_float(batch["image"])
        noise = view.shard(z.draw(key_z, len(real)))
        fake, g = view.net("G")(noise, jnp.zeros_like(batch["label"]))
        codes, e = encode(view, real, key_e)
        draws = {"noise": key_d}
        real_logits, d = view.net("D")(real, codes, rngs=draws)
        fake_logits, d = d(fake, noise, rngs=draws)
        values = {
            "discriminator": loss.discriminator(real_logits, fake_logits),
            "generator": loss.discriminator(fake_logits, real_logits),
        }
        if phases.r1:

            def judge(pairs):
                images, codes = pairs[:, : -z.size].reshape(real.shape), pairs[:, -z.size :]
                return view.net("D")(images, codes, rngs=draws)[0]

            pairs = jnp.concatenate([real.reshape(len(real), -1), codes], axis=-1)
            values["discriminator"] += phases.r1 / 2 * zero_centred_penalty(judge, pairs)
        metrics = {"real_logit": real_logits.mean(), "fake_logit": fake_logits.mean()}
        return values, Out({"G": g.stats, "E": e.stats, "D": d.stats}, metrics=metrics)

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
        "E": Network(encoder, lambda: (image,)),
        "D": Network(discriminator, lambda: (image, jnp.zeros((1, z.size)))),
    }
    shapes = checks.collections(networks)
    checks.statistics(config, shapes)
    if phases.r1:
        checks.unmixed("r1", shapes)
    return Recipe(
        networks=networks,
        players={
            "generator": Player(("G", "E"), config.players.generator),
            "discriminator": Player(("D",), config.players.discriminator),
        },
        phases=(Phase("both", ("discriminator", "generator"), both),),
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "E"), config.ema) if config.ema else None,
    )


def reconstruct(recipe: Recipe, variables, images: jax.Array) -> jax.Array:
    """Images [n, r, r, c] in [-1, 1] through the encoder, by its means, and the generator."""
    codes = recipe.networks["E"].module.apply(variables["E"], images, train=False)
    z = codes[:, : recipe.networks["G"].module.dim_z]
    return recipe.sample(variables, z, jnp.zeros(len(images), jnp.int32), {})
