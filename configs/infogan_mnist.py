"""InfoGAN on MNIST at 28 x 28: one category of ten and two numbers.

    gan-jax train --config=configs/infogan_mnist.py --workdir=workdirs/infogan_mnist

Paper: arXiv 1606.03657; the settings are those of openai/InfoGAN, launchers/run_mnist_exp.py: 62 uniform numbers and
the codes, batch 128, Adam 1e-3 for the generator, 2e-4 for the discriminator (0.5, 0.999), 50 epochs of 100 steps.
Data: MNIST of TFDS. Hardware: one GPU; 6.7 and 6.7 million parameters, Q's among the latter. Not yet trained with this
code, so no score is claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_mnist
from gan_jax.game.rules import section
from gan_jax.recipes.infogan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "infogan"
    network = {"channels": 4, "hidden": 16} if quick else {"channels": 64, "hidden": 1024}
    config.model = {
        "latents": "uniform",
        "G": {**network, "dim_z": 74},
        "D": {**network, "hidden_q": 16 if quick else 128},
    }
    config.players = {"generator": adam(1e-3, 0.5, 0.999), "discriminator": adam(2e-4, 0.5, 0.999)}
    config.phases = section(Rules())
    config.ema = {}
    on_mnist(config, "5000 steps", 128, quick)
    return config
