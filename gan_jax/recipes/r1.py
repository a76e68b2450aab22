"""R1 (Mescheder, Geiger and Nowozin 2018, arXiv 1801.04406): non-saturating logistic loss and a penalty at real images.

The form is that of LMescheder/GAN_stability: the discriminator first, generated images with the labels of the batch,
a moving average of the generator. R1 is gamma/2 |gradient|^2 at real images, as in the paper; the code leaves out the
half, so its `reg_param: 10` is a gamma of 20 here.

The penalty's weight is called `phases.gamma` here. With `phases.r1_every` above 1 it is lazy (StyleGAN2, arXiv
1912.04958, appendix B): computed in every so many steps, so many times as strong. It joins the loss of that step instead of
making an update of its own, so Adam takes one step as ever and its rates need no correction.
"""

import dataclasses
import operator
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Recipe, compute_dtype
from gan_jax.game import checks, terms
from gan_jax.game.latents import latents
from gan_jax.game.opponents import opponents
from gan_jax.game.referee import Referee
from gan_jax.game.rules import CommonRules, read
from gan_jax.layers.pixels import to_float
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.resnet import Discriminator, Generator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones; the weight of R1 and how many steps there are from one to the next; `View.generated_labels`."""

    gamma: float = 20.0
    r1_every: int = 1
    generated_labels: str = "batch"

    positive: ClassVar = (*CommonRules.positive, "r1_every")
    penalties: ClassVar = ("gamma",)
    refused: ClassVar = {"r1": "that weight is config.phases.gamma here"}


def build(config) -> Recipe:
    data, rules, z = config.data, read(Rules, config.phases), latents("normal", config.model.dim_z)
    given = {"resolution": data.resolution, "num_classes": data.num_classes, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given, head=terms.head(rules))

    def deal(view, batch, key, player):
        """A judged round, and the key of its terms."""
        key_z, key_y, key_round, key_terms = jax.random.split(key, 4)
        real, noise = (to_float(batch["image"]), batch["label"]), view.normal(key_z, (len(batch["label"]), z.size))
        labels = view.generated_labels(key_y, real[1], data.num_classes, rules.generated_labels)
        generate = lambda z, labels: view.net("G")(z, labels)[0]  # noqa: E731
        fake = (generate(noise, labels), labels)
        return referee.round(view, key_round, player, real, fake, noise, operator.call, generate)[0], key_terms

    def discriminator_loss(view, batch, key):
        return referee.discriminator(*deal(view, batch, key, "D"))

    def penalised_loss(view, batch, key):
        round, key_terms = deal(view, batch, key, "D")
        value, out = referee.discriminator(round, key_terms)
        penalty = zero_centred_penalty(*round.critic(round.real, round.real_labels))
        metrics = {**out.metrics, "adversarial": value, "squared_gradient": penalty}
        return value + rules.r1_every * rules.gamma / 2 * penalty, Out(aux=out.aux, metrics=metrics)

    def generator_loss(view, batch, key):
        return referee.generator(*deal(view, batch, key, "G"))

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, z.size)), label)),
        "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)), label)),
    }
    referee = Referee(config, rules, checks.collections(networks))
    return Recipe(
        networks=networks,
        players=opponents(config),
        phases=(
            Phase("discriminator_r1", ("discriminator",), penalised_loss, every=rules.r1_every),
            Phase("discriminator", ("discriminator",), discriminator_loss, every=lambda s: s % rules.r1_every != 0),
            Phase("generator", ("generator",), generator_loss),
            *referee.adaptations(),
        ),
        prior=z.prior,
        truncates=z.truncates,
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents, labels),
        aux=referee.aux,
        ema=Ema(("G",), config.ema) if config.ema else None,
    )
