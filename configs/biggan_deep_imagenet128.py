"""BigGAN-deep on ImageNet at 128 x 128, batch 2048.

    gan-jax train --config=configs/biggan_deep_imagenet128.py --workdir=workdirs/deep128

Paper: arXiv 1809.11096, appendix B; the settings are those of BigGAN-PyTorch's launch_BigGAN_deep.sh: z of 128 joined
to the class embedding in every block, two blocks per resolution, optimisers as `biggan_imagenet128.py`.
Hardware: a TPU slice or a node of GPUs; 50.2 and 34.6 million parameters. Not yet trained with this code, so no score
is claimed.
"""

from gan_jax import config as configs


def get_config(size: str = "256x8"):
    """The experiment at a microbatch and a number of accumulations, or "quick": a few steps of a tiny one."""
    config = configs.load(f"configs/biggan_imagenet128.py:{size}")
    config.unlock()
    config.recipe = "biggan_deep"
    channels, attention = config.model.G.channels if size == "quick" else 128, config.model.G.attention
    shared = {"channels": channels, "attention": attention, "sn_eps": 1e-6}
    shared |= {"weight_init": "ortho", "remat": None}
    config.model = {
        "family": "biggan_deep",
        "latents": "normal",
        "G": {**shared, "dim_z": 128, "shared_dim": 128, "bn_eps": 1e-5},
        "D": shared,
    }
    return config
