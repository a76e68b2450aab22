"""DCGAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/dcgan_digits.py --workdir=workdirs/dcgan_digits

Paper: arXiv 1511.06434, with narrow networks and an average of the generator.
"""

from gan_jax.config import base, check_argument
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "dcgan"
    network = {"channels": 4 if quick else 32, "embedding": 0, "norm": "batch"}
    config.model = {"dim_z": 64, "latents": "normal", "G": network, "D": {**network}}
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.5, "b2": 0.999, "eps": 1e-8}, "learning_rate": 2e-4}
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = section(Rules())
    config.ema = {"decay": 0.99, "start": "100 steps"}
    config.data.update({"source": "digits", "resolution": 16, "channels": 1, "num_classes": 0})
    config.train.length = "2 steps" if quick else "2000 steps"
    config.train.batch_size = 16 if quick else 64
    config.train.checkpoint_every = "500 steps"
    config.report.every = "1 step" if quick else "20 steps"
    config.report.samples_every = "500 steps"
    config.evaluate.metrics = ("frechet:digits", "pr:digits")
    config.evaluate.at_start = True
    config.evaluate.samples = 100 if quick else 1000
    return config
