"""The preset "r1": the R1-regularised ResNet GAN for any set of images, batch and gamma by StyleGAN2-ADA's rules.

    gan-jax train --data=folder:PATH --preset=r1 --workdir=workdirs/mine

Networks, losses and learning rate: arXiv 1801.04406, LMescheder/GAN_stability, configs/imagenet.yaml (64 channels, at
most 1024, z and class embedding of 256, Adam (0, 0.99) with 1e-4), at every resolution. No normalisation, no attention:
the same network from 8 to 512 pixels, with and without classes.

Batch, gamma, average and length: the rules of `--cfg=auto` in train.py of NVlabs/stylegan2-ada-pytorch (arXiv
2006.06676), for n devices and a resolution R:

    batch = max(min(n * min(4096 // R, 32), 64), n), here rounded up to a multiple of n
    gamma = 0.0002 * R^2 / batch, the penalty in every 16th step
    half-life of the average = batch * 10 / 32 kimg, at most 0.05 of the images seen
    length = 25,000 kimg; stop sooner when the samples no longer improve

Those rules were tuned for StyleGAN2's networks and Adam at 2.5e-3; on these networks they are a start, and gamma is the
value to try others of. Images are not mirrored, as without StyleGAN's `--mirror`.
"""

from gan_jax.config import base
from gan_jax.game.rules import section
from gan_jax.recipes.r1 import Rules

REASONS = {
    "data.flip": "mirror with --config.data.flip=True where left and right may be exchanged",
    "train.batch_size": "StyleGAN2-ADA's auto: up to 32 per device, fewer above 128 pixels, and 64 in all",
    "phases.gamma": "StyleGAN2-ADA's auto: 0.0002 * resolution^2 / batch of this rule",
    "phases.r1_every": "lazy regularisation as StyleGAN2's",
    "ema.half_life": "StyleGAN2-ADA's auto: batch of this rule * 10 / 32 kimg",
    "train.length": "StyleGAN2-ADA's; stop sooner when the samples no longer improve",
    "train.checkpoint_every": "ten passes over the images, between 10 and 200 kimg",
}


def get_config(facts):
    """The config for a data set, a `gan_jax.preset.Facts`."""
    batch = max(min(facts.devices * min(4096 // facts.resolution, 32), 64), facts.devices)
    batch = -(-batch // facts.devices) * facts.devices
    gamma = 0.0002 * facts.resolution**2 / batch
    config = base()
    config.recipe = "r1"
    network = {"channels": 64, "max_channels": 1024}
    config.model = {"dim_z": 256, "G": {**network, "embedding_dim": 256}, "D": network}
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.0, "b2": 0.99, "eps": 1e-8}, "learning_rate": 1e-4}
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = section(Rules(gamma=float(f"{gamma:.4g}"), r1_every=16))
    config.ema = {"half_life": f"{batch * 10 / 32:g} kimg", "ramp_up": 0.05}
    config.data.update(facts.data)
    config.train.length = "25000 kimg"
    config.train.batch_size = batch
    config.train.checkpoint_every = config.report.samples_every = facts.snapshot
    config.report.every = "4 kimg"
    return config
