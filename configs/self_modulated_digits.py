"""A self-modulated GAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/self_modulated_digits.py --workdir=workdirs/self_modulated_digits

Paper: arXiv 1810.01365: the generator's batch normalisations depend on z and on the class; here with small networks
and an average of the generator.
After 800 steps (seed 0) the classifier `digits` recognises 99.4 % of the digits, at a Frechet distance of 3.95 in its
features.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits, small_residual
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "self_modulated"
    config.model = small_residual(quick, {"norm": "self_modulated", "shared_embedding": True}, {"pool": "mean"})
    config.players = {"generator": adam(5e-4, 0.0, 0.99), "discriminator": adam(2e-3, 0.0, 0.99)}
    config.phases = section(Rules(loss="hinge", discriminator_steps=2, conditioning={"name": "projection"}))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=800, quick=quick)
    config.evaluate.standing = 16
    return config
