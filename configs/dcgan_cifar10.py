"""DCGAN on CIFAR-10 at 32 x 32, as PyTorch-StudioGAN.

    gan-jax train --config=configs/dcgan_cifar10.py --workdir=workdirs/dcgan_cifar10

Paper: arXiv 1511.06434; the settings are those of PyTorch-StudioGAN, configs/CIFAR10/DCGAN.yaml: its networks
`deep_conv` with batch normalisation in both, two discriminator steps, 200,000 steps of the generator. There the
epsilon of batch normalisation is 1e-4, here 1e-5. With `--config.phases.loss=least_squares` or `hinge` it is that
project's LSGAN or GGAN.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 3.8 and 2.9 million parameters. Not yet trained with this code, so no score
is claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_cifar10
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "dcgan"
    network = {"channels": 2 if quick else 64, "norm": "batch", "kernels": "none", "weight_init": "ortho"}
    config.model = {"family": "deep_conv", "latents": "normal", "G": {**network, "dim_z": 128}, "D": network}
    config.players = {"generator": adam(2e-4, 0.5, 0.999), "discriminator": adam(2e-4, 0.5, 0.999)}
    config.phases = section(Rules(discriminator_steps=2))
    config.ema = {}
    on_cifar10(config, "200000 steps", 64, quick, classes=False)
    config.data.flip = True
    return config
