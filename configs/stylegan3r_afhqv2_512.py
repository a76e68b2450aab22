"""StyleGAN3-R on AFHQv2 at 512 x 512: a generator that commutes with translations and rotations.

    gan-jax train --config=configs/stylegan3r_afhqv2_512.py --workdir=workdirs/afhqv2            StyleGAN3-R
    gan-jax train --config=configs/stylegan3r_afhqv2_512.py:t --workdir=workdirs/afhqv2_t        StyleGAN3-T, translations only

Paper: arXiv 2106.12423, figure 5: FID 4.40, EQ-T 64.89 dB and EQ-R 40.34 dB for R; 4.04, 60.15 and 13.51 for T.
Settings: docs/configs.md of NVlabs/stylegan3, `--cfg=stylegan3-r --gpus=8 --batch=32 --gamma=16.4 --mirror=1`, for T
`--cfg=stylegan3-t --gamma=8.2`; adaptive augmentation as both have by default; bfloat16 where that has float16.

Data: the 15,803 animal faces of AFHQv2 (clovaai/stargan-v2), a folder of PNG files; the three kinds are not told apart.
Prepared once, it is read without decoding:

    gan-jax prepare --source=folder:PATH --resolution=512 --out=prepared/afhqv2_512

Hardware: the published code takes 20.4 (R) and 18.5 (T) seconds for 1,000 images on eight V100, 5.9 and 5.3 days in
all; 14.0 and 12.3 seconds on eight A100. Generator 16.7 (R) and 24.9 (T) million parameters, discriminator 29.0.
Not yet trained to the end with this code, so no score of its own is claimed.
"""

from gan_jax import config as configs

ADA = {"name": "ada", "transforms": "bgc", "p": 0.0, "target": 0.6, "interval": 4, "horizon_kimg": 500}


def get_config(size: str = ""):
    """StyleGAN3-R; "t": StyleGAN3-T; "quick": two steps of a tiny R on the built-in digits."""
    configs.check_argument(size, "t", "quick")
    radial = size != "t"
    config = configs.load("configs/stylegan3t_ffhq1024.py" + {"": ":r", "t": "", "quick": ":quick"}[size])
    config.unlock()
    config.model.G.kernel_size, config.model.G.radial = (1, True) if radial else (3, False)
    config.phases.gamma = 16.4 if radial else 8.2
    config.phases.blur_sigma, config.phases.blur_fade_kimg = (10.0, 200.0) if radial else (0.0, 0.0)
    config.phases.augment = ADA
    if size != "quick":
        config.data.source, config.data.resolution = "prepared:prepared/afhqv2_512", 512
    return config
