"""StyleGAN2-ADA on AFHQ at 512 x 512, the animal faces of one species: the setting `paper512` of StyleGAN2-ADA.

    gan-jax train --config=configs/stylegan2_ada_afhq512.py --workdir=workdirs/afhq

Paper: arXiv 2006.06676, figure 11: FID 3.55 for cats, 7.40 for dogs, 3.05 for wild animals, trained from scratch, each
on about 5,000 images. Settings: `--cfg=paper512 --mirror=1` of NVlabs/stylegan2-ada-pytorch, train.py; bfloat16 where
that has float16.

Data: AFHQ (clovaai/stargan-v2), a folder of JPEG files for each species. Prepared once, 4 GB, it is read without
decoding:

    gan-jax prepare --source=folder:afhq/train/cat --resolution=512 --out=prepared/afhqcat

Hardware: published for eight GPUs with 16 GB; the PyTorch code takes 9.5 to 9.7 seconds for 1,000 images on eight V100
with its setting auto, 2.9 days in all. Generator 30.3, discriminator 29.0 million parameters. Not yet trained to the
end with this code, so no score of its own is claimed.
"""

from gan_jax import config as configs


def get_config(size: str = ""):
    """The experiment, or "quick": a tiny one, as stylegan2_ffhq256's."""
    configs.check_argument(size, "quick")
    config = configs.load(f"configs/stylegan2_ffhq256.py:{size or 'ada'}")
    config.unlock()
    config.phases.gamma = 0.5
    config.phases.augment = configs.load("configs/stylegan2_ffhq256.py:ada").phases.augment
    if size == "quick":
        return config
    config.model.G.channel_base = config.model.D.channel_base = 32768
    config.data.update({"source": "prepared:prepared/afhqcat", "resolution": 512})
    config.report.rows, config.report.columns = 4, 6
    config.evaluate.batch = 32
    return config
