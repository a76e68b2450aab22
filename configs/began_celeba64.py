"""BEGAN on CelebA at 64 x 64.

    gan-jax train --config=configs/began_celeba64.py --workdir=workdirs/began_celeba64

Paper: arXiv 1703.10717; the settings are those of carpedm20/BEGAN-tensorflow: z of 64, 128 channels, batch 16, gamma
0.5, k by steps of 0.001, Adam 8e-5 (0.5, 0.999) that is halved after 100,000 and after 200,000 steps, 500,000 steps.
There faces are cut out more closely than the centre of the image.
Data: CelebA of TFDS. Hardware: one GPU; 1.7 and 13.4 million parameters. Not yet trained with this code, so no score is
claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_images
from gan_jax.game.rules import section
from gan_jax.recipes.began import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "began"
    channels = 4 if quick else 128
    config.model = {"latents": "uniform", "G": {"channels": channels}, "D": {"channels": channels, "dim_z": 64}}
    halved = {"decay": "exponential", "start": "0 steps", "end": "200000 steps", "final": 0.25, "stairs": 2}
    player = adam(8e-5, 0.5, 0.999, schedule={"warmup": "0 steps", **halved})
    config.players = {"generator": player, "discriminator": player}
    config.phases = section(Rules(gamma=0.5, step=0.001))
    config.ema = {}
    on_images(config, "tfds:celeb_a", 64, "500000 steps", 16, 16 if quick else None)
    return config
