"""BigGAN on CIFAR-10 at 32 x 32, as BigGAN-PyTorch's launch_cifar_ema.sh: batch 50, 4 discriminator steps.

    gan-jax train --config=configs/biggan_cifar10.py --workdir=workdirs/cifar10

Paper: arXiv 1809.11096; the settings are BigGAN-PyTorch's: no attention, class tables instead of a shared embedding,
z in one piece, weights from N(0, 0.02). Data: CIFAR-10 of TFDS (absent: a sentence says how to get it), or a folder with
one subfolder per class: `--config.data.source=folder:PATH`.
Hardware: one GPU; 4.3 and 4.2 million parameters. Not yet trained to the end with this code, so no score is claimed.
"""

from gan_jax.config import base, check_argument
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one on the built-in digits."""
    check_argument(size, "quick")
    config = base()
    config.recipe = "biggan"
    network = {"channels": 64, "attention": (), "sn_eps": 1e-8, "weight_init": "N02", "remat": None}
    config.model = {
        "family": "biggan",
        "latents": "normal",
        "G": {
            **network,
            "dim_z": 128,
            "shared_dim": 0,
            "hierarchical": False,
            "shared_embedding": False,
            "bn_eps": 1e-5,
        },
        "D": {**network, "wide": True},
    }
    moments = {"b1": 0.0, "b2": 0.999, "eps": 1e-8, "mu_dtype": None}
    adam = {"transform": "scale_by_adam", "options": moments, "learning_rate": 2e-4}
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = section(Rules(loss="hinge", discriminator_steps=4, conditioning={"name": "projection"}))
    config.ema = {"decay": 0.9999, "start": "1000 steps"}
    config.data.update({"source": "tfds:cifar10", "resolution": 32, "channels": 3, "num_classes": 10})
    # The script's 500 epochs count the images of discriminator steps: 500 * 50,000 / 4 images of ours.
    config.train.length = "6250 kimg"
    config.train.batch_size = 50
    config.train.checkpoint_every = "5000 steps"
    config.report.samples_every = "5000 steps"
    config.evaluate.standing = 16
    if size == "quick":
        config.data.source = "digits"
        config.model.G.channels = config.model.D.channels = 4
        config.train.length = "2 steps"
        config.train.batch_size = 8
        config.report.every = "1 step"
        config.evaluate.standing = 0
    return config
