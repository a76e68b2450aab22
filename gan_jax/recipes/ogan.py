"""O-GAN (Su 2019, arXiv 1903.01931): the discriminator is also an encoder, as its score is the mean of a vector.

The encoder E scores an image by the mean of E(x), while the rest of E(G(z)), the mean taken out, shall correlate with
z. One player has both networks. With t1 = mean E(x) - mean E(G(z)), G a constant, t2 = mean E(G(z)) - the same with G
a constant, and rho Pearson's correlation it minimises the mean of

    t1 + t2 - rho(z, E(G(z))) + t1^2 / (4 mean (x - G(z))^2), G a constant in the last term.

t2 is 0, and moves G alone. Terms of the rules move E alone or G alone. Form: bojone/o-gan. A real image is rebuilt by
G(0.9 E(x)), E(x) made standard (`reconstruct`).
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, View, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks
from gan_jax.game.latents import latents
from gan_jax.game.referee import Referee, joined
from gan_jax.game.rules import HEADLESS, CommonRules, read
from gan_jax.layers.heads import Verdict
from gan_jax.layers.pixels import to_float
from gan_jax.networks.dcgan import Generator
from gan_jax.networks.encoder import Encoder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones."""

    refused: ClassVar = HEADLESS


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(Rules, config.phases)
    if model.G.dim_z < 2:
        raise ConfigError(f"config.model.G.dim_z is {model.G.dim_z}: expected 2 or more, as less cannot correlate")
    checks.labels(model, 0)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    encoder = Encoder(**model.E, **given, outputs=model.G.dim_z)
    z, label = latents(model.latents, model.G.dim_z), jnp.zeros(1, jnp.int32)

    def see(e, images, labels):
        codes, e = e(images)
        return Verdict(codes.mean(1), codes, {}), e

    def terms(view, key, player, real, noise):
        """Those of the encoder, "D", or of the generator, "G", which move the weights of no other."""
        key_round, key_terms = jax.random.split(key)
        view = _as_game_of_two(view, {"D": "G", "G": "E"}[player])
        nothing = jnp.zeros(len(real), jnp.int32)
        generate = lambda z, labels: view.net("G")(z, nothing)[0]  # noqa: E731
        pairs = ((real, nothing), (generate(noise, nothing), nothing))
        return referee.terms(player, referee.round(view, key_round, "D", *pairs, noise, see, generate)[0], key_terms)

    def loss(view, batch, key):
        key_z, key_real, key_fake, key_d, key_g = jax.random.split(key, 5)
        real = to_float(batch["image"])
        noise = view.shard(z.draw(key_z, len(real)))
        fake, g = view.net("G")(noise, jnp.zeros_like(batch["label"]))
        constant = jax.lax.stop_gradient(fake)
        of_real, e = view.net("E")(referee.augmented(view, real, key_real))
        of_fake, e = e(referee.augmented(view, fake, key_fake))
        of_constant, _ = view.net("E")(referee.augmented(view, constant, key_fake), advance=False)
        ahead, for_g = of_real.mean(1) - of_constant.mean(1), of_fake.mean(1) - of_constant.mean(1)
        rho = correlation(noise, of_fake)
        distance = jnp.square(real - constant).mean((1, 2, 3))
        value = (ahead + for_g - rho + jnp.square(ahead) / (4 * distance)).mean()
        added, outs = zip(terms(view, key_d, "D", real, noise), terms(view, key_g, "G", real, noise), strict=True)
        out = joined(*outs)
        metrics = {"correlation": rho.mean(), "real_score": of_real.mean(), "fake_score": of_fake.mean(), **out.metrics}
        return value + sum(added), Out({"G": g.stats, "E": e.stats}, out.aux, metrics)

    side = data.resolution
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
        "E": Network(encoder, lambda: (jnp.zeros((1, side, side, data.channels)),)),
    }
    shapes = checks.collections(networks)
    checks.statistics(config, shapes)
    referee = Referee(config, rules, {**shapes, "D": shapes["E"]}, played=False, real_is_high=False)
    return Recipe(
        networks=networks,
        players={"both": Player(("G", "E"), config.players.both)},
        phases=(Phase("both", ("both",), loss), *referee.adaptations()),
        aux=referee.aux,
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "E"), config.ema) if config.ema else None,
    )


def _as_game_of_two(view: View, frozen: str) -> View:
    """The encoder as a discriminator; the weights of the network of this name are constants."""
    params = {**view.params, frozen: jax.lax.stop_gradient(view.params[frozen])}
    tables = {"modules": view.modules, "params": params, "stats": view.stats}
    return dataclasses.replace(view, **{name: {**table, "D": table["E"]} for name, table in tables.items()})


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
