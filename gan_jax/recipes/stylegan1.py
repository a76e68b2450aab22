"""StyleGAN (Karras, Laine and Aila 2019, arXiv 1812.04948): a style-based generator, grown as ProGAN's.

Source: NVlabs/stylegan, training/loss.py and training_loop.py. Non-saturating logistic loss with R1 in every step, the
discriminator first; styles of two latents mixed; weights of the generator averaged, its average of w copied.

The weight of R1 is called `phases.gamma` here. As in `gan_jax.recipes.progan`, published gradients are those with respect
to images of the full resolution, see `Round.critic`.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, Styles, compute_dtype
from gan_jax.game import checks
from gan_jax.game.referee import Referee
from gan_jax.game.rules import FEATURELESS, CommonRules, read
from gan_jax.layers.growth import detail
from gan_jax.layers.heads import Verdict
from gan_jax.layers.linear import rows
from gan_jax.losses.penalties import zero_centred_penalty
from gan_jax.networks.progan import Discriminator
from gan_jax.networks.stylegan1 import Generator
from gan_jax.recipes import growing
from gan_jax.recipes.stylegan import mixed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """The common ones; the weight of R1; how often styles of two latents are mixed; `View.generated_labels`."""

    gamma: float = 10.0
    mixing: float = 0.9
    generated_labels: str = "batch"

    shares: ClassVar = (*CommonRules.shares, "mixing")
    refused: ClassVar = {**FEATURELESS, "r1": "that weight is config.phases.gamma here"}


def build(config) -> Recipe:
    data, rules, stages = config.data, read(Rules, config.phases), growing.stages(config)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, num_classes=data.num_classes, image_channels=data.channels)
    discriminator = Discriminator(**config.model.D, **given, outputs=max(data.num_classes, 1), blur=True)

    def deal(view, batch, player, key):
        """A judged round, the generator with its average of w moved, and the key of the round's terms."""
        key_y, key_z, key_other, key_mix, key_noise = jax.random.split(key, 5)
        key_round, key_terms = jax.random.split(jax.random.fold_in(key, 1))
        stage, alpha = view.stage.info, growing.alpha(view)

        def see(d, images, labels):
            """With classes, the logit is that of the label."""
            outputs, d = d(images, alpha=alpha)
            logits = (outputs * rows(jnp.eye(data.num_classes), labels)).sum(-1) if data.num_classes else outputs[:, 0]
            return Verdict(logits, None, {}), d

        def generate(z, labels):
            ws, g = view.net("G")(z, labels, method="map", update_average=True)
            others, _ = g(view.normal(key_other, z.shape), labels, method="map")
            return g(
                mixed(key_mix, ws, others, rules.mixing, 2 * (stage.level + 1)),
                method="synthesize",
                noise=lambda layer, shape: view.normal(jax.random.fold_in(key_noise, layer), shape),
                level=stage.level,
                alpha=alpha,
            )

        real = (growing.real_images(view, batch["image"]), batch["label"])
        z = view.normal(key_z, (len(batch["label"]), generator.dim_z))
        labels = view.generated_labels(key_y, batch["label"], data.num_classes, rules.generated_labels)
        images, g = generate(z, labels)
        again = lambda z, labels: generate(z, labels)[0]  # noqa: E731
        fake = (images, labels)
        return referee.round(view, key_round, player, real, fake, z, see, again, pixel=stage.factor)[0], g, key_terms

    def discriminator_loss(view, batch, key):
        round, g, key_terms = deal(view, batch, "D", key)
        value, out = referee.discriminator(round, key_terms)
        penalty = zero_centred_penalty(*round.critic(round.real, round.real_labels))
        level = detail(view.stage.info.level, growing.alpha(view))
        metrics = {**out.metrics, "adversarial": value, "squared_gradient": penalty, "level": level}
        return value + rules.gamma / 2 * penalty, Out({"G": g.stats}, out.aux, metrics)

    def generator_loss(view, batch, key):
        round, g, key_terms = deal(view, batch, "G", key)
        value, out = referee.generator(round, key_terms)
        return value, dataclasses.replace(out, stats={"G": g.stats})

    def styles(variables, latents, labels, options):
        return generator.apply(variables["G"], latents, labels, truncation=options.get("truncation"), method="map")

    def synthesize(variables, ws):
        return generator.apply(variables["G"], ws, method="synthesize")

    side, label = data.resolution, jnp.zeros(1, jnp.int32)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, generator.dim_z)), label), {"level": stages[0].info.level}),
        "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, data.channels)),)),
    }
    referee = Referee(config, rules, checks.collections(networks))
    return Recipe(
        networks=networks,
        players={
            "generator": Player(("G",), config.players.generator, reset_at_stage=True),
            "discriminator": Player(("D",), config.players.discriminator, reset_at_stage=True),
        },
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss),
            Phase("generator", ("generator",), generator_loss),
            *referee.adaptations(),
        ),
        prior=lambda key, options: jax.random.normal(key, (generator.dim_z,)),
        sample=lambda variables, *inputs: synthesize(variables, styles(variables, *inputs)),
        truncates=True,
        aux=referee.aux,
        ema=Ema(("G",), config.ema, stats="copy"),
        stages=stages,
        styles=Styles(styles, synthesize),
    )
