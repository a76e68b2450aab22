"""EBGAN with its pulling-away term on LSUN's bedrooms at 64 x 64.

    gan-jax train --config=configs/ebgan_lsun64.py --workdir=workdirs/ebgan_lsun64

Paper: arXiv 1609.03126: a generator like DCGAN's, an autoencoder of strided convolutions, the term times 0.1. Of its
other numbers no source was found to check them by: margin, rates, batch and length are DCGAN's or ours.
Data: LSUN of TFDS, which needs tensorflow-io to prepare it, or a folder: `--config.data.source=folder:PATH`.
Hardware: one GPU; 3.6 and 5.5 million parameters. Not yet trained with this code, so no score is claimed; no published
one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_images
from gan_jax.game.rules import section
from gan_jax.recipes.ebgan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "ebgan"
    network = {"channels": 4 if quick else 64, "norm": "batch"}
    config.model = {
        "family": "ebgan",
        "latents": "uniform",
        "G": {**network, "dim_z": 100, "embedding": 0},
        "D": network,
    }
    config.players = {"generator": adam(2e-4, 0.5, 0.999), "discriminator": adam(2e-4, 0.5, 0.999)}
    config.phases = section(Rules(loss="energy:0.2", pulling_away=0.1))
    config.ema = {}
    on_images(config, "tfds:lsun/bedroom", 64, "25 epochs", 64, 16 if quick else None)
    return config
