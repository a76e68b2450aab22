"""LOGAN on ImageNet at 128 x 128: BigGAN-deep whose latents are improved before they are used.

    gan-jax train --config=configs/logan_imagenet128.py --workdir=workdirs/logan128

Paper: arXiv 1912.00953: BigGAN-deep with uniform z of 256, steps of 0.9, damped by 5, for 0.8 of z, which cost 300
times their mean square. There ReLUs leak; optimisers and batch are those of `biggan_deep_imagenet128.py`.
Data: `imagenet2012` of TFDS, whose archives are downloaded by hand, prepared as in `biggan_imagenet128.py`.
Hardware: a TPU slice or a node of GPUs; 59.7 and 34.6 million parameters. The paper has FID 3.4 and IS 148. Not yet
trained with this code, so no score is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_imagenet128
from gan_jax.game.rules import section
from gan_jax.recipes.logan import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "logan"
    network = {"channels": 8 if quick else 128, "attention": (8 if quick else 64,), "sn_eps": 1e-6}
    network |= {"weight_init": "ortho", "remat": None}
    config.model = {
        "family": "biggan_deep",
        "latents": "uniform",
        "G": {**network, "dim_z": 256, "shared_dim": 128, "bn_eps": 1e-5},
        "D": network,
    }
    config.players = {"generator": adam(1e-4, 0.0, 0.999), "discriminator": adam(4e-4, 0.0, 0.999)}
    config.phases = section(Rules(loss="hinge", conditioning={"name": "projection"}))
    config.ema = {"decay": 0.9999, "start": "20000 steps"}
    on_imagenet128(config, "150000 steps", 2048, quick)
    config.train.microbatches = 1 if quick else 8
    return config
