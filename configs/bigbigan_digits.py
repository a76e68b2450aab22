"""BigBiGAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/bigbigan_digits.py --workdir=workdirs/bigbigan_digits

Paper: arXiv 1907.02544, with small networks, an average of generator and encoder, and no spectral normalisation of
the discriminator's layers of latents and pairs. With it these narrow ones gave shuffled pairs the scores of pairs, and the
encoder learned next to nothing (benchmarks/catalogue.md).
After 1,000 steps (seed 0) the classifier `digits` sees a Frechet distance of 2.64 to the real digits.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits, small_residual
from gan_jax.game.rules import section
from gan_jax.recipes.bigbigan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "bigbigan"
    small = small_residual(quick, {"dim_z": 16})
    config.model = {
        "G": small["G"],
        "E": {"blocks": (1, 1, 1), "channels": 4 if quick else 16, "stem": 3, "width": 16 if quick else 128},
        "F": small["D"],
        "D": {"width": 16 if quick else 128, "blocks": 2, "sn_eps": None},
    }
    config.players = {
        "generator": adam(5e-4, 0.0, 0.99),
        "encoder": adam(2e-3, 0.0, 0.99),
        "discriminator": adam(5e-4, 0.0, 0.99),
    }
    config.phases = section(Rules())
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=1000, quick=quick, classes=False)
    config.evaluate.standing = 16
    return config
