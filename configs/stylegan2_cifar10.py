"""StyleGAN2-ADA on CIFAR-10: the setting `cifar` of StyleGAN2-ADA.

    gan-jax train --config=configs/stylegan2_cifar10.py --workdir=workdirs/cifar10                           ten classes
    gan-jax train --config=configs/stylegan2_cifar10.py:unconditional --workdir=workdirs/cifar10_plain       no labels

Paper: arXiv 2006.06676, figure 11: FID 2.42 and Inception Score 10.14 with labels, 2.92 and 9.83 without, averages of
five runs. Settings: `--cfg=cifar`, for classes with `--cond=1`, of NVlabs/stylegan2-ada-pytorch, train.py; bfloat16
where that has float16. Neither path length nor style mixing; a discriminator without shortcuts.

Data: `cifar10` of TFDS, downloaded at the first use.

Hardware: published for two GPUs. Generator 20.2, discriminator 23.1 million parameters (19.9 and 20.7 without labels).
Not yet trained to the end with this code, so no score of its own is claimed.
"""

from gan_jax import config as configs


def get_config(size: str = ""):
    """The experiment; "unconditional": without labels; "quick": a tiny one, as stylegan2_ffhq256's."""
    configs.check_argument(size, "unconditional", "quick")
    config = configs.load(f"configs/stylegan2_ffhq256.py:{size if size == 'quick' else 'ada'}")
    config.unlock()
    config.model.G.mapping_layers = 2
    config.model.D.architecture = "orig"
    config.phases.update({"gamma": 0.01, "path_length_weight": 0.0, "style_mixing": 0.0})
    config.phases.augment = configs.load("configs/stylegan2_ffhq256.py:ada").phases.augment
    config.ema = {"half_life": "500 kimg", "ramp_up": 0.05}
    config.data.flip = False
    config.data.num_classes = 0 if size == "unconditional" else 10
    if size == "quick":
        return config
    config.model.G.channel_base = config.model.D.channel_base = 32768
    config.model.D.stddev_group = 32
    config.data.update({"source": "tfds:cifar10", "resolution": 32})
    config.train.length = "100000 kimg"
    config.report.rows, config.report.columns = 10, 10
    config.evaluate.batch = 256
    return config
