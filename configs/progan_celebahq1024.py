"""ProGAN on CelebA-HQ at 1024 x 1024, grown from 4 x 4 in 12,000 kimg.

    gan-jax train --config=configs/progan_celebahq1024.py --workdir=workdirs/celebahq              one GPU
    gan-jax train --config=configs/progan_celebahq1024.py:8gpus --workdir=workdirs/celebahq        eight, larger batches

Paper: arXiv 1710.10196, FID 7.30. Settings: the presets `v2-1gpu` and `v2-8gpus` of tkarras/progressive_growing_of_gans,
config.py, in float32; images per step and learning rate at each resolution:

                 4     8    16    32    64   128    256    512   1024
    1 GPU      128   128   128    64    32    16      8      4      4     0.001; 0.0015 at 1024
    8 GPUs     512   256   128    64    32    32     32     32     32     0.001; 0.0015 from 128, 0.002, 0.003, 0.003

Data: CelebA-HQ is made by hand from CelebA (`celeb_a_hq` of TFDS says how). Prepared once, 94 GB, it is read without
decoding, always in full resolution: the steps at 4 x 4 wait for the disk.

    gan-jax prepare --source=tfds:celeb_a_hq/1024 --resolution=1024 --out=prepared/celebahq1024

Hardware: 23.1 million parameters each. Not yet trained to the end with this code, so no score of its own is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.game.rules import section
from gan_jax.recipes.progan import Rules


def get_config(size: str = ""):
    """The experiment on one GPU, or "8gpus", or "quick" for two steps of a tiny one on the built-in digits."""
    check_argument(size, "8gpus", "quick")
    config = base()
    config.recipe = "progan"
    network = {"channel_base": 16384, "channel_max": 512}
    config.model = {"G": {**network, "dim_z": 512}, "D": {**network, "group": 4}}
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.0, "b2": 0.99, "eps": 1e-8}, "learning_rate": 1e-3}
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = section(Rules())
    config.ema = {"decay": 0.999, "start": "0 steps"}
    config.data.update({"source": "prepared:prepared/celebahq1024", "resolution": 1024, "num_classes": 0, "flip": True})
    config.train.growth = {
        "start": 4,
        "fade_kimg": 600.0,
        "stable_kimg": 600.0,
        "batches": (128, 128, 128, 64, 32, 16, 8, 4, 4),
        "rates": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.5),
    }
    if size == "8gpus":
        config.train.growth.batches = (512, 256, 128, 64, 32, 32, 32, 32, 32)
        config.train.growth.rates = (1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 2.0, 3.0, 3.0)
    config.train.batch_size = config.train.growth.batches[-1]
    config.train.length = "12000 kimg"
    config.train.checkpoint_every = config.report.samples_every = "200 kimg"
    config.report.every = "4 kimg"
    config.report.rows, config.report.columns = 4, 4
    config.evaluate.batch = 16
    return quick(config) if size == "quick" else config


def quick(config):
    """A step at 4 x 4 and one while 8 x 8 fades in, of networks that grow to 16 x 16 and have few channels."""
    config.model.G.dim_z = 8
    config.model.G.channel_base = config.model.D.channel_base = 128
    config.model.G.channel_max = config.model.D.channel_max = 8
    config.data.source, config.data.resolution = "digits", 16
    growth = {"fade_kimg": 0.008, "stable_kimg": 0.008, "batches": (8, 8, 8), "rates": (1.0, 1.0, 1.0)}
    config.train.growth.update(growth)
    config.train.batch_size = 8
    config.train.length = "2 steps"
    config.report.every = "1 step"
    return config
