"""WGAN-GP with residual networks on CIFAR-10 at 32 x 32.

    gan-jax train --config=configs/wgan_gp_cifar10.py --workdir=workdirs/wgan_gp_cifar10
    gan-jax train --config=configs/wgan_gp_cifar10.py:conditional --workdir=workdirs/wgan_gp_cifar10_conditional

Paper: arXiv 1704.00028; the settings are those of igul222/improved_wgan_training, gan_cifar_resnet.py: batch 64, twice
that for the generator, penalty 10, Adam 2e-4 (0, 0.9) with rates that fall to 0 in 100,000 steps, five critic steps.
With classes, a table of them in every batch normalisation of the generator and a classifier, which counts 0.1 in its
loss. There pixels have uniform noise of one step of 8 bits, and some kernels begin larger than Glorot's.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 1.2 and 1.1 million parameters. Not yet trained with this code, so no score
is claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_cifar10, residual
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment; "conditional": with classes; "quick": a few steps of a tiny one."""
    check_argument(size, "conditional", "quick")
    quick, conditional = size == "quick", size == "conditional"
    config = base()
    config.recipe = "wgan_gp"
    channels = {"channels": 4 if quick else 32, "sn_eps": None}
    config.model = residual(channels, {**channels, "pool": "mean"})
    schedule = {"decay": "linear", "warmup": "0 steps", "start": "0 steps", "end": "100000 steps", "final": 0.0}
    player = adam(2e-4, 0.0, 0.9, schedule=schedule)
    config.players = {"generator": player, "discriminator": player}
    classifier = {"name": "auxiliary", "weight": 1.0, "weight_fake": 0.0, "weight_generator": 0.1}
    rules = {"conditioning": classifier} if conditional else {}
    config.phases = section(
        Rules(
            loss="wasserstein",
            gradient_penalty=10.0,
            discriminator_steps=5,
            generator_batches=2,
            generator_first=True,
            **rules,
        )
    )
    config.ema = {}
    on_cifar10(config, "100000 steps", 64, quick, classes=conditional)
    return config
