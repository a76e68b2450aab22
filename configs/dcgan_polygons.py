"""DCGAN on black triangles at 28 x 28, whose true distribution is known: the networks that a study's methods share.

    gan-jax train --config=configs/dcgan_polygons.py --workdir=workdirs/dcgan_polygons

Paper: arXiv 1511.06434; data and scores: arXiv 1711.10337. Narrow networks, no average of the generator. Six of the
methods of configs/studies/polygons.py are this config with other rules.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_polygons
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "dcgan"
    network = {"channels": 4 if quick else 16, "embedding": 0, "norm": "batch"}
    config.model = {"family": "dcgan", "latents": "uniform", "G": {**network, "dim_z": 64}, "D": network}
    config.players = {"generator": adam(2e-4, 0.5, 0.999), "discriminator": adam(2e-4, 0.5, 0.999)}
    config.phases = section(Rules())
    config.ema = {}
    on_polygons(config, 2000, 64, quick)
    return config
