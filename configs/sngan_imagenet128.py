"""SNGAN with the projection discriminator on ImageNet at 128 x 128.

    gan-jax train --config=configs/sngan_imagenet128.py --workdir=workdirs/sngan128

Paper: arXiv 1802.05637; the settings are those of pfnet-research/sngan_projection, configs/sn_projection.yml, on four
GPUs: hinge loss, batch 64, twice that for the generator, five discriminator steps, Adam 2e-4 (0, 0.9) for 450,000
steps, with rates that fall to 0 in the last 50,000. There some kernels of the generator begin larger than Glorot's,
and its tables of classes at 1 and 0, here about them.
Data: `imagenet2012` of TFDS, whose archives are downloaded by hand, prepared as in `biggan_imagenet128.py`.
Hardware: four GPUs; 42.0 and 30.0 million parameters. FID 27.62 and IS 36.8 are what SAGAN's paper (arXiv 1805.08318)
says of it. Not yet trained with this code, so no score is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_imagenet128, residual
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "sngan"
    channels = {"channels": 4 if quick else 64}
    config.model = residual(
        {**channels, "bn_eps": 2e-5, "output_bn_eps": 2e-5}, {**channels, "wide": False, "wide_input": True}
    )
    schedule = {"decay": "linear", "start": "400000 steps", "end": "450000 steps", "final": 0.0}
    player = adam(2e-4, 0.0, 0.9, schedule={"warmup": "0 steps", **schedule})
    config.players = {"generator": player, "discriminator": player}
    config.phases = section(
        Rules(loss="hinge", discriminator_steps=5, generator_batches=2, conditioning={"name": "projection"})
    )
    config.ema = {}
    on_imagenet128(config, "450000 steps", 64, quick)
    return config
