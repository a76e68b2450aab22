"""VAE-GAN on CelebA at 64 x 64.

    gan-jax train --config=configs/vae_gan_celeba64.py --workdir=workdirs/vae_gan_celeba64

Paper: arXiv 1512.09300; the settings are those of andersbll/autoencoding_beyond_pixels, celeba_aegan.py: z of 128,
batch 64, RMSProp 3e-4, 150 epochs of 250 steps, the error of features times 1e-5 in the generator's loss. There the
rate falls from epoch to epoch, real images count 0.66, a player that is far ahead waits, and the networks have kernels
of 5 and one halving less; here they are DCGAN's.
Data: CelebA of TFDS, the centre of each image. Hardware: one GPU; generator 3.8, encoder 4.9, discriminator 2.8 million
parameters. Not yet trained with this code, so no score is claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import on_images, rmsprop
from gan_jax.game.rules import section
from gan_jax.recipes.vae_gan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "vae_gan"
    network = {"channels": 4 if quick else 64, "norm": "batch"}
    config.model = {
        "G": {**network, "dim_z": 128, "embedding": 0},
        "E": network,
        "D": {**network, "embedding": 0},
    }
    config.players = {name: rmsprop(3e-4) for name in ("encoder", "generator", "discriminator")}
    config.phases = section(Rules(gamma=1e-5))
    config.ema = {}
    on_images(config, "tfds:celeb_a", 64, "37500 steps", 64, 16 if quick else None)
    return config
