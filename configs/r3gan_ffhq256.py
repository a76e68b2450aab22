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

from gan_jax import config as configs


def get_config(size: str = ""):
    """The experiment, or "quick": a tiny one, as r3gan_cifar10's."""
    configs.check_argument(size, "quick")
    config = configs.load(f"configs/r3gan_cifar10.py:{size or 'unconditional'}")
    config.unlock()
    config.data.num_classes = 0
    config.phases.gamma.update({"start": 150.0, "end": 15.0})
    config.phases.augment.p.end = 0.3
    config.ema.half_life.end = "500 kimg"
    if size == "quick":
        return config
    network = {
        "widths": (768, 768, 768, 768, 384, 192, 96),
        "groups": (96, 96, 96, 96, 48, 24, 12),
        "blocks": (2,) * 7,
        "float32_stages": 3,
    }
    config.model.G, config.model.D = network, network
    config.data.update({"source": "prepared:prepared/ffhq256", "resolution": 256})
    config.train.batch_size = 256
    config.report.rows, config.report.columns = 8, 8
    config.evaluate.batch = 64
    return config
