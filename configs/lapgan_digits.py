"""LAPGAN on the 1,797 handwritten digits of scikit-learn: from 4 x 4 over 8 x 8 to 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/lapgan_digits.py --workdir=workdirs/lapgan_digits

Paper: arXiv 1506.05751, with narrow networks, Adam in the place of its momentum schedule and an average of the generators.
After 600 steps (seeds 0 to 2) the classifier `digits` sees a Frechet distance of 25.3, 40.6 and 27.2 to the real digits;
of the middle level, enlarged, 115 to 134, of the coarsest 274 to 279: benchmarks/catalogue_lapgan.py.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits
from gan_jax.game.rules import CommonRules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "lapgan"
    width = 16 if quick else 256
    config.model = {
        "latents": "uniform",
        "coarsest": 4,
        "G": {"channels": 4 if quick else 12, "width": width, "dim_z": 32},
        "D": {"channels": 4 if quick else 16, "width": width, "keep": 0.8, "padded": True},
    }
    config.players = {"generator": adam(5e-4, 0.5, 0.999), "discriminator": adam(1e-3, 0.5, 0.999)}
    config.phases = section(CommonRules())
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=600, quick=quick)
    return config
