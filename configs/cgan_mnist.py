"""Conditional GAN on MNIST at 28 x 28: the first GAN's networks with the class at the input of both.

    gan-jax train --config=configs/cgan_mnist.py --workdir=workdirs/cgan_mnist

Paper: arXiv 1411.1784, section 4.1: z of 100, batch 100, a rate of 0.1 that every update divides by 1.00004, momentum
from 0.5 to 0.7. There z and the class, and pixels and class, go through layers of their own before they are joined,
and the generator has dropout of 0.5 as well; here a table of classes is joined to z and to the pixels. The length is
ours.
Data: MNIST of TFDS. Hardware: a CPU; 2.6 and 1.3 million parameters. Not yet trained with this code, so no score is
claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import momentum, on_mnist
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "cgan"
    g, d = ((16, 16), (8, 8)) if quick else ((1200, 1200), (240, 240))
    config.model = {
        "family": "mlp",
        "latents": "uniform",
        "G": {"dim_z": 100, "widths": g, "embedding": 50},
        "D": {"widths": d, "pieces": 5, "keep_input": 1.0, "keep_hidden": 0.5, "embedding": 50},
    }
    player = momentum(0.1, factor=1.00004, until="125000 steps")
    config.players = {"generator": player, "discriminator": player}
    config.phases = section(Rules(generated_labels="batch"))
    config.ema = {}
    on_mnist(config, "125000 steps", 100, quick, classes=True)
    return config
