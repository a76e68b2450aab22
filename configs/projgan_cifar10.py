"""The projection discriminator without spectral normalisation on CIFAR-10 at 32 x 32, as PyTorch-StudioGAN.

    gan-jax train --config=configs/projgan_cifar10.py --workdir=workdirs/projgan_cifar10

Paper: arXiv 1802.05637; the settings are those of PyTorch-StudioGAN, configs/CIFAR10/ProjGAN.yaml: SNGAN's networks
with batch normalisation instead of spectral, hinge loss, five discriminator steps, a projection of the classes.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 4.3 and 1.1 million parameters. PyTorch-StudioGAN's README (0.3.0) has FID
33.830 and IS 7.539 for its own code, the best of a training, on 10,000 samples against the 10,000 test images. Not yet
trained with this code, so no score is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import studiogan_cifar10
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "sngan"
    studiogan_cifar10(config, quick, big=False)
    config.phases = section(Rules(loss="hinge", discriminator_steps=5, conditioning={"name": "projection"}))
    return config
