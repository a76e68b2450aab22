"""O-GAN (Su 2019, arXiv 1903.01931): the discriminator is also an encoder, as its score is the mean of a vector.

The encoder E scores an image by the mean of E(x), while the rest of E(G(z)), the mean taken out, shall correlate with
z. One player has both networks. With t1 = mean E(x) - mean E(G(z)), G a constant, t2 = mean E(G(z)) - the same with G
a constant, and rho Pearson's correlation it minimises the mean of

    t1 + t2 - rho(z, E(G(z))) + t1^2 / (4 mean (x - G(z))^2), G a constant in the last term.

t2 is 0, and moves G alone. Form: bojone/o-gan. A real image is rebuilt by G(0.9 E(x)), E(x) made standard
(`reconstruct`).
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks
from gan_jax.game.latents import latents
from gan_jax.layers.pixels import to_float
from gan_jax.networks.dcgan import Generator
from gan_jax.networks.encoder import Encoder


def build(config) -> Recipe:
    data, model = config.data, config.model
    if model.G.dim_z < 2:
        raise ConfigError(f"config.model.G.dim_z is {model.G.dim_z}: expected 2 or more, as less cannot correlate")
    checks.labels(model, 0)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    encoder = Encoder(**model.E, **given, outputs=model.G.dim_z)
    z, label = latents(model.latents, model.G.dim_z), jnp.zeros(1, jnp.int32)

    def loss(view, batch, key):
        real = to_float(batch["image"])
        noise = view.shard(z.draw(key, len(real)))
        fake, g = view.net("G")(noise, jnp.zeros_like(batch["label"]))
        of_real, e = view.net("E")(real)
        of_fake, e = e(fake)
        constant = jax.lax.stop_gradient(fake)
        of_constant, _ = view.net("E")(constant, advance=False)
        ahead, for_g = of_real.mean(1) - of_constant.mean(1), of_fake.mean(1) - of_constant.mean(1)
        rho = correlation(noise, of_fake)
        distance = jnp.square(real - constant).mean((1, 2, 3))
        value = (ahead + for_g - rho + jnp.square(ahead) / (4 * distance)).mean()
        metrics = {"correlation": rho.mean(), "real_score": of_real.mean(), "fake_score": of_fake.mean()}
        return value, Out({"G": g.stats, "E": e.stats}, metrics=metrics)

    side = data.resolution
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
        "E": Network(encoder, lambda: (jnp.zeros((1, side, side, data.channels)),)),
    }
    checks.statistics(config, checks.collections(networks))
    return Recipe(
        networks=networks,
        players={"both": Player(("G", "E"), config.players.both)},
        phases=(Phase("both", ("both",), loss),),
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "E"), config.ema) if config.ema else None,
    )


def correlation(a: jax.Array, b: jax.Array) -> jax.Array:
    """Pearson's correlation of the rows of float32 [n, d] and [n, d]: [n]."""
    a, b = (x - x.mean(1, keepdims=True) for x in (a, b))
    lengths = jnp.maximum(jnp.square(a).sum(1) * jnp.square(b).sum(1), 1e-12)
    return (a * b).sum(1) * jax.lax.rsqrt(lengths)


def reconstruct(recipe: Recipe, variables, images: jax.Array) -> jax.Array:
    """Images [n, r, r, c] in [-1, 1] through the encoder and the generator."""
    codes = recipe.networks["E"].module.apply(variables["E"], images, train=False)
    standard = (codes - codes.mean(1, keepdims=True)) / jnp.maximum(codes.std(1, keepdims=True), 1e-6)
    return recipe.sample(variables, 0.9 * standard, jnp.zeros(len(images), jnp.int32), {})
