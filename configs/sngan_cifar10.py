"""SNGAN on CIFAR-10 at 32 x 32.

    gan-jax train --config=configs/sngan_cifar10.py --workdir=workdirs/sngan_cifar10
    gan-jax train --config=configs/sngan_cifar10.py:conditional --workdir=workdirs/sngan_cifar10_conditional

Paper: arXiv 1802.05957, with classes 1802.05637; the settings are those of pfnet-research/sngan_projection,
configs/sn_cifar10_unconditional.yml: hinge loss, batch 64, twice that for the generator, five discriminator steps, Adam
2e-4 (0, 0.9) with rates that fall to 0 in 50,000 steps; with classes, a table of them in every batch normalisation of
the generator and the projection. There some kernels of the generator begin larger than Glorot's,
and its tables of classes at 1 and 0, here about them.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 4.3 and 1.1 million parameters. The paper's table has FID 21.7 and IS 8.22
without classes. Not yet trained with this code, so no score is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_cifar10, residual
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment; "conditional": with classes; "quick": a few steps of a tiny one."""
    check_argument(size, "conditional", "quick")
    quick, conditional = size == "quick", size == "conditional"
    config = base()
    config.recipe = "sngan"
    config.model = residual(
        {"channels": 4 if quick else 64, "bn_eps": 2e-5, "output_bn_eps": 2e-5},
        {"channels": 4 if quick else 32, "output_bias": False},
    )
    schedule = {"decay": "linear", "warmup": "0 steps", "start": "0 steps", "end": "50000 steps", "final": 0.0}
    player = adam(2e-4, 0.0, 0.9, schedule=schedule)
    config.players = {"generator": player, "discriminator": player}
    classes = {"conditioning": {"name": "projection"}} if conditional else {}
    config.phases = section(Rules(loss="hinge", discriminator_steps=5, generator_batches=2, **classes))
    config.ema = {}
    on_cifar10(config, "50000 steps", 64, quick, classes=conditional)
    return config
