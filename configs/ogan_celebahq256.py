"""O-GAN on CelebA-HQ at 256 x 256.

    gan-jax train --config=configs/ogan_celebahq256.py --workdir=workdirs/ogan_celebahq256

Paper: arXiv 1903.01931; the settings are those of bojone/o-gan, o_gan_celeba_sm_4x4_ema_256.py: Gaussian z of 256,
batch 48, RMSProp 1e-4, an average with a decay of 0.9999, 1,000 epochs, which is where that loop ends. There the
normalisations are modulated by two small networks of 256 hidden units each, here by one of 32.
Data: CelebA-HQ, a folder of PNG files. Prepared once, it is read without decoding:

    gan-jax prepare --source=folder:PATH --resolution=256 --out=prepared/celebahq256

Hardware: one GPU; generator 53.4, encoder 53.1 million parameters. Not yet trained with this code, so no score is
claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import on_images, rmsprop
from gan_jax.game.rules import CommonRules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "ogan"
    channels = 4 if quick else 64
    config.model = {
        "latents": "normal",
        "G": {"channels": channels, "dim_z": 256, "embedding": 0, "norm": "self_modulated"},
        "E": {"channels": channels, "norm": "batch"},
    }
    config.players = {"both": rmsprop(1e-4)}
    config.phases = section(CommonRules())
    config.ema = {"decay": 0.9999, "start": "0 steps"}
    on_images(config, "prepared:prepared/celebahq256", 256, "1000 epochs", 48, 16 if quick else None)
    return config
