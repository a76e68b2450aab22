"""The preset "stylegan2": StyleGAN2-ADA for any set of images, settings by its own rules.

    gan-jax train --data=folder:PATH --preset=stylegan2 --workdir=workdirs/mine

The rules of `--cfg=auto` in train.py of NVlabs/stylegan2-ada-pytorch (arXiv 2006.06676), for n devices and a
resolution R:

    batch = max(min(n * min(4096 // R, 32), 64), n), here rounded up to a multiple of n
    gamma = 0.0002 * R^2 / batch, the penalty in every 16th step
    half-life of the average = batch * 10 / 32 kimg, at most 0.05 of the images seen
    channels = 32768 / resolution from 512 pixels on, half as many below; at most 512
    learning rate = 0.0025, from 1024 pixels on 0.002
    length = 25,000 kimg; stop sooner when the samples no longer improve

with adaptive augmentation (bgc, target 0.6), two mapping layers, and minibatch groups of 4 where that divides the
batch. Images are not mirrored, as without its `--mirror`. On GPUs and TPUs add
`--config.precision.compute=bfloat16`, which concerns the four highest resolutions.
"""

import math

from gan_jax.config import base
from gan_jax.game.rules import section
from gan_jax.recipes.stylegan2 import Rules

REASONS = {
    "data.flip": "mirror with --config.data.flip=True where left and right may be exchanged",
    "train.batch_size": "StyleGAN2-ADA's auto: up to 32 per device, fewer above 128 pixels, and 64 in all",
    "phases.gamma": "StyleGAN2-ADA's auto: 0.0002 * resolution^2 / batch; try others, it matters",
    "phases.augment.name": "StyleGAN2-ADA's: as strong as the discriminator's overfitting asks for",
    "model.G.channel_base": "StyleGAN2-ADA's auto: full width from 512 pixels on, half below",
    "precision.compute": "bfloat16 for GPUs and TPUs; it concerns the four highest resolutions",
    "ema.half_life": "StyleGAN2-ADA's auto: batch * 10 / 32 kimg",
    "train.length": "StyleGAN2-ADA's; stop sooner when the samples no longer improve",
    "train.checkpoint_every": "ten passes over the images, between 10 and 200 kimg",
}


def get_config(facts):
    """The config for a data set, a `gan_jax.preset.Facts`."""
    resolution = facts.resolution
    batch = max(min(facts.devices * min(4096 // resolution, 32), 64), facts.devices)
    batch = -(-batch // facts.devices) * facts.devices
    config = base()
    config.recipe = "stylegan2"
    network = {"channel_base": 32768 if resolution >= 512 else 16384, "channel_max": 512}
    network |= {"conv_clamp": 256.0, "half_resolutions": 4, "remat": None}
    config.model = {
        "dim_z": 512,
        "G": {**network, "dim_w": 512, "mapping_layers": 2, "architecture": "skip"},
        "D": {
            **network,
            "mapping_layers": 8,
            "architecture": "resnet",
            "stddev_group": math.gcd(batch, 4),
        },
    }
    rate = 2e-3 if resolution >= 1024 else 2.5e-3
    options = {"b1": 0.0, "b2": 0.99, "eps": 1e-8, "mu_dtype": None}
    adam = {"transform": "scale_by_adam", "options": options, "learning_rate": rate}
    config.players = {"generator": adam, "discriminator": adam}
    augment = {"name": "ada", "transforms": "bgc", "p": 0.0, "target": 0.6, "interval": 4, "horizon_kimg": 500}
    config.phases = section(Rules(gamma=float(f"{0.0002 * resolution**2 / batch:.4g}"), augment=augment))
    config.ema = {"half_life": f"{batch * 10 / 32:g} kimg", "ramp_up": 0.05}
    config.data.update(facts.data)
    config.train.length = "25000 kimg"
    config.train.batch_size = batch
    config.train.checkpoint_every = config.report.samples_every = facts.snapshot
    config.report.every = "4 kimg"
    return config
