"""CoGAN on MNIST at 28 x 28: digits and their edges, in pairs that were never shown.

    gan-jax train --config=configs/cogan_mnist.py --workdir=workdirs/cogan_mnist

Paper: arXiv 1606.07536; the settings are those of mingyuliutw/CoGAN, cogan_pytorch: normal z of 100, 64 images of each
domain, Adam 2e-4 (0.5, 0.999), 5,000 steps. There weights decay by 5e-4, the generator learns from 64 pairs as well,
here from 128, and the networks are others; here they are DCGAN's.
Data: MNIST of TFDS. Hardware: one GPU; 0.76 and 0.14 million parameters. Not yet trained with this code, so no score is
claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_mnist
from gan_jax.game.rules import section
from gan_jax.recipes.cogan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "cogan"
    channels = 4 if quick else 64
    config.model = {"latents": "normal", "G": {"channels": channels, "dim_z": 100}, "D": {"channels": channels}}
    config.players = {"generator": adam(2e-4, 0.5, 0.999), "discriminator": adam(2e-4, 0.5, 0.999)}
    config.phases = section(Rules(domain="edges"))
    config.ema = {}
    on_mnist(config, "5000 steps", 128, quick)
    return config
