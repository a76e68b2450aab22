"""InfoGAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/infogan_digits.py --workdir=workdirs/infogan_digits

Paper: arXiv 1606.03657, ten categories and two numbers, with narrow networks, a slow discriminator that sees images moved
about (DiffAugment), as it knew these few by heart else, and an average of the generator. No labels are seen.
After 6,000 steps (seed 0) the classifier `digits` sees a Frechet distance of 6.66 to the real digits.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits
from gan_jax.game.rules import section
from gan_jax.recipes.infogan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "infogan"
    network = {"channels": 4, "hidden": 16} if quick else {"channels": 32, "hidden": 128}
    config.model = {
        "latents": "uniform",
        "G": {**network, "dim_z": 24},
        "D": {**network, "hidden_q": 16 if quick else 64},
    }
    config.players = {"generator": adam(5e-4, 0.5, 0.999), "discriminator": adam(1e-4, 0.5, 0.999)}
    config.phases = section(Rules(augment={"name": "diffaugment", "policy": ("translation",)}))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=6000, quick=quick, classes=False)
    return config
