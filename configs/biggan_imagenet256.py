"""BigGAN on ImageNet at 256 x 256, batch 2048.

    gan-jax train --config=configs/biggan_imagenet256.py --workdir=workdirs/imagenet256
    gan-jax train --config=configs/biggan_imagenet256.py:64x32 --workdir=workdirs/imagenet256     for less memory

As `biggan_imagenet128.py` (arXiv 1809.11096), with the paper's z of 140 and its placement of attention: 128 in the
generator, 64 in the discriminator, whose blocks of equal width have no shortcut convolution, as in compare_gan.
Hardware: a TPU pod slice; 82.1 and 98.6 million parameters. Not yet trained with this code, so no score is claimed.
"""

from gan_jax import config as configs


def get_config(size: str = "256x8"):
    """The experiment at a microbatch and a number of accumulations, or "quick": a few steps of a tiny one."""
    config = configs.load(f"configs/biggan_imagenet128.py:{size}")
    config.unlock()
    config.model.G.dim_z = 140
    config.model.D.equal_width_shortcut = False
    if size != "quick":
        config.data.resolution = 256
        config.model.G.attention = (128,)
    return config
