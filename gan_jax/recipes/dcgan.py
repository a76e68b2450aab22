"""DCGAN (Radford, Metz and Chintala 2016, arXiv 1511.06434), in the form of soumith/dcgan.torch.

Non-saturating loss, one step of each player, the discriminator first; real and generated images are normalised apart. The
published loop hands the discriminator's generated images on to the generator's step; here they are drawn anew.
"""

from gan_jax.engine.recipe import Recipe, compute_dtype
from gan_jax.game.conditioning import build as build_conditioning
from gan_jax.game.game import describe
from gan_jax.game.latents import latents
from gan_jax.game.rules import Rules, read
from gan_jax.networks.dcgan import Discriminator, Generator


def build(config) -> Recipe:
    data, model, rules = config.data, config.model, read(Rules, config.phases)
    conditioning = build_conditioning(rules.conditioning, data.num_classes)
    given = {"resolution": data.resolution, "num_classes": data.num_classes, "dtype": compute_dtype(config)}
    return describe(
        config,
        rules,
        Generator(**model.G, **given, image_channels=data.channels),
        Discriminator(**model.D, **given, head=conditioning.head),
        latents(model.latents, model.dim_z),
        conditioning,
    )
