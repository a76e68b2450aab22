"""TAC-GAN on CIFAR-10 at 32 x 32, as PyTorch-StudioGAN.

    gan-jax train --config=configs/tacgan_cifar10.py --workdir=workdirs/tacgan_cifar10

Paper: arXiv 1907.02690; the settings are those of PyTorch-StudioGAN, configs/CIFAR10/ACGAN-Mod-TAC.yaml: SNGAN's
networks with batch normalisation instead of spectral, hinge loss, five discriminator steps, a classifier and its twin,
both weighing 1.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 4.3 and 1.1 million parameters. Not yet trained with this code, so no score
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
    config.recipe = "tacgan"
    studiogan_cifar10(config, quick, big=False)
    config.phases = section(Rules(loss="hinge", discriminator_steps=5, conditioning={"name": "twin_auxiliary"}))
    return config
