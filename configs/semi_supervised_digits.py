"""The semi-supervised GAN on 1,437 handwritten digits of scikit-learn at 16 x 16, of which ten of each class have a label.

    gan-jax train --config=configs/semi_supervised_digits.py --workdir=workdirs/semi_supervised_digits

Paper: arXiv 1606.03498, with narrow networks, half a batch of labelled and half a batch of unlabelled images, and averages
of both networks. After 2,000 steps the averaged classifier is right about 95.6 % of the other 360 digits (the mean of
three seeds, each with its own ten labels; 94.7 to 96.4 %), and about 91.7 % (90.8 to 92.8 %) where it learns from the
labelled images alone, with --config.phases.unlabelled_weight=0: benchmarks/catalogue_semi_supervised.py. Its images are
blurred, as matched means make them.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_digits
from gan_jax.game.rules import section
from gan_jax.recipes.semi_supervised import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "semi_supervised"
    channels = 4 if quick else 16
    config.model = {
        "latents": "positive",
        "G": {"channels": channels, "dim_z": 50},
        "D": {"channels": channels, "keep_input": 1.0, "keep_hidden": 0.5, "noise": 0.3},
    }
    config.players = {"generator": adam(1e-3, 0.5, 0.999), "discriminator": adam(1e-3, 0.5, 0.999)}
    config.phases = section(Rules(unlabelled_weight=1.0))
    config.ema = {"decay": 0.99, "start": "100 steps"}
    on_digits(config, steps=2000, quick=quick)
    config.data.update({"source": "digits:train", "labelled": 10, "labelled_half": True})
    config.evaluate.metrics = ("frechet:digits", "pr:digits")  # no class can be asked for
    return config
