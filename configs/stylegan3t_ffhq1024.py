"""StyleGAN3-T on FFHQ at 1024 x 1024: a generator that commutes with translations.

    gan-jax train --config=configs/stylegan3t_ffhq1024.py --workdir=workdirs/ffhq              StyleGAN3-T
    gan-jax train --config=configs/stylegan3t_ffhq1024.py:r --workdir=workdirs/ffhq_r          StyleGAN3-R, rotations too

Paper: arXiv 2106.12423, figure 5: FID 2.79 for T and 3.07 for R on 50,000 images, unmirrored, against all of FFHQ.
Settings: docs/configs.md of NVlabs/stylegan3, `--cfg=stylegan3-t --gpus=8 --batch=32 --gamma=32.8 --mirror=1
--aug=noaug`, for R the same with `--cfg=stylegan3-r`; bfloat16 where that has float16.

Data: FFHQ (NVlabs/ffhq-dataset), a folder of PNG files. Prepared once, 220 GB, it is read without decoding:

    gan-jax prepare --source=folder:PATH --resolution=1024 --out=prepared/ffhq1024

Hardware: the published code takes 28.7 (T) and 34.1 (R) seconds for 1,000 images on eight V100, 8.3 and 9.9 days in
all; 20.0 and 23.4 seconds on eight A100. Generator 22.3 (T) and 15.1 (R) million parameters, discriminator 29.0.
Not yet trained to the end with this code, so no score of its own is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.game.rules import section
from gan_jax.recipes.stylegan3 import Rules


def get_config(size: str = ""):
    """StyleGAN3-T; "r": StyleGAN3-R; "quick": two steps of a tiny T on the built-in digits."""
    check_argument(size, "r", "quick")
    radial = size == "r"
    config = base()
    config.recipe = "stylegan3"
    network = {"channel_max": 512, "half_resolutions": 4, "conv_clamp": 256.0}
    config.model = {
        "dim_z": 512,
        "G": {
            **network,
            "dim_w": 512,
            "mapping_layers": 2,
            "channel_base": 65536 if radial else 32768,
            "channel_max": 1024 if radial else 512,
            "kernel_size": 1 if radial else 3,
            "radial": radial,
        },
        "D": {
            **network,
            "channel_base": 32768,
            "mapping_layers": 8,
            "architecture": "resnet",
            "stddev_group": 4,
            "remat": None,
        },
    }
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.0, "b2": 0.99, "eps": 1e-8}}
    config.players = {
        "generator": {**adam, "learning_rate": 2.5e-3},
        "discriminator": {**adam, "learning_rate": 2e-3},
    }
    blur = {"blur_sigma": 10.0, "blur_fade_kimg": 200.0} if radial else {}
    config.phases = section(Rules(gamma=32.8, **blur))
    config.ema = {"half_life": "10 kimg", "ramp_up": 0.05}
    config.data.update({"source": "prepared:prepared/ffhq1024", "resolution": 1024, "num_classes": 0, "flip": True})
    config.precision.compute = "bfloat16"
    config.train.length = "25000 kimg"
    config.train.batch_size = 32
    config.train.checkpoint_every = config.report.samples_every = "200 kimg"
    config.report.every = "4 kimg"
    config.report.rows, config.report.columns = 4, 4
    config.evaluate.batch = 16
    return quick(config) if size == "quick" else config


def quick(config):
    """Two steps of the same networks with few channels, on the built-in digits at 16 x 16."""
    config.model.dim_z = config.model.G.dim_w = 8
    config.model.G.channel_base = config.model.D.channel_base = 64
    config.model.G.channel_max = config.model.D.channel_max = 4
    config.data.source, config.data.resolution = "digits", 16
    config.precision.compute = "float32"
    config.train.length = "2 steps"
    config.train.batch_size = 4
    config.report.every = "1 step"
    return config
