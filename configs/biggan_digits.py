"""BigGAN on the 1,797 handwritten digits of scikit-learn at 16 x 16: the default experiment, made for two CPU cores.

    gan-jax train --config=configs/biggan_digits.py --workdir=workdirs/digits

Paper: BigGAN (arXiv 1809.11096), every part of it at small scale: class embedding, hierarchical z, conditional batch
normalisation, spectral normalisation, projection discriminator, hinge loss, moving average of the weights.
"""

from gan_jax.config import base, check_argument
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "biggan"
    config.model = {
        "family": "biggan",
        "latents": "normal",
        "G": {
            "channels": 2 if quick else 8,
            "dim_z": 48,
            "shared_dim": 32,
            "hierarchical": True,
            "shared_embedding": True,
            "attention": (),
            "bn_eps": 1e-5,
            "sn_eps": 1e-6,
            "weight_init": "ortho",
            "remat": None,
        },
        "D": {
            "channels": 2 if quick else 8,
            "wide": True,
            "attention": (),
            "sn_eps": 1e-6,
            "weight_init": "ortho",
            "remat": None,
        },
    }
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.0, "b2": 0.99, "eps": 1e-6, "mu_dtype": None}}
    config.players = {
        "generator": {**adam, "learning_rate": 5e-4},
        "discriminator": {**adam, "learning_rate": 2e-3},
    }
    config.phases = section(Rules(loss="hinge", discriminator_steps=2, conditioning={"name": "projection"}))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    config.data.update({"source": "digits", "resolution": 16, "channels": 1, "num_classes": 10})
    config.train.length = "2 steps" if quick else "800 steps"
    config.train.batch_size = 16 if quick else 64
    config.train.checkpoint_every = "400 steps"
    config.report.every = "1 step" if quick else "20 steps"
    config.report.samples_every = "200 steps"
    config.evaluate.metrics = ("frechet:digits", "pr:digits", "recognised:digits")
    config.evaluate.at_start = True
    config.evaluate.samples = 100 if quick else 1000
    config.evaluate.standing = 16
    return config
