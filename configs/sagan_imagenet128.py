"""SAGAN on ImageNet at 128 x 128.

    gan-jax train --config=configs/sagan_imagenet128.py --workdir=workdirs/sagan128

Paper: arXiv 1805.08318; the settings are those of brain-research/self-attention-gan: batch 256, one step each, Adam
1e-4 for the generator and 4e-4 for the discriminator (0, 0.999; the paper has 0.9), a million steps; attention at 64
pixels, as in BigGAN-PyTorch's launch_SAGAN_bs128x2_ema.sh, which also has the average of the generator. There the
generator's tables of classes begin at 1 and 0, here about them.
Data: `imagenet2012` of TFDS, whose archives are downloaded by hand, prepared as in `biggan_imagenet128.py`.
Hardware: four GPUs; 42.0 and 39.4 million parameters. The paper has FID 18.65 and IS 52.52. Not yet trained with this
code, so no score is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_imagenet128, residual
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "sagan"
    network = {"channels": 4 if quick else 64, "attention": (8 if quick else 64,), "sn_eps": 1e-8}
    config.model = residual(network, network)
    config.players = {"generator": adam(1e-4, 0.0, 0.999), "discriminator": adam(4e-4, 0.0, 0.999)}
    config.phases = section(Rules(loss="hinge", conditioning={"name": "projection"}))
    config.ema = {"decay": 0.9999, "start": "2000 steps"}
    on_imagenet128(config, "1000000 steps", 256, quick)
    return config
