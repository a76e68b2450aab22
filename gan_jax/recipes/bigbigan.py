"""BigBiGAN (Donahue and Simonyan 2019, arXiv 1907.02544): BigGAN that learns an encoder, by pairs of image and latent.

The discriminator has three scores, of the image, of the latent and of the pair, and tells (x, E(x)) from (G(z), z) by
the sum of their hinges; generator and encoder, whose rates may differ, make the scores of the two kinds of pair change
places. E(x) is drawn from a normal distribution. Constants: section 2 and appendix A of the paper.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.game import checks, terms
from gan_jax.game.latents import latents
from gan_jax.game.referee import Referee
from gan_jax.game.round import Round
from gan_jax.game.rules import PAIRS_OF_BOTH, CommonRules, read
from gan_jax.layers.heads import Verdict
from gan_jax.layers.norm import standing
from gan_jax.layers.pairs import apart, in_turns
from gan_jax.layers.pixels import to_float
from gan_jax.networks import biggan
from gan_jax.networks.bigbigan import Discriminator, Encoder

_OWNERS = {"generator": "G", "encoder": "E", "discriminator": "D"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones, whose logits are sums of the scores, and how often the discriminator moves in a step."""

    loss: str = "hinge"
    discriminator_steps: int = 2

    positive: ClassVar = (*CommonRules.positive, "discriminator_steps")
    refused: ClassVar = PAIRS_OF_BOTH


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(Rules, config.phases)
    checks.labels(model, 0)
    given = {"resolution": data.resolution, "num_classes": 0, "dtype": compute_dtype(config)}
    generator = biggan.Generator(**model.G, **given, image_channels=data.channels)
    normal, label = latents("normal", generator.latent_dim), jnp.zeros(1, jnp.int32)
    encoder = Encoder(**model.E, dim_z=normal.size, dtype=given["dtype"])
    discriminator = Discriminator(biggan.Discriminator(**model.F, **given, head=terms.head(rules)), **model.D)

    def deal(view, batch, key):
        """A judged round, the scores of both kinds of pair, the networks' advanced statistics, and the key of its terms."""
        key_z, key_e, key_pseudo, key_real, key_fake, key_judge, key_round, key_terms = jax.random.split(key, 8)
        real, unlabelled = to_float(batch["image"]), jnp.zeros_like(batch["label"])
        z = view.normal(key_z, (len(real), normal.size))
        fake, g = view.net("G")(z, unlabelled)
        code, e = view.net("E")(real)
        codes = code.mean + code.deviation * view.normal(key_e, z.shape)
        real, codes = referee.real(view, key_pseudo, (real, codes), (fake, z))
        seen = (referee.augmented(view, real, key_real), referee.augmented(view, fake, key_fake))
        if judges_apart:
            real_scores, d = view.net("D")(seen[0], codes)
            fake_scores, d = d(seen[1], z)
        else:
            both, d = view.net("D")(in_turns(*seen), in_turns(codes, z))
            real_scores, fake_scores = (jax.tree.map(lambda x, i=i: apart(x)[i], both) for i in (0, 1))
        judge = referee.judge(view, key_judge, lambda images, z: _verdict(view.net("D")(images, z)[0]))
        generate = lambda z, labels: view.net("G")(z, unlabelled)[0]  # noqa: E731
        verdicts = map(_verdict, (real_scores, fake_scores))
        round = Round(view, real, codes, fake, z, z, key_round, judge, generate, *verdicts, pairs=True)
        scores = zip(real_scores.logits, fake_scores.logits, strict=True)
        return round, scores, {"G": g.stats, "E": e.stats, "D": d.stats}, key_terms

    def discriminator_loss(view, batch, key):
        round, scores, stats, key_terms = deal(view, batch, key)
        value, out = referee.terms("D", round, key_terms)
        means = {"real_logit": round.real_verdict.logits.mean(), "fake_logit": round.fake_verdict.logits.mean()}
        value += sum(referee.loss.discriminator(*pair) for pair in scores)
        return value, Out(stats, out.aux, {**out.metrics, **means})

    def generator_loss(view, batch, key):
        round, scores, stats, key_terms = deal(view, batch, key)
        value, out = referee.terms("G", round, key_terms)
        return value + sum(referee.loss.exchanged(*pair) for pair in scores), Out(stats, out.aux, out.metrics)

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, normal.size)), label)),
        "E": Network(encoder, lambda: (image,)),
        "D": Network(discriminator, lambda: (image, jnp.zeros((1, normal.size)))),
    }
    shapes = checks.collections(networks)
    checks.statistics(config, shapes)
    # Batch normalisation, and features that compare images, must not mix the two kinds.
    judges_apart = "batch_stats" in shapes["D"] or rules.minibatch_discrimination > 0
    referee = Referee(config, rules, shapes)

    def with_standing(variables, z, labels):
        return {**variables, "G": standing(generator, variables["G"], z, labels)}

    return Recipe(
        networks=networks,
        players={name: Player((network,), config.players[name]) for name, network in _OWNERS.items()},
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss, repeat=rules.discriminator_steps),
            Phase("generator", ("generator", "encoder"), generator_loss),
            *referee.adaptations(),
        ),
        aux=referee.aux,
        prior=normal.prior,
        truncates=normal.truncates,
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "E"), config.ema) if config.ema else None,
        standing=with_standing if "batch_stats" in shapes["G"] else None,
    )


def _verdict(scores):
    return Verdict(sum(scores.logits), scores.features, scores.answers)


def reconstruct(recipe: Recipe, variables, images: jax.Array) -> jax.Array:
    """Images [n, r, r, c] in [-1, 1] through the encoder, by its means, and the generator."""
    code = recipe.networks["E"].module.apply(variables["E"], images, train=False)
    return recipe.sample(variables, code.mean, jnp.zeros(len(images), jnp.int32), {})
