"""The preset "biggan": the published settings of BigGAN that are nearest to the resolution of the images.

    gan-jax train --data=folder:PATH --preset=biggan --workdir=workdirs/mine

Up to 32 pixels: `configs/biggan_cifar10.py`, which is launch_cifar_ema.sh of ajbrock/BigGAN-PyTorch; the batch of 50 is
rounded up to a multiple of the devices. Larger images: the networks of `configs/biggan_imagenet128.py`, and from 256
pixels of `configs/biggan_imagenet256.py` (arXiv 1809.11096), with self-attention at 64 pixels (at 32 in images of 64;
at 128 in the generator of 256). Their batch of 2048 belongs to a set like ImageNet. Instead optimisers, length and
average are those of BigGAN at batch 256 in POSTECH-CVLab/PyTorch-StudioGAN (ImageNet/BigGAN-256.yaml and, for a set of
some thousand images, AFHQv2/BigGAN-256Res.yaml): 5e-5 and 2e-4, two discriminator steps, 200,000 steps.

The batch of 256 is accumulated from microbatches of at most 32 images of 128 pixels per device, or as many pixels at
another resolution: what BigGAN-PyTorch fits into a GPU of 16 GB. Batch statistics are those of a microbatch, over all
devices; with much memory, set `--config.train.microbatches=1`.

Images are not mirrored, as in both code bases' scripts for BigGAN-PyTorch (its `--augment` is off).
"""

from gan_jax import config as configs

REASONS = {
    "data.flip": "mirror with --config.data.flip=True where left and right may be exchanged",
    "model.G.channels": "as published for the nearest resolution",
    "model.G.attention": "as published for the nearest resolution",
    "phases.conditioning.name": "as published, where there are classes",
    "phases.discriminator_steps": "as published with this batch size",
    "train.batch_size": "50 up to 32 pixels (BigGAN-PyTorch), else 256 (StudioGAN), or next multiple that divides",
    "train.microbatches": "at most 32 images of 128 x 128 pixels per device at a time, or as many pixels",
    "train.length": "as published; stop sooner when the samples no longer improve",
    "train.checkpoint_every": "ten passes over the images, between 10 and 200 kimg",
}
IMAGES_PER_DEVICE = 32 * 128**2  # pixels


def get_config(facts):
    """The config for a data set, a `gan_jax.preset.Facts`."""
    config = small(facts) if facts.resolution <= 32 else large(facts)
    config.data.update(facts.data)
    if not facts.num_classes:
        config.phases.conditioning.name = "none"
    config.train.checkpoint_every = config.report.samples_every = facts.snapshot
    config.report.every = "4 kimg"
    return config


def small(facts):
    """CIFAR-10's settings."""
    config = configs.load("configs/biggan_cifar10.py").unlock()
    config.train.batch_size = -(-50 // facts.devices) * facts.devices
    return config


def large(facts):
    """ImageNet's networks, optimised as at batch 256."""
    config = configs.load(f"configs/biggan_imagenet{256 if facts.resolution >= 256 else 128}.py").unlock()
    if facts.resolution == 64:
        config.model.G.attention = config.model.D.attention = (32,)
    if facts.resolution == 512:
        config.model.G.dim_z, config.model.G.attention = 160, (64,)
    config.players.generator.learning_rate, config.players.discriminator.learning_rate = 5e-5, 2e-4
    config.phases.discriminator_steps = 2
    config.train.length = "200000 steps"
    per_device = max(IMAGES_PER_DEVICE // facts.resolution**2, 1)
    microbatches = -(-256 // (facts.devices * per_device))
    config.train.microbatches = microbatches
    config.train.batch_size = -(-256 // (facts.devices * microbatches)) * facts.devices * microbatches
    return config
