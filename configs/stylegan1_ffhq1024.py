"""StyleGAN on FFHQ at 1024 x 1024, grown from 8 x 8 in 25,000 kimg.

    gan-jax train --config=configs/stylegan1_ffhq1024.py --workdir=workdirs/ffhq              eight GPUs
    gan-jax train --config=configs/stylegan1_ffhq1024.py:1gpu --workdir=workdirs/ffhq         one, smaller batches

Paper: arXiv 1812.04948, FID 4.40 (table 1, F), 4.42 with the published weights. Settings: train.py of NVlabs/stylegan in
float32; images per step and learning rate at each resolution:

                 8    16    32    64   128    256    512   1024
    8 GPUs     256   128    64    32    32     32     32     32     0.001; 0.0015 from 128, 0.002, 0.003, 0.003
    1 GPU      128   128    64    32    16      8      4      4     the same

Data: FFHQ (NVlabs/ffhq-dataset), a folder of PNG files. Prepared once, 220 GB, it is read without decoding, always in
full resolution: the steps at 8 x 8 wait for the disk.

    gan-jax prepare --source=folder:PATH --resolution=1024 --out=prepared/ffhq1024

Hardware: the published code takes 6 days and 14 hours on eight V100, 41 days on one. 26.2 and 23.1 million parameters.
Not yet trained to the end with this code, so no score of its own is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.game.rules import section
from gan_jax.recipes.stylegan1 import Rules


def get_config(size: str = ""):
    """The experiment on eight GPUs, or "1gpu", or "quick" for two steps of a tiny one on the built-in digits."""
    check_argument(size, "1gpu", "quick")
    config = base()
    config.recipe = "stylegan1"
    network = {"channel_base": 16384, "channel_max": 512}
    mapping = {"dim_z": 512, "dim_w": 512, "mapping_layers": 8, "mapping_features": 512}
    config.model = {"G": {**network, **mapping, "truncation_cutoff": 8}, "D": {**network, "group": 4}}
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.0, "b2": 0.99, "eps": 1e-8}, "learning_rate": 1e-3}
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = section(Rules())
    config.ema = {"half_life": "10 kimg", "ramp_up": None}
    config.data.update({"source": "prepared:prepared/ffhq1024", "resolution": 1024, "num_classes": 0, "flip": True})
    config.train.growth = {
        "start": 8,
        "fade_kimg": 600.0,
        "stable_kimg": 600.0,
        "batches": (256, 128, 64, 32, 32, 32, 32, 32),
        "rates": (1.0, 1.0, 1.0, 1.0, 1.5, 2.0, 3.0, 3.0),
    }
    if size == "1gpu":
        config.train.growth.batches = (128, 128, 64, 32, 16, 8, 4, 4)
    config.train.batch_size = config.train.growth.batches[-1]
    config.train.length = "25000 kimg"
    config.train.checkpoint_every = config.report.samples_every = "200 kimg"
    config.report.every = "4 kimg"
    config.report.rows, config.report.columns = 4, 4
    config.evaluate.batch = 16
    return quick(config) if size == "quick" else config


def quick(config):
    """A step at 8 x 8 and one while 16 x 16 fades in, of networks that have few channels."""
    config.model.G.update({"dim_z": 8, "dim_w": 8, "mapping_layers": 2, "mapping_features": 8})
    config.model.G.channel_base = config.model.D.channel_base = 128
    config.model.G.channel_max = config.model.D.channel_max = 8
    config.data.source, config.data.resolution = "digits", 16
    config.train.growth.update({"fade_kimg": 0.008, "stable_kimg": 0.008, "batches": (8, 8), "rates": (1.0, 1.0)})
    config.train.batch_size = 8
    config.train.length = "2 steps"
    config.report.every = "1 step"
    return config
