"""StyleGAN2 on FFHQ at 1024 x 1024: config F of the paper, the setting `stylegan2` of StyleGAN2-ADA.

    gan-jax train --config=configs/stylegan2_ffhq1024.py --workdir=workdirs/ffhq1024                    config F
    gan-jax train --config=configs/stylegan2_ffhq1024.py:stylegan3 --workdir=workdirs/ffhq1024_map2     as timed below
    gan-jax train --config=configs/stylegan2_ffhq1024.py:paper1024 --workdir=workdirs/metfaces          MetFaces, with ADA

Paper: arXiv 1912.04958, table 1: FID 2.84 for config F, by the code in TensorFlow. Settings: `--cfg=stylegan2
--mirror=1 --aug=noaug` of NVlabs/stylegan2-ada-pytorch; "stylegan3" is `--cfg=stylegan2` of NVlabs/stylegan3 with its
two mapping layers; "paper1024" is `--cfg=paper1024 --mirror=1` for MetFaces. bfloat16 where they have float16.

Data: FFHQ (NVlabs/ffhq-dataset), a folder of PNG files. Prepared once, 220 GB, it is read without decoding:

    gan-jax prepare --source=folder:PATH --resolution=1024 --out=prepared/ffhq1024

Hardware: published for eight GPUs with 16 GB; the PyTorch code of StyleGAN3's repository takes 11.66 seconds for 1,000
images on eight A100, which is 3.4 days in all. Generator 30.4 (28.8 with two mapping layers), discriminator 29.0
million parameters. Not yet trained to the end with this code, so no score of its own is claimed.
"""

from gan_jax import config as configs


def get_config(size: str = ""):
    """Config F; "stylegan3": two mapping layers; "paper1024": for MetFaces; "quick": a tiny one, as stylegan2_ffhq256's."""
    configs.check_argument(size, "stylegan3", "paper1024", "quick")
    ada = ":ada" if size == "paper1024" else ":quick" if size == "quick" else ""
    config = configs.load(f"configs/stylegan2_ffhq256.py{ada}")
    config.unlock()
    for player in config.players.values():
        player.learning_rate = 2e-3
    config.phases.gamma = 2.0 if size == "paper1024" else 10.0
    config.ema.half_life = "10 kimg"
    if size == "quick":
        return config
    config.model.G.channel_base = config.model.D.channel_base = 32768
    config.model.G.mapping_layers = 2 if size == "stylegan3" else 8
    config.model.D.stddev_group = 4
    config.data.update({"source": "prepared:prepared/ffhq1024", "resolution": 1024})
    config.train.batch_size = 32
    config.report.rows, config.report.columns = 4, 4
    config.evaluate.batch = 16
    return config
