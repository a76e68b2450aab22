"""The semi-supervised GAN on CIFAR-10 at 32 x 32, of which 400 images of each class have a label.

    gan-jax train --config=configs/semi_supervised_cifar10.py --workdir=workdirs/semi_supervised_cifar10

Paper: arXiv 1606.03498; the settings are those of openai/improved-gan, train_cifar_feature_matching.py: in a step 100
labelled images, 100 unlabelled ones and 100 others to match features with, Adam 3e-4 (0.5, 0.999) for 1,200 epochs, in
the last 400 of which the rate falls to 0, an average of the classifier by 0.0001 a step. There scales and biases begin
with the moments of a first batch.
Data: CIFAR-10 of TFDS. Hardware: one GPU; 4.9 and 1.4 million parameters. Not yet trained with this code, so no score is
claimed; no published one to compare with was verified.
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_cifar10
from gan_jax.game.rules import section
from gan_jax.recipes.semi_supervised import Rules


def get_config(size: str = ""):
    """The experiment, or with the argument "quick" a few steps of a tiny one."""
    check_argument(size, "quick")
    quick = size == "quick"
    config = base()
    config.recipe = "semi_supervised"
    config.model = {
        "latents": "positive",
        "G": {"channels": 4 if quick else 128, "dim_z": 100},
        "D": {"channels": 4 if quick else 96, "keep_input": 0.8, "keep_hidden": 0.5, "noise": 0.0},
    }
    falling = {"decay": "linear", "warmup": "0 steps", "start": "400000 steps", "end": "600000 steps", "final": 0.0}
    player = adam(3e-4, 0.5, 0.999, schedule=falling)
    config.players = {"generator": player, "discriminator": player}
    config.phases = section(Rules(unlabelled_weight=1.0))
    config.ema = {"decay": 0.9999, "start": "0 steps"}
    on_cifar10(config, "600000 steps", 200, quick)
    config.data.update({"labelled": 10 if quick else 400, "labelled_half": True})
    return config
