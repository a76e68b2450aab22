"""ALI on CIFAR-10 at 32 x 32.

    gan-jax train --config=configs/ali_cifar10.py --workdir=workdirs/ali_cifar10

Paper: arXiv 1606.00704; the settings are those of IshmaelBelghazi/ALI, experiments/ali_cifar10.py: Gaussian z of 64,
batch 100, Adam 1e-4 (0.5, 0.999), 1,000 epochs. There the networks are others, with maxout in the discriminator; here
they are DCGAN's, with as many units behind them (1,024) and as much dropout (0.5).
Data: CIFAR-10 of TFDS. Hardware: one GPU; generator 0.9, encoder 1.2, discriminator 9.1 million parameters. Not yet
trained with this code, so no score is claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_cifar10
from gan_jax.game.rules import section
from gan_jax.recipes.ali import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "ali"
    network = {"channels": 4 if quick else 64, "norm": "batch"}
    config.model = {
        "latents": "normal",
        "G": {**network, "dim_z": 64, "embedding": 0},
        "E": network,
        "D": {**network, "width": 16 if quick else 1024, "keep": 0.5},
    }
    config.players = {"generator": adam(1e-4, 0.5, 0.999), "discriminator": adam(1e-4, 0.5, 0.999)}
    config.phases = section(Rules())
    config.ema = {}
    on_cifar10(config, "1000 epochs", 100, quick, classes=False)
    return config
