"""StyleGAN (Karras, Laine and Aila 2019, arXiv 1812.04948): a style-based generator, grown as ProGAN's.

Source: NVlabs/stylegan, training/loss.py and training_loop.py. Non-saturating logistic loss with R1 in every step, the
discriminator first; styles of two latents mixed; weights of the generator averaged, its average of w copied.

The weight of R1 is called `phases.gamma` here.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Recipe, Styles, compute_dtype
from gan_jax.game import terms
from gan_jax.game.rules import CommonRules, read
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
    penalties: ClassVar = ("gamma",)
    refused: ClassVar = {"r1": "that weight is config.phases.gamma here"}


def build(config) -> Recipe:
    data, rules = config.data, read(Rules, config.phases)
    given = {"resolution": data.resolution, "dtype": compute_dtype(config)}
    generator = Generator(**config.model.G, **given, num_classes=data.num_classes, image_channels=data.channels)
    given |= {"blur": True, "head": terms.head(rules)}
    discriminator = Discriminator(**config.model.D, **given, outputs=max(data.num_classes, 1))

    def see(view, d, images, labels):
        """With classes, the logit is that of the label."""
        verdict, d = d(images, alpha=growing.alpha(view))
        chosen = rows(jnp.eye(data.num_classes), labels) if data.num_classes else 1
        return verdict._replace(logits=(verdict.logits * chosen).sum(-1)), d

    def generate(view, key, z, labels):
        key_other, key_mix, key_noise = jax.random.split(key, 3)
        level = view.stage.info.level
        ws, g = view.net("G")(z, labels, method="map", update_average=True)
        others, _ = g(view.normal(key_other, z.shape), labels, method="map")
        return g(
            mixed(key_mix, ws, others, rules.mixing, 2 * (level + 1)),
            method="synthesize",
            noise=lambda layer, shape: view.normal(jax.random.fold_in(key_noise, layer), shape),
            level=level,
            alpha=growing.alpha(view),
        )

    def penalty(round, key):
        value = zero_centred_penalty(*round.critic(round.real, round.real_labels))
        return rules.gamma / 2 * value, {"squared_gradient": value}

    def styles(variables, latents, labels, options):
        return generator.apply(variables["G"], latents, labels, truncation=options.get("truncation"), method="map")

    def synthesize(variables, ws):
        return generator.apply(variables["G"], ws, method="synthesize")

    return growing.describe(
        config,
        rules,
        generator,
        discriminator,
        see,
        generate,
        penalty,
        sample=lambda variables, *inputs: synthesize(variables, styles(variables, *inputs)),
        truncates=True,
        styles=Styles(styles, synthesize),
    )
