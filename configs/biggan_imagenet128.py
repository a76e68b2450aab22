"""BigGAN on ImageNet at 128 x 128, batch 2048: BigGAN-PyTorch's recommended settings.

    gan-jax train --config=configs/biggan_imagenet128.py --workdir=workdirs/imagenet128          8 x 256 accumulated
    gan-jax train --config=configs/biggan_imagenet128.py:2048x1 --workdir=workdirs/imagenet128   all at once, on a pod

The argument is MICROBATCHxACCUMULATIONS; batch statistics are those of a microbatch, as published.
Paper: arXiv 1809.11096 (there 5e-5 and 2e-4 with two discriminator steps); the settings are those of BigGAN-PyTorch's
launch_BigGAN_bs256x8.sh, which reports FID 8.7 to 9.2 for its own code after 140,000 to 150,000 steps.
Data: `imagenet2012` of TFDS, whose archives are downloaded by hand; prepared once, it is read without decoding:

    gan-jax prepare --source=tfds:imagenet2012 --resolution=128 --crop=biggan --out=prepared/imagenet128

and `--config.data.source=prepared:prepared/imagenet128`.
Hardware: a TPU slice or a node of GPUs; 70.4 and 88.0 million parameters, about 310 GFLOP per image. Not yet trained
to the end with this code, so no score is claimed.
"""

from gan_jax.config import base
from gan_jax.errors import ConfigError
from gan_jax.game.rules import Rules, section


def get_config(size: str = "256x8"):
    """The experiment at a microbatch and a number of accumulations, or "quick": a few steps of a tiny one."""
    config = base()
    config.recipe = "biggan"
    network = {"channels": 96, "attention": (64,), "sn_eps": 1e-6, "weight_init": "ortho", "remat": None}
    config.model = {
        "family": "biggan",
        "latents": "normal",
        "G": {
            **network,
            "dim_z": 120,
            "shared_dim": 128,
            "hierarchical": True,
            "shared_embedding": True,
            "bn_eps": 1e-5,
        },
        "D": {**network, "wide": True, "equal_width_shortcut": True},
    }
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.0, "b2": 0.999, "eps": 1e-6, "mu_dtype": None}}
    config.players = {
        "generator": {**adam, "learning_rate": 1e-4},
        "discriminator": {**adam, "learning_rate": 4e-4},
    }
    config.phases = section(Rules(loss="hinge", conditioning={"name": "projection"}))
    config.ema = {"decay": 0.9999, "start": "20000 steps"}
    config.data.update({"source": "tfds:imagenet2012", "resolution": 128, "channels": 3, "num_classes": 1000})
    config.precision.compute = "bfloat16"
    config.train.length = "150000 steps"
    config.train.checkpoint_every = "1000 steps"
    config.report.samples_every = "1000 steps"
    config.evaluate.standing = 16
    if size == "quick":
        return quick(config)
    microbatch, times, accumulations = size.partition("x")
    if not (times and microbatch.isdigit() and accumulations.isdigit() and int(microbatch) and int(accumulations)):
        raise ConfigError(f'the argument of biggan_imagenet128 is {size!r}: expected such as "256x8", or "quick"')
    config.train.batch_size = int(microbatch) * int(accumulations)
    config.train.microbatches = int(accumulations)
    return config


def quick(config):
    """Two steps of the same networks with few channels, on the built-in digits at 16 x 16."""
    config.data.source = "digits"
    config.data.resolution = 16
    config.data.num_classes = 10
    config.model.G.attention = config.model.D.attention = (8,)
    config.model.G.channels = config.model.D.channels = 8
    config.train.length = "2 steps"
    config.train.batch_size = 4
    config.train.microbatches = 1
    config.report.every = "1 step"
    config.report.rows, config.report.columns = 2, 4
    config.evaluate.batch = 8
    config.evaluate.standing = 0
    return config
