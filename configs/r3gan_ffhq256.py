"""R3GAN on FFHQ at 256 x 256: the preset "FFHQ-256" of brownvc/R3GAN, batch 256.

    gan-jax train --config=configs/r3gan_ffhq256.py --workdir=workdirs/r3gan_ffhq256

Paper: arXiv 2501.05441, which reports an FID of 2.75. Mirrored images, augmentation with a probability that rises to 0.3
over the 20 million images in which all schedules end; the published code then goes on until it is stopped. The stages of
4, 8 and 16 pixels compute in float32, as published. Data: FFHQ (NVlabs/ffhq-dataset), a folder of PNG files; prepared
once, it is read without decoding:

    gan-jax prepare --source=folder:PATH --resolution=256 --out=prepared/ffhq256

Hardware: eight GPUs in the published command, where `--config.train.microbatches=2` halves the memory; 23.1 and 23.0
million parameters. Not yet trained to the end with this code, so no score is claimed.
"""

from gan_jax.config import base, check_argument

SCHEDULE = 20_000  # kimg until all schedules end


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one on the built-in digits."""
    check_argument(size, "quick")
    config = base()
    config.recipe = "r3gan"
    network = {
        "widths": (768, 768, 768, 768, 384, 192, 96),
        "groups": (96, 96, 96, 96, 48, 24, 12),
        "blocks": (2,) * 7,
        "float32_stages": 3,
    }
    config.model = {"dim_z": 64, "G": {**network}, "D": {**network}}
    until = f"{SCHEDULE} kimg"
    adam = {
        "transform": "scale_by_adam",
        "options": {"b1": 0.0, "b2": {"start": 0.9, "end": 0.99, "until": until}, "eps": 1e-8},
        "learning_rate": 2e-4,
        "schedule": {"decay": "cosine", "warmup": "0 steps", "start": "0 steps", "end": until, "final": 0.25},
    }
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = {
        "gamma": {"start": 150.0, "end": 15.0, "until": until},
        "augment": {
            "name": "ada",
            "transforms": {"blit": 1.0, "geom": 1.0, "color": 0.5, "cutout": 1.0},
            "p": {"start": 0.0, "end": 0.3, "until_kimg": SCHEDULE},
        },
    }
    config.ema = {"half_life": {"start": "0 images", "end": "500 kimg", "until": until}, "ramp_up": None}
    config.data.update({"source": "prepared:prepared/ffhq256", "resolution": 256, "num_classes": 0, "flip": True})
    config.precision.compute = "bfloat16"
    config.train.length = until
    config.train.batch_size = 256
    config.train.checkpoint_every = config.report.samples_every = "200 kimg"
    config.report.rows, config.report.columns = 8, 8
    config.evaluate.batch = 64
    if size == "quick":
        tiny = {"widths": (8, 8, 8), "groups": (1, 1, 1), "blocks": (1, 1, 1), "float32_stages": 1}
        config.model.G.update(tiny)
        config.model.D.update(tiny)
        config.data.source, config.data.resolution = "digits", 16
        config.train.length = "2 steps"
        config.train.batch_size = 8
        config.report.every = "1 step"
        config.report.rows, config.report.columns = 2, 4
    return config
