"""LSGAN on LSUN's churches at 112 x 112.

    gan-jax train --config=configs/lsgan_lsun112.py --workdir=workdirs/lsgan_lsun112

Paper: arXiv 1611.04076, figure 5; the settings are those of xudonmao/LSGAN, train_lsun.py: uniform z of 1024, batch 64,
Adam 1e-3 (0.5, 0.999), a million steps, which is where that loop ends.
Data: LSUN of TFDS, which needs tensorflow-io to prepare it, or a folder: `--config.data.source=folder:PATH`.
Hardware: one GPU; 15.6 and 4.3 million parameters. Not yet trained with this code, so no score is claimed; no published
one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_images
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "lsgan"
    network = {"channels": 4 if quick else 64}
    config.model = {
        "family": "lsgan",
        "latents": "uniform",
        "G": {**network, "dim_z": 1024},
        "D": {**network, "norm": "batch"},
    }
    config.players = {"generator": adam(1e-3, 0.5, 0.999), "discriminator": adam(1e-3, 0.5, 0.999)}
    config.phases = section(Rules(loss="least_squares"))
    config.ema = {}
    on_images(config, "tfds:lsun/church_outdoor", 112, "1000000 steps", 64, 16 if quick else None)
    return config
