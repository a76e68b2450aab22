"""BigBiGAN on ImageNet at 128 x 128, batch 2048, without labels.

    gan-jax train --config=configs/bigbigan_imagenet128.py --workdir=workdirs/bigbigan
    gan-jax train --config=configs/bigbigan_imagenet128.py:2048x1 --workdir=workdirs/bigbigan    all at once, on a pod

Paper: arXiv 1907.02544: its base with an encoder of 50 layers (ResNet-v2), which here sees the images at 128 pixels that
the generator makes; networks of latents and of pairs with four residual blocks of width 2048, two discriminator steps,
the encoder's rate ten times the generator's.
Hardware: a TPU slice or a node of GPUs. Not yet trained with this code, so no score is claimed.
"""

from gan_jax import config as configs
from gan_jax.experiments import adam
from gan_jax.game.rules import section
from gan_jax.recipes.bigbigan import Rules


def get_config(size: str = "256x8"):
    """The experiment at a microbatch and a number of accumulations, or "quick": a few steps of a tiny one."""
    config = configs.load(f"configs/biggan_imagenet128.py:{size}")
    config.unlock()
    quick = size == "quick"
    config.recipe = "bigbigan"
    config.model = {
        "G": config.model.G,
        "E": {
            "blocks": (1, 1, 1, 1) if quick else (3, 4, 6, 3),
            "channels": 4 if quick else 64,
            "stem": 7,
            "width": 16 if quick else 2048,
        },
        "F": config.model.D,
        "D": {"width": 16 if quick else 2048, "blocks": 4, "sn_eps": 1e-6},
    }
    config.players = {
        "generator": adam(5e-5, 0.0, 0.999),
        "encoder": adam(5e-4, 0.0, 0.999),
        "discriminator": adam(2e-4, 0.0, 0.999),
    }
    config.phases = section(Rules())
    config.data.num_classes = 0
    if not quick:
        config.train.length = "500000 steps"
    return config
