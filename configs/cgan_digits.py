"""Conditional GAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/cgan_digits.py --workdir=workdirs/cgan_digits

Paper: arXiv 1411.1784, with narrower layers, Adam in the place of its momentum schedule and an average of the
generator.
After 4,000 steps (seed 0) the classifier `digits` recognises 95.3 % of the digits, at a Frechet distance of 7.27 in
its features.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "cgan"
    wide = 16 if quick else 256
    config.model = {
        "family": "mlp",
        "latents": "uniform",
        "G": {"dim_z": 64, "widths": (wide, wide), "embedding": 16},
        "D": {"widths": (wide // 4, wide // 4), "pieces": 5, "keep_input": 0.8, "keep_hidden": 0.5, "embedding": 16},
    }
    config.players = {"generator": adam(1e-3, 0.5, 0.999), "discriminator": adam(1e-3, 0.5, 0.999)}
    config.phases = section(Rules(generated_labels="batch"))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=4000, quick=quick)
    return config
