"""CoGAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/cogan_digits.py --workdir=workdirs/cogan_digits

Paper: arXiv 1606.07536: digits and their negatives, or edges with --config.phases.domain=edges, on narrow networks with an
average of the generators.
After 2,500 steps (seed 0) the classifier `digits` sees a Frechet distance of 12.4 to the real digits.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits
from gan_jax.game.rules import section
from gan_jax.recipes.cogan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "cogan"
    channels = 4 if quick else 32
    config.model = {"latents": "uniform", "G": {"channels": channels, "dim_z": 64}, "D": {"channels": channels}}
    config.players = {"generator": adam(5e-4, 0.5, 0.999), "discriminator": adam(5e-4, 0.5, 0.999)}
    config.phases = section(Rules(domain="negative"))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=2500, quick=quick, classes=False)
    return config
