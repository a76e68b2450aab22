"""DRAGAN on MNIST at 28 x 28: fully connected networks of one hidden layer.

    gan-jax train --config=configs/dragan_mnist.py --workdir=workdirs/dragan_mnist

Paper: arXiv 1705.07215; the settings are those of kodalinaveen3/DRAGAN, DRAGAN.ipynb: uniform z of 100, 128 hidden
units in both networks, batch 128, penalty 10, Adam 1e-4 (0.5, 0.9), one step each. There weights begin as Xavier's, and
pixels go from 0 to 1; the gradient here, by pixels from -1 to 1, is half of that, so that a norm of 1 allows twice the
slope. The length is ours.
Data: MNIST of TFDS. Hardware: a CPU; 0.11 and 0.10 million parameters. Not yet trained with this code, so no score is
claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_mnist
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "dragan"
    widths = (8 if quick else 128,)
    config.model = {
        "family": "mlp",
        "latents": "uniform",
        "G": {"dim_z": 100, "widths": widths, "embedding": 0},
        "D": {"widths": widths, "pieces": 1, "keep_input": 1.0, "keep_hidden": 1.0, "embedding": 0},
    }
    config.players = {"generator": adam(1e-4, 0.5, 0.9), "discriminator": adam(1e-4, 0.5, 0.9)}
    config.phases = section(Rules(dragan=10.0))
    config.ema = {}
    on_mnist(config, "100000 steps", 128, quick)
    return config
