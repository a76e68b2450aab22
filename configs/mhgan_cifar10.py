"""MHGAN on CIFAR-10 at 32 x 32, as PyTorch-StudioGAN.

    gan-jax train --config=configs/mhgan_cifar10.py --workdir=workdirs/mhgan_cifar10

Paper: arXiv 1912.04216; the settings are those of PyTorch-StudioGAN, configs/CIFAR10/MHGAN.yaml: BigGAN's networks,
five discriminator steps, the generator's hinge loss times 0.05 and feature matching.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 9.4 and 2.4 million parameters. Not yet trained with this code, so no score
is claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import studiogan_cifar10
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "mhgan"
    studiogan_cifar10(config, quick, big=True)
    config.phases = section(
        Rules(discriminator_steps=5, feature_matching=1.0, conditioning={"name": "multi_hinge", "weight": 0.05})
    )
    return config
