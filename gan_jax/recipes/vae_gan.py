"""VAE-GAN (Larsen et al. 2016, arXiv 1512.09300): a variational autoencoder whose error is in a discriminator's features.

E gives a mean and a logarithm of a variance, G decodes. Three players in one update (algorithm 1): the encoder
minimises the divergence from N(0, 1) and the squared error of the features of an image and of its reconstruction; the
generator `phases.gamma` times that error and its side of the game; the discriminator the game, in which reconstructions
and images of the prior are generated ones and count half each. The published generator maximises the discriminator's
loss; here its own is non-saturating.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game import checks, ranges
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.networks.dcgan import Discriminator, Generator
from gan_jax.networks.encoder import Encoder


def build(config) -> Recipe:
    data, model, phases, size = config.data, config.model, config.phases, config.model.G.dim_z
    ranges.check(phases, "gamma")
    checks.labels(model, 0)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    encoder, discriminator = Encoder(**model.E, **given, outputs=2 * size), Discriminator(**model.D, **given)
    loss, label = adversarial("non_saturating"), jnp.zeros(1, jnp.int32)

    def together(view, batch, key):
        key_z, key_e = jax.random.split(key)
        real, labels = to_float(batch["image"]), jnp.zeros_like(batch["label"])
        codes, e = view.net("E")(real)
        mean, log_variance = jnp.split(codes, 2, axis=-1)
        z = mean + jnp.exp(log_variance / 2) * view.normal(key_e, mean.shape)
        rebuilt, g = view.net("G")(z, labels)
        drawn, g = g(view.normal(key_z, mean.shape), labels)
        of_real, d = view.net("D")(real, labels)
        of_rebuilt, d = d(rebuilt, labels)
        of_drawn, d = d(drawn, labels)
        prior = divergence(mean, log_variance).mean()
        error = jnp.square(of_real.features - of_rebuilt.features).sum(-1).mean() / 2
        fakes = [loss.fake(verdict.logits).mean() / 2 for verdict in (of_rebuilt, of_drawn)]
        fooled = [loss.generator(verdict.logits) / 2 for verdict in (of_rebuilt, of_drawn)]
        values = {
            "encoder": prior + error,
            "generator": phases.gamma * error + sum(fooled),
            "discriminator": loss.real(of_real.logits).mean() + sum(fakes),
        }
        metrics = {"divergence": prior, "feature_error": error, "pixel_error": jnp.square(real - rebuilt).mean()}
        return values, Out({"G": g.stats, "E": e.stats, "D": d.stats}, metrics=metrics)

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, size)), label)),
        "E": Network(encoder, lambda: (image,)),
        "D": Network(discriminator, lambda: (image, label)),
    }
    checks.statistics(config, checks.collections(networks))
    return Recipe(
        networks=networks,
        players={name: Player((net,), config.players[name]) for name, net in _OWNERS.items()},
        phases=(Phase("together", tuple(_OWNERS), together),),
        prior=lambda key, options: jax.random.normal(key, (size,)),
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "E"), config.ema) if config.ema else None,
    )


_OWNERS = {"encoder": "E", "generator": "G", "discriminator": "D"}


def divergence(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Kullback-Leibler divergence of normal distributions [n, d] from the standard one: [n]."""
    return (jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance).sum(-1) / 2
