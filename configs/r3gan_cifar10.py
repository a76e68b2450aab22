"""R3GAN on CIFAR-10 at 32 x 32, with classes: the preset "CIFAR10" of brownvc/R3GAN, batch 512.

    gan-jax train --config=configs/r3gan_cifar10.py --workdir=workdirs/r3gan_cifar10
    gan-jax train --config=configs/r3gan_cifar10.py:unconditional --workdir=workdirs/r3gan_cifar10_unconditional

Paper: arXiv 2501.05441, which reports an FID of 1.96 with classes. Mirrored images, augmentation with a probability
that rises to 0.55 over the 20 million images in which all schedules end; the published code then goes on until it is
stopped. Data: CIFAR-10 of TFDS (absent: a sentence says how to get it), or a folder with one subfolder per class:
`--config.data.source=folder:PATH`.
Hardware: eight GPUs in the published command; 20.8 and 21.3 million parameters. Not yet trained to the end with this
code, so no score is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.game.rules import section
from gan_jax.recipes.r3gan import Rules

SCHEDULE = 20_000  # kimg until all schedules end


def get_config(size: str = ""):
    """The experiment, "unconditional", or with the argument "quick" a few steps of a tiny one on the built-in digits."""
    check_argument(size, "unconditional", "quick")
    config = base()
    config.recipe = "r3gan"
    network = {"widths": (768,) * 4, "groups": (96,) * 4, "blocks": (2,) * 4}
    config.model = {"dim_z": 64, "G": {**network, "embedding_dim": 64}, "D": {**network, "embedding_dim": 768}}
    until = f"{SCHEDULE} kimg"
    adam = {
        "transform": "scale_by_adam",
        "options": {"b1": 0.0, "b2": {"start": 0.9, "end": 0.99, "until": until}, "eps": 1e-8},
        "learning_rate": 2e-4,
        "schedule": {"decay": "cosine", "warmup": "0 steps", "start": "0 steps", "end": until, "final": 0.25},
    }
    config.players = {"generator": adam, "discriminator": adam}
    augment = {
        "name": "ada",
        "transforms": {"blit": 1.0, "geom": 1.0, "color": 0.5, "cutout": 1.0},
        "p": {"start": 0.0, "end": 0.55, "until_kimg": SCHEDULE},
    }
    config.phases = section(Rules(gamma={"start": 0.05, "end": 0.005, "until": until}, augment=augment))
    config.ema = {"half_life": {"start": "0 images", "end": "5 Mimg", "until": until}, "ramp_up": None}
    config.data.update({"source": "tfds:cifar10", "resolution": 32, "channels": 3, "num_classes": 10, "flip": True})
    config.precision.compute = "bfloat16"
    config.train.length = until
    config.train.batch_size = 512
    config.train.checkpoint_every = config.report.samples_every = "200 kimg"
    if size == "unconditional":
        config.data.num_classes = 0
    if size == "quick":
        tiny = {"widths": (8, 8, 8), "groups": (1, 1, 1), "blocks": (1, 1, 1)}
        config.model.G.update(tiny)
        config.model.D.update(tiny)
        config.data.source, config.data.resolution = "digits", 16
        config.train.length = "2 steps"
        config.train.batch_size = 8
        config.report.every = "1 step"
        config.report.rows, config.report.columns = 2, 4
    return config
