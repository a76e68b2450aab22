"""The semi-supervised GAN (Salimans et al. 2016, arXiv 1606.03498, section 5): a classifier that needs few labels.

The discriminator has a logit for each class. On labelled images it minimises the cross-entropy of the class; an image is
the more real the higher the log of the sum of the exponentials of all logits, against 0 for the class "generated", and
that game it plays on unlabelled and generated images. The generator matches the mean features of other unlabelled images.
Half of every batch must be labelled (`data.labelled_half`). Form: openai/improved-gan, train_cifar_feature_matching.py.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks, terms
from gan_jax.game.latents import latents
from gan_jax.game.opponents import opponents
from gan_jax.game.referee import Referee
from gan_jax.game.round import Round
from gan_jax.game.rules import CommonRules, read
from gan_jax.layers.norm import standing
from gan_jax.layers.pairs import apart
from gan_jax.layers.pixels import to_float
from gan_jax.losses.auxiliary import class_cross_entropy
from gan_jax.losses.matching import feature_matching
from gan_jax.networks.improved_gan import Discriminator, Generator

_MATCHES = "the generator matches features, and nothing else"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones, and the weight of the discriminator's game."""

    unlabelled_weight: float = 1.0

    refused: ClassVar = {"feature_matching": _MATCHES, "top_k": _MATCHES}


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(Rules, config.phases)
    if not (data.labelled and data.labelled_half):
        raise ConfigError(
            f"config.data.labelled is {data.labelled} and config.data.labelled_half is {data.labelled_half}: the "
            "semi-supervised GAN wants so many images of each class with a label, and half of every batch of them"
        )
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    head = {**terms.head(rules, {"classes": data.num_classes}), "summed": True}
    discriminator = Discriminator(**model.D, **given, head=head)
    z, label = latents(model.latents, generator.dim_z), jnp.zeros(1, jnp.int32)

    def generate(view, z):
        return view.net("G")(z, jnp.zeros(len(z), jnp.int32))

    def judge(view, images, key):
        return view.net("D")(images, jnp.zeros(len(images), jnp.int32), rngs={"noise": key})[0]

    def deal(view, batch, key_z, key_real, key_fake, key):
        """A judged round of the unlabelled images, and the generator with its statistics advanced."""
        key_pseudo, key_judge, key_round, *keys_augment, key_draws = jax.random.split(key, 6)
        _, real = apart(to_float(batch["image"]))
        noise, nothing = view.shard(z.draw(key_z, len(real))), jnp.zeros(len(real), jnp.int32)
        fake, g = generate(view, noise)
        real = referee.real(view, key_pseudo, real, fake)
        # Apart, as published: each kind of image has its own draws of dropout and noise.
        shown = zip((real, fake), keys_augment, (key_real, key_fake), strict=True)
        verdicts = [judge(view, referee.augmented(view, images, key), draws) for images, key, draws in shown]
        seen = referee.judge(view, key_judge, lambda images, labels: judge(view, images, key_draws))
        made = lambda z, labels: generate(view, z)[0]  # noqa: E731
        return Round(view, real, nothing, fake, nothing, noise, key_round, seen, made, *verdicts), g

    def discriminator_loss(view, batch, key):
        key_z, key_told, *keys, key_augment, key_terms = jax.random.split(key, 7)
        round, g = deal(view, batch, key_z, *keys)
        (labelled, _), (labels, _) = apart(to_float(batch["image"])), apart(batch["label"])
        told = judge(view, referee.augmented(view, labelled, key_augment), key_told)
        supervised = class_cross_entropy(told.answers["classes"], labels)
        logits = (round.real_verdict.logits, round.fake_verdict.logits)
        added, out = referee.terms("D", round, key_terms)
        metrics = dict(zip(("real_logit", "fake_logit"), (x.mean() for x in logits), strict=True))
        metrics |= {"labelled_loss": supervised, **out.metrics}
        value = supervised + rules.unlabelled_weight * referee.loss.discriminator(*logits) / 2 + added
        return value, Out({"G": g.stats}, out.aux, metrics)

    def generator_loss(view, batch, key):
        *keys, key_terms = jax.random.split(key, 5)
        round, g = deal(view, batch, *keys)
        added, out = referee.terms("G", round, key_terms)
        value = feature_matching(round.fake_verdict.features, round.real_verdict.features)
        return value + added, Out({"G": g.stats}, out.aux, out.metrics)

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
        "D": Network(discriminator, lambda: (image, label)),
    }
    shapes = checks.collections(networks)
    checks.statistics(config, shapes, parts=2)
    referee = Referee(config, rules, shapes)
    return Recipe(
        networks=networks,
        players=opponents(config),
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss, first_slice=1),
            *referee.adaptations(),
        ),
        aux=referee.aux,
        prior=lambda key, options: z.draw(key, 1)[0],
        sample=lambda variables, z, labels, options: generator.apply(variables["G"], z, labels, train=False),
        ema=Ema(("G", "D"), config.ema) if config.ema else None,
        standing=lambda variables, z, labels: {**variables, "G": standing(generator, variables["G"], z, labels)},
        hidden_labels=True,
    )


def classify(recipe: Recipe, variables: Mapping[str, Any], images: jax.Array) -> jax.Array:
    """Logits float32 [n, num_classes] of images [n, r, r, c] in [-1, 1]."""
    nothing = jnp.zeros(len(images), jnp.int32)
    return recipe.networks["D"].module.apply(variables["D"], images, nothing, train=False).answers["classes"]
