"""ReACGAN on CIFAR-10 at 32 x 32, as PyTorch-StudioGAN.

    gan-jax train --config=configs/reacgan_cifar10.py --workdir=workdirs/reacgan_cifar10

Paper: arXiv 2111.01118; the settings are those of PyTorch-StudioGAN, configs/CIFAR10/ReACGAN.yaml: BigGAN's networks,
hinge loss, five discriminator steps, batch 128 with a rate of 2.83e-4, the data-to-data cross-entropy times 0.5, margin
0.98 and temperature 0.5 in 512 dimensions.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 9.4 and 2.5 million parameters. PyTorch-StudioGAN's README (0.3.0) has FID
7.792 and IS 9.974 for its own code, the best of a training, on 10,000 samples against the 10,000 test images. Not yet
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
    config.recipe = "reacgan"
    studiogan_cifar10(config, quick, big=True, batch=128, rate=2.8284271e-4)
    config.phases = section(
        Rules(loss="hinge", discriminator_steps=5, conditioning={"name": "data_to_data", "size": 512})
    )
    return config
