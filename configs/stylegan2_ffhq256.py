"""StyleGAN2 on FFHQ at 256 x 256: the setting `paper256` of StyleGAN2-ADA.

    gan-jax train --config=configs/stylegan2_ffhq256.py --workdir=workdirs/ffhq256              no augmentation
    gan-jax train --config=configs/stylegan2_ffhq256.py:ada --workdir=workdirs/ffhq256_ada      adaptive augmentation

Paper: arXiv 1912.04958 and 2006.06676, where figure 7 has FID 3.66 (plain) and 3.88 (ADA) on FFHQ-140k, which is FFHQ
mirrored, for the code in TensorFlow. Settings: `--cfg=paper256 --mirror=1` of NVlabs/stylegan2-ada-pytorch, train.py;
bfloat16 where that has float16.

Data: FFHQ (NVlabs/ffhq-dataset), a folder of PNG files. Prepared once, 14 GB, it is read without decoding:

    gan-jax prepare --source=folder:PATH --resolution=256 --out=prepared/ffhq256

Hardware: published for eight GPUs with 16 GB. The PyTorch code takes 4.4 to 5.5 seconds for 1,000 images on eight V100
with its setting auto, 35 hours in all. Generator 24.8, discriminator 24.0 million parameters. Not yet trained to the
end with this code, so no score of its own is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.game.rules import section
from gan_jax.recipes.stylegan2 import Rules

ADA = {"name": "ada", "transforms": "bgc", "p": 0.0, "target": 0.6, "interval": 4, "horizon_kimg": 500}


def get_config(size: str = ""):
    """The experiment; "ada": with adaptive augmentation; "quick": two steps of a tiny one on the built-in digits."""
    check_argument(size, "ada", "quick")
    config = base()
    config.recipe = "stylegan2"
    network = {"channel_base": 16384, "channel_max": 512, "conv_clamp": 256.0, "half_resolutions": 4, "remat": None}
    config.model = {
        "dim_z": 512,
        "G": {**network, "dim_w": 512, "mapping_layers": 8, "architecture": "skip"},
        "D": {**network, "mapping_layers": 8, "architecture": "resnet", "stddev_group": 8},
    }
    moments = {"b1": 0.0, "b2": 0.99, "eps": 1e-8, "mu_dtype": None}
    adam = {"transform": "scale_by_adam", "options": moments, "learning_rate": 2.5e-3}
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = section(Rules(gamma=1.0, augment=ADA if size == "ada" else {"name": "none"}))
    config.ema = {"half_life": "20 kimg", "ramp_up": 0.0}
    config.data.update({"source": "prepared:prepared/ffhq256", "resolution": 256, "num_classes": 0, "flip": True})
    config.precision.compute = "bfloat16"
    config.train.length = "25000 kimg"
    config.train.batch_size = 64
    config.train.checkpoint_every = config.report.samples_every = "200 kimg"
    config.report.every = "4 kimg"
    return quick(config) if size == "quick" else config


def quick(config):
    """Two steps of the same networks with few channels, on the built-in digits at 16 x 16."""
    config.model.dim_z = config.model.G.dim_w = 8
    config.model.G.channel_base = config.model.D.channel_base = 64
    config.model.G.channel_max = config.model.D.channel_max = 4
    config.model.D.stddev_group = 4
    config.data.source, config.data.resolution = "digits", 16
    config.precision.compute = "float32"
    config.train.length = "2 steps"
    config.train.batch_size = 8
    config.report.every = "1 step"
    config.report.rows, config.report.columns = 2, 4
    config.evaluate.batch = 8
    return config
