"""SS-GAN on the 1,797 handwritten digits of scikit-learn at 16 x 16, made for two CPU cores.

    gan-jax train --config=configs/ssgan_digits.py --workdir=workdirs/ssgan_digits

Paper: arXiv 1811.11212: recognised turns in place of labels; here with small networks and an average of the
generator.
After 800 steps (seed 0) the classifier `digits` sees a Frechet distance of 2.78 to the real digits.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits, small_residual
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "ssgan"
    config.model = small_residual(quick)
    config.players = {"generator": adam(5e-4, 0.0, 0.99), "discriminator": adam(2e-3, 0.0, 0.99)}
    config.phases = section(Rules(loss="hinge", discriminator_steps=2, rotation=1.0, rotation_generator=0.2))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=800, quick=quick, classes=False)
    config.evaluate.standing = 16
    return config
