"""SS-GAN without classes on CIFAR-10 at 32 x 32.

    gan-jax train --config=configs/ssgan_cifar10.py --workdir=workdirs/ssgan_cifar10

Paper: arXiv 1811.11212: recognised turns count 1 for the discriminator and 0.2 for the generator; all else is that of
compare_gan, example_configs/resnet_cifar10.gin: non-saturating loss, batch 64, five discriminator steps, Adam 2e-4
(0.5, 0.999), 40,000 steps, features pooled by their mean. There images are from 0 to 1, all four turns of a quarter of
the batch are looked at, and empty pixels take the place of the nearest where the generator doubles its maps.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 4.3 and 1.1 million parameters. Not yet trained with this code, so no score
is claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_cifar10, residual
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "ssgan"
    g, d = {"channels": 4 if quick else 64}, {"channels": 4 if quick else 32, "pool": "mean"}
    config.model = residual(g, d, "N02")
    config.players = {"generator": adam(2e-4, 0.5, 0.999), "discriminator": adam(2e-4, 0.5, 0.999)}
    config.phases = section(Rules(discriminator_steps=5, rotation=1.0, rotation_generator=0.2))
    config.ema = {}
    on_cifar10(config, "40000 steps", 64, quick, classes=False)
    return config
