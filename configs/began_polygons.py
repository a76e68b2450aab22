"""BEGAN on black triangles at 28 x 28, whose true distribution is known.

    gan-jax train --config=configs/began_polygons.py --workdir=workdirs/began_polygons

Paper: arXiv 1703.10717, with narrow networks whose lowest map has 7 pixels instead of 8; data and scores: arXiv 1711.10337.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_polygons
from gan_jax.game.rules import section
from gan_jax.recipes.began import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "began"
    channels = 4 if quick else 8
    config.model = {"latents": "uniform", "G": {"channels": channels}, "D": {"channels": channels, "dim_z": 64}}
    config.players = {"generator": adam(1e-4, 0.5, 0.999), "discriminator": adam(1e-4, 0.5, 0.999)}
    config.phases = section(Rules(gamma=0.75, step=0.001))
    config.ema = {}
    on_polygons(config, 2000, 64, quick)
    return config
