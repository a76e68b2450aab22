"""WGAN-GP on MNIST at 28 x 28.

    gan-jax train --config=configs/wgan_gp_mnist.py --workdir=workdirs/wgan_gp_mnist

Paper: arXiv 1704.00028; the settings are those of igul222/improved_wgan_training, gan_mnist.py: batch 50, penalty 10,
Adam 1e-4 (0.5, 0.9), five critic steps, 200,000 steps. There pixels go from 0 to 1; the gradient here, by pixels from -1
to 1, is half of that, so that a norm of 1 allows twice the slope.
Data: MNIST of TFDS. Hardware: one GPU; 1.6 and 1.0 million parameters. Not yet trained with this code, so no score is
claimed; no published one to compare with was verified.
"""

from gan_jax import config as configs


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one on the built-in triangles."""
    configs.check_argument(size, "quick")
    config = configs.load(f"configs/wgan_gp_polygons.py:{size or 'full'}")
    if size != "quick":
        with config.unlocked():
            config.data.source, config.evaluate.reference, config.evaluate.metrics = "tfds:mnist", "", ()
    return config
