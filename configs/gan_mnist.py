"""The first GAN on MNIST at 28 x 28: fully connected networks, maxout and dropout in the discriminator.

    gan-jax train --config=configs/gan_mnist.py --workdir=workdirs/gan_mnist

Paper: arXiv 1406.2661; the settings are those of goodfeli/adversarial, mnist.yaml: 50,000 digits, normal z of 100,
batch 100, a rate of 0.1 that every update divides by 1.000004, a momentum that rises from 0.5 to 0.7 in 250 epochs. That
code halves the discriminator's loss, which here is its rate. There both players move at once and the generator's last
bias begins at the data's; the length is ours, that file has none.
Data: MNIST of TFDS. Hardware: a CPU; 2.5 and 1.2 million parameters. Not yet trained with this code, so no score is
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
    config.recipe = "gan"
    g, d = ((16, 16), (8, 8)) if quick else ((1200, 1200), (240, 240))
    config.model = {
        "family": "mlp",
        "latents": "normal",
        "G": {"dim_z": 100, "widths": g, "embedding": 0},
        "D": {"widths": d, "pieces": 5, "keep_input": 0.8, "keep_hidden": 0.5, "embedding": 0},
    }
    generator, discriminator = (momentum(rate, 1.000004, until="125000 steps") for rate in (0.1, 0.05))
    config.players = {"generator": generator, "discriminator": discriminator}
    config.phases = section(Rules())
    config.ema = {}
    on_mnist(config, "125000 steps", 100, quick, part="train[:50000]")
    return config
