"""R3GAN (arXiv 2501.05441): a relativistic loss with both zero-centred gradient penalties in every step.

The form is that of brownvc/R3GAN (R3GAN/Trainer.py, training/training_loop.py): the discriminator first, on other real
images than the generator; generated images have the labels of the real ones that they are paired with; real and
generated images are augmented apart, within the penalties too. Their weight is called `phases.gamma` here, and may change
over training, see `engine.durations`.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Recipe, compute_dtype
from gan_jax.game import checks, terms
from gan_jax.game.opponents import opponents
from gan_jax.game.referee import Referee
from gan_jax.game.round import Round
from gan_jax.game.rules import Changing, CommonRules, read
from gan_jax.layers.pixels import to_float
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.r3gan import Discriminator, Generator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones, and the weight of the two penalties."""

    loss: str = "relativistic"
    gamma: Changing = 1.0

    penalties: ClassVar = ("gamma",)
    refused: ClassVar = dict.fromkeys(("r1", "r2"), "both have the weight config.phases.gamma here")


def build(config) -> Recipe:
    data, rules, dim_z = config.data, read(Rules, config.phases), config.model.dim_z
    given = {"resolution": data.resolution, "num_classes": data.num_classes, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given, head=terms.head(rules))

    def deal(view, batch, key, player):
        """A judged round of images of the same classes; the same as generated images are judged; and the key of its terms."""
        key_z, key_real, key_fake, key_pseudo, key_round, key_terms = jax.random.split(key, 6)
        see = lambda images, labels: view.net("D")(images, labels)[0]  # noqa: E731
        judge_real, judge_fake = (referee.judge(view, key, see) for key in (key_real, key_fake))
        generate = lambda z, labels: view.net("G")(z, labels)[0]  # noqa: E731
        labels = batch["label"]
        z = view.normal(key_z, (len(labels), dim_z))
        fake = (generate(z, labels), labels)
        real = referee.real(view, key_pseudo, (to_float(batch["image"]), labels), fake)
        seen = judge_real(*real) if player == "D" or referee.wants_real else None
        round = Round(view, *real, *fake, z, key_round, judge_real, generate, seen, judge_fake(*fake))
        return round, dataclasses.replace(round, judge=judge_fake), key_terms

    def discriminator_loss(view, batch, key):
        round, as_fake, key_terms = deal(view, batch, key, "D")
        value, out = referee.discriminator(round, key_terms)
        r1 = zero_centred_penalty(*round.critic(round.real, round.real_labels))
        r2 = zero_centred_penalty(*as_fake.critic(round.fake, round.fake_labels))
        gamma = view.at_present(rules.gamma)
        metrics = {**out.metrics, "adversarial": value, "r1": r1, "r2": r2, "gamma": jnp.float32(gamma)}
        return value + gamma / 2 * (r1 + r2), Out(aux=out.aux, metrics=metrics)

    def generator_loss(view, batch, key):
        round, _, key_terms = deal(view, batch, key, "G")
        return referee.generator(round, key_terms)

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, dim_z)), label)),
        "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)), label)),
    }
    referee = Referee(config, rules, checks.collections(networks))
    return Recipe(
        networks=networks,
        players=opponents(config),
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss, first_slice=1),
            *referee.adaptations(),
        ),
        prior=lambda key, options: jax.random.normal(key, (dim_z,)),
        sample=lambda variables, latents, labels, options: generator.apply(variables["G"], latents, labels),
        aux=referee.aux,
        ema=Ema(("G",), config.ema),
    )
