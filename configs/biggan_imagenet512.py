"""BigGAN on ImageNet at 512 x 512, batch 2048.

    gan-jax train --config=configs/biggan_imagenet512.py --workdir=workdirs/imagenet512
    gan-jax train --config=configs/biggan_imagenet512.py:64x32 --workdir=workdirs/imagenet512     for less memory

As `biggan_imagenet256.py` (arXiv 1809.11096), with the paper's z of 160 and attention at 64 in both networks.
Hardware: a TPU pod slice; 82.5 and 98.8 million parameters. Not yet trained with this code, so no score is claimed.
"""

from gan_jax import config as configs


def get_config(size: str = "256x8"):
    """The experiment at a microbatch and a number of accumulations, or "quick": a few steps of a tiny one."""
    config = configs.load(f"configs/biggan_imagenet256.py:{size}")
    config.unlock()
    config.model.G.dim_z = 160
    if size != "quick":
        config.data.resolution = 512
        config.model.G.attention = (64,)
    return config
