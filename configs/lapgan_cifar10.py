"""LAPGAN on CIFAR-10: from 8 x 8 over 16 x 16 to 32 x 32, with classes.

    gan-jax train --config=configs/lapgan_cifar10.py --workdir=workdirs/lapgan_cifar10

Paper: arXiv 1506.05751, section 4, and facebookarchive/eyescream, cifar/scripts: networks of three and two convolutions,
on the coarsest level fully connected ones with 1,200 and 600 units, uniform noise, a rate of 0.02 that falls a little
with every epoch, momentum that rises from 0.5, batches of 64. There images have the mean 0 and the deviation 1, the
paper's pyramid of crops is 8, 14, 28, each level is trained by itself, and for how long is not told.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 3.5 and 1.4 million parameters. Not yet trained with this code, so no score is
claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import on_cifar10
from gan_jax.game.rules import CommonRules, section

EPOCH = 50_000  # images


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "lapgan"
    network = {"channels": 4} if quick else {"channels": 128}
    config.model = {
        "latents": "uniform",
        "coarsest": 8,
        "G": {**network, "width": 16 if quick else 1200, "dim_z": 100},
        "D": {**network, "width": 16 if quick else 600, "keep": 0.5, "padded": False},
    }
    rising = {"start": 0.5, "end": 0.8, "until": f"{375 * EPOCH} images", "shape": "linear"}  # by 0.0008 an epoch
    falling = {"decay": "exponential", "warmup": "0 steps", "start": "0 steps", "end": f"{500 * EPOCH} images"}
    player = {
        "transform": "trace",
        "options": {"decay": rising, "nesterov": False},
        "learning_rate": 0.02,
        "schedule": {**falling, "final": 1.00004**-500},
    }
    config.players = {"generator": player, "discriminator": player}
    config.phases = section(CommonRules())
    config.ema = {}
    on_cifar10(config, f"{500 * EPOCH} images", 64, quick)
    return config
