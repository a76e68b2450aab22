"""DRAGAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/dragan_digits.py --workdir=workdirs/dragan_digits

Paper: arXiv 1705.07215: penalty 10, one step each, on DCGAN's networks without normalisation in the discriminator,
narrow, with an average of the generator.
After 2,000 steps (seed 0) the classifier `digits` sees a Frechet distance of 53.4 to the real digits.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "dragan"
    network = {"channels": 4 if quick else 32, "embedding": 0}
    config.model = {
        "family": "dcgan",
        "latents": "uniform",
        "G": {**network, "dim_z": 64, "norm": "batch"},
        "D": {**network, "norm": "none"},
    }
    config.players = {"generator": adam(5e-4, 0.5, 0.9), "discriminator": adam(5e-4, 0.5, 0.9)}
    config.phases = section(Rules(dragan=10.0))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=2000, quick=quick, classes=False)
    return config
