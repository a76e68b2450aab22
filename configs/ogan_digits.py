"""O-GAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/ogan_digits.py --workdir=workdirs/ogan_digits

Paper: arXiv 1903.01931: one player with a self-modulated generator and an encoder, on narrow networks, with an average.
After 2,500 steps (seed 0) the classifier `digits` sees a Frechet distance of 21.1 to the real digits. Encoded and
decoded again, 95.2 % of the digits are recognised as what they were.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import on_digits
from gan_jax.game.rules import CommonRules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "ogan"
    channels = 4 if quick else 32
    config.model = {
        "latents": "normal",
        "G": {"channels": channels, "dim_z": 64, "embedding": 0, "norm": "self_modulated"},
        "E": {"channels": channels, "norm": "batch"},
    }
    options = {"decay": 0.99, "eps": 1e-8, "eps_in_sqrt": False}
    config.players = {"both": {"transform": "scale_by_rms", "options": options, "learning_rate": 5e-4}}
    config.phases = section(CommonRules())
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=2500, quick=quick, classes=False)
    return config
