"""BEGAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/began_digits.py --workdir=workdirs/began_digits

Paper: arXiv 1703.10717, here with narrow networks, larger rates that fall to 0, a gamma of 1 instead of 0.5, a faster
balance and an average of the generator. Trained on at full rates it comes to draw nothing but threes.
After 1,200 steps (seed 0) the classifier `digits` sees a Frechet distance of 62.1 to the real digits.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits
from gan_jax.game.rules import section
from gan_jax.recipes.began import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "began"
    channels = 4 if quick else 16
    config.model = {"latents": "uniform", "G": {"channels": channels}, "D": {"channels": channels, "dim_z": 16}}
    falling = {"decay": "linear", "warmup": "0 steps", "start": "600 steps", "end": "1200 steps", "final": 0.0}
    config.players = {
        "generator": adam(2e-4, 0.5, 0.999, schedule=falling),
        "discriminator": adam(5e-4, 0.5, 0.999, schedule=falling),
    }
    config.phases = section(Rules(gamma=1.0, step=0.5))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=1200, quick=quick, classes=False)
    return config
