"""CoGAN (Liu and Tuzel 2016, arXiv 1606.07536): two generators that share layers learn pairs, without having seen a pair.

The second domain is made of the first by `phases.domain`: "negative" or "edges" (of digits, as in the paper, section
4). Of every batch one half are real images of one domain, the other half, changed, of the other. Sampling makes images
of the first domain; `pairs` makes both.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks, terms
from gan_jax.game.latents import latents
from gan_jax.game.opponents import opponents
from gan_jax.game.referee import Referee
from gan_jax.game.rules import CommonRules, read
from gan_jax.layers.pairs import apart, in_turns
from gan_jax.layers.pixels import to_float
from gan_jax.networks.cogan import Discriminator, Generator


def edges(images: jax.Array) -> jax.Array:
    """How much pixels [n, r, r, c] in [-1, 1] differ from their right and lower neighbours, in [-1, 1]."""
    right, below = (jnp.abs(images - jnp.roll(images, -1, axis)) for axis in (2, 1))
    return jnp.maximum(right, below) - 1


DOMAINS = {"negative": lambda images: -images, "edges": edges}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones, for images of both domains in turns, and the second domain."""

    domain: str = "negative"


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(Rules, config.phases)
    if rules.domain not in DOMAINS:
        raise ConfigError(f"config.phases.domain is {rules.domain!r}: expected one of {', '.join(map(repr, DOMAINS))}")
    if config.train.batch_size // config.train.microbatches % 2:
        raise ConfigError(
            f"config.train.batch_size is {config.train.batch_size} in {config.train.microbatches} microbatches: expected an "
            "even number in each, half for either domain"
        )
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    discriminator, z = Discriminator(**model.D, **given, head=terms.head(rules)), latents(model.latents, model.G.dim_z)

    def see(d, images, labels):
        verdicts, d = d(*apart(images))
        return jax.tree.map(in_turns, *verdicts), d

    def deal(view, batch, key, player, pairs):
        """A judged round with so many generated pairs, its logits (real, generated) by domain, G, and the key of its terms."""
        key_z, key_round, key_terms = jax.random.split(key, 3)
        first, second = apart(to_float(batch["image"]))
        real, noise = in_turns(first, DOMAINS[rules.domain](second)), view.shard(z.draw(key_z, pairs))
        fake, g = view.net("G")(noise)
        unlabelled = [jnp.zeros(len(images), jnp.int32) for images in (real, in_turns(*fake))]
        shown = zip((real, in_turns(*fake)), unlabelled, strict=True)
        generate = lambda z, labels: in_turns(*view.net("G")(z)[0])  # noqa: E731
        round, _ = referee.round(view, key_round, player, *shown, noise, see, generate)
        logits = [
            apart(verdict.logits) if verdict else (None, None) for verdict in (round.real_verdict, round.fake_verdict)
        ]
        return round, list(zip(*logits, strict=True)), g, key_terms

    def discriminator_loss(view, batch, key):
        round, logits, g, key_terms = deal(view, batch, key, "D", len(batch["image"]) // 2)
        value, out = referee.terms("D", round, key_terms)
        metrics = {"real_logit": logits[0][0].mean(), "fake_logit": logits[0][1].mean(), **out.metrics}
        return value + sum(referee.loss.discriminator(*pair) for pair in logits), Out({"G": g.stats}, out.aux, metrics)

    def generator_loss(view, batch, key):
        # As many pairs as there are images; where each is compared with a real one, as there are real ones of a domain.
        pairs = len(batch["image"]) // (2 if referee.wants_real else 1)
        round, logits, g, key_terms = deal(view, batch, key, "G", pairs)
        value, out = referee.terms("G", round, key_terms)
        value += sum(referee.fooled(view, fake, real) for real, fake in logits)
        return value, Out({"G": g.stats}, out.aux, out.metrics)

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)),)),
        "D": Network(discriminator, lambda: (image, image)),
    }
    shapes = checks.collections(networks)
    checks.statistics(config, shapes, parts=2)
    referee = Referee(config, rules, shapes)
    return Recipe(
        networks=networks,
        players=opponents(config),
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss),
            *referee.adaptations(),
        ),
        aux=referee.aux,
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, train=False)[0],
        ema=Ema(("G",), config.ema) if config.ema else None,
    )


def pairs(recipe: Recipe, variables, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Images of both domains [n, r, r, c] in [-1, 1] of the same latents."""
    return recipe.networks["G"].module.apply(variables["G"], z, train=False)
