"""LS-GAN, the loss-sensitive one, on CelebA at 64 x 64.

    gan-jax train --config=configs/ls_gan_celeba64.py --workdir=workdirs/ls_gan_celeba64

Paper: arXiv 1701.06264; the settings are those of guojunq/lsgan, lsgan.lua: DCGAN's networks, uniform z of 100, batch
64, Adam 1e-4 (0.5, 0.999), 25 epochs, margins of 0.0002 times the sum of absolute differences of pixels (2.4576 times
their mean), and the loss of real images left out. There the loss ends in a ReLU.
Data: CelebA of TFDS, the centre of each image. Hardware: one GPU; 3.6 and 2.8 million parameters. Not yet trained with
this code, so no score is claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_images
from gan_jax.game.rules import section
from gan_jax.recipes.ls_gan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "ls_gan"
    network = {"channels": 4 if quick else 64, "embedding": 0, "norm": "batch"}
    config.model = {"family": "dcgan", "latents": "uniform", "G": {**network, "dim_z": 100}, "D": network}
    config.players = {"generator": adam(1e-4, 0.5, 0.999), "discriminator": adam(1e-4, 0.5, 0.999)}
    config.phases = section(Rules(real_weight=0.0, margin_weight=1.0, distance=2e-4 * 64 * 64 * 3))
    config.ema = {}
    on_images(config, "tfds:celeb_a", 64, "25 epochs", 64, 16 if quick else None)
    return config
