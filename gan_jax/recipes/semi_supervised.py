"""The semi-supervised GAN (Salimans et al. 2016, arXiv 1606.03498, section 5): a classifier that needs few labels.

The discriminator has a logit for each class. On labelled images it minimises the cross-entropy of the class; an image is
the more real the higher the log of the sum of the exponentials of all logits, against 0 for the class "generated", and
that game it plays on unlabelled and generated images. The generator matches the mean features of other unlabelled images.
Half of every batch must be labelled (`data.labelled_half`). Form: openai/improved-gan, train_cifar_feature_matching.py.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks, ranges
from gan_jax.game.latents import latents
from gan_jax.layers.norm import standing
from gan_jax.layers.pairs import apart
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.auxiliary import class_cross_entropy
from gan_jax.losses.matching import feature_matching
from gan_jax.networks.improved_gan import Discriminator, Generator


def build(config) -> Recipe:
    data, model, phases = config.data, config.model, config.phases
    if not (data.labelled and data.labelled_half):
        raise ConfigError(
            f"config.data.labelled is {data.labelled} and config.data.labelled_half is {data.labelled_half}: the "
            "semi-supervised GAN wants so many images of each class with a label, and half of every batch of them"
        )
    ranges.check(phases, "unlabelled_weight")
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**model.G, **given, image_channels=data.channels)
    head = {"questions": {"classes": data.num_classes}, "summed": True}
    discriminator = Discriminator(**model.D, **given, head=head)
    z, loss, label = latents(model.latents, generator.dim_z), adversarial("non_saturating"), jnp.zeros(1, jnp.int32)

    def generate(view, key, real):
        return view.net("G")(view.shard(z.draw(key, len(real))), jnp.zeros(len(real), jnp.int32))

    def judge(view, images, key):
        return view.net("D")(images, jnp.zeros(len(images), jnp.int32), rngs={"noise": key})[0]

    def discriminator_loss(view, batch, key):
        key_z, *keys = jax.random.split(key, 4)
        (labelled, unlabelled), (labels, _) = apart(to_float(batch["image"])), apart(batch["label"])
        fake, g = generate(view, key_z, unlabelled)
        # Apart, as published: each kind of image has its own draws of dropout and noise.
        told, real, generated = (judge(view, *pair) for pair in zip((labelled, unlabelled, fake), keys, strict=True))
        supervised = class_cross_entropy(told.answers["classes"], labels)
        game = loss.discriminator(real.logits, generated.logits) / 2
        metrics = {
            "labelled_loss": supervised,
            "real_logit": real.logits.mean(),
            "fake_logit": generated.logits.mean(),
        }
        return supervised + phases.unlabelled_weight * game, Out({"G": g.stats}, metrics=metrics)

    def generator_loss(view, batch, key):
        key_z, *keys = jax.random.split(key, 3)
        _, unlabelled = apart(to_float(batch["image"]))
        fake, g = generate(view, key_z, unlabelled)
        real, generated = (judge(view, *pair) for pair in zip((unlabelled, fake), keys, strict=True))
        return feature_matching(generated.features, real.features), Out({"G": g.stats})

    image = jnp.zeros((1, data.resolution, data.resolution, data.channels))
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
        "D": Network(discriminator, lambda: (image, label)),
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
            Phase("generator", ("generator",), generator_loss, first_slice=1),
        ),
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
