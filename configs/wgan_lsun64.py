"""WGAN on LSUN's bedrooms at 64 x 64.

    gan-jax train --config=configs/wgan_lsun64.py --workdir=workdirs/wgan_lsun64

Paper: arXiv 1701.07875; the settings are those of martinarjovsky/WassersteinGAN, main.py: DCGAN's networks, batch 64,
RMSProp 5e-5, weights within 0.01, five critic steps, a hundred in each of the first 25 steps and of every 500th, 25
epochs of the critic's images. There weights are clipped before each critic step, here after it.
Data: LSUN of TFDS, which needs tensorflow-io to prepare it, or a folder: `--config.data.source=folder:PATH`.
Hardware: one GPU; 3.6 and 2.8 million parameters. Not yet trained with this code, so no score is claimed; no published
one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import on_images, rmsprop
from gan_jax.game.rules import section
from gan_jax.recipes.wgan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "wgan"
    network = {"channels": 4 if quick else 64, "embedding": 0, "norm": "batch"}
    config.model = {"family": "dcgan", "latents": "normal", "G": {**network, "dim_z": 100}, "D": network}
    config.players = {"generator": rmsprop(5e-5), "discriminator": rmsprop(5e-5)}
    config.phases = section(Rules())
    config.ema = {}
    # Epochs count one batch for each step of the generator, which the critic has five of.
    on_images(config, "tfds:lsun/bedroom", 64, "5 epochs", 64, 16 if quick else None)
    return config
