"""LAPGAN on the 1,797 handwritten digits of scikit-learn: from 4 x 4 over 8 x 8 to 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/lapgan_digits.py --workdir=workdirs/lapgan_digits

Paper: arXiv 1506.05751, with narrow networks, Adam in the place of its momentum schedule and an average of the generators.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "lapgan"
    network = {"channels": 4, "width": 16} if quick else {"channels": 8, "width": 128}
    config.model = {
        "latents": "uniform",
        "coarsest": 4,
        "G": {**network, "dim_z": 32},
        "D": {**network, "keep": 0.5, "padded": True},
    }
    config.players = {"generator": adam(5e-4, 0.5, 0.999), "discriminator": adam(5e-4, 0.5, 0.999)}
    config.phases = {}
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=1200, quick=quick)
    return config
