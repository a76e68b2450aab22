"""S3GAN on ImageNet at 128 x 128, batch 2048, from a tenth of its labels.

    gan-jax train --config=configs/s3gan_imagenet128.py --workdir=workdirs/s3gan
    gan-jax train --config=configs/s3gan_imagenet128.py:2048x1 --workdir=workdirs/s3gan          all at once, on a pod

Paper: arXiv 1903.02271, whose abstract reports BigGAN's quality by a tenth of the labels. Networks and data are those of
`biggan_imagenet128.py`, z of 120 as in the paper; 128 images of each class keep their label, a tenth of the mean. The
published code takes its labelled examples at random, and turns of a quarter of the batch; here each image is turned one
way.
Hardware: a TPU slice or a node of GPUs. Not yet trained with this code, so no score is claimed.
"""

from gan_jax import config as configs
from gan_jax.experiments import adam
from gan_jax.game.rules import Rules, section


def get_config(size: str = "256x8"):
    """The experiment at a microbatch and a number of accumulations, or "quick": a few steps of a tiny one."""
    config = configs.load(f"configs/biggan_imagenet128.py:{size}")
    config.unlock()
    config.recipe = "s3gan"
    config.players = {"generator": adam(1e-4, 0.0, 0.999), "discriminator": adam(5e-4, 0.0, 0.999)}
    config.phases = section(
        Rules(
            loss="hinge",
            discriminator_steps=2,
            conditioning={"name": "predicted", "weight": 1.0},
            rotation=1.0,
            rotation_generator=0.2,
        )
    )
    config.data.labelled = 2 if size == "quick" else 128
    return config
