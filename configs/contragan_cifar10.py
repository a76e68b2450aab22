"""ContraGAN on CIFAR-10 at 32 x 32, as PyTorch-StudioGAN.

    gan-jax train --config=configs/contragan_cifar10.py --workdir=workdirs/contragan_cifar10

Paper: arXiv 2006.12681; the settings are those of PyTorch-StudioGAN, configs/CIFAR10/ContraGAN.yaml: BigGAN's networks,
hinge loss, five discriminator steps, the contrastive loss at temperature 1 in 512 dimensions.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 9.4 and 2.5 million parameters. PyTorch-StudioGAN's README (0.3.0) has FID
8.065 and IS 9.729 for its own code, the best of a training, on 10,000 samples against the 10,000 test images. Not yet
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
    config.recipe = "contragan"
    studiogan_cifar10(config, quick, big=True)
    config.phases = section(
        Rules(loss="hinge", discriminator_steps=5, conditioning={"name": "contrastive", "size": 512})
    )
    return config
