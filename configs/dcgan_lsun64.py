"""DCGAN on LSUN's bedrooms at 64 x 64.

    gan-jax train --config=configs/dcgan_lsun64.py --workdir=workdirs/dcgan_lsun64

Paper: arXiv 1511.06434; the settings are those of soumith/dcgan.torch, main.lua: Gaussian z of 100, batch 64, Adam 2e-4
(0.5, 0.999), 25 epochs. There images are random crops of 64 from 96 pixels; here they are the centre, scaled.
Data: LSUN of TFDS, which needs tensorflow-io to prepare it, or a folder: `--config.data.source=folder:PATH`.
Hardware: one GPU; 3.6 and 2.8 million parameters. Not yet trained with this code, so no score is claimed; no published
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
    config.recipe = "dcgan"
    network = {"channels": 4 if quick else 64, "embedding": 0, "norm": "batch"}
    config.model = {"family": "dcgan", "latents": "normal", "G": {**network, "dim_z": 100}, "D": network}
    config.players = {"generator": adam(2e-4, 0.5, 0.999), "discriminator": adam(2e-4, 0.5, 0.999)}
    config.phases = section(Rules())
    config.ema = {}
    on_images(config, "tfds:lsun/bedroom", 64, "25 epochs", 64, 16 if quick else None)
    return config
