"""WGAN-GP on black triangles at 28 x 28, a data set whose true distribution is known and needs no download.

    gan-jax train --config=configs/wgan_gp_polygons.py --workdir=workdirs/polygons

Paper: arXiv 1704.00028 with the networks and optimisers of igul222's gan_mnist.py: five critic steps for one of the
generator, penalty 10, Adam 1e-4 (0.5, 0.9), batch 50, no averaging. Data: the convex polygons of arXiv 1711.10337.
Here with 16 channels instead of 64 and 2,000 steps instead of 200,000. By an earlier version, with the same losses and
other random numbers, they took 22 minutes of processor time, their exact scores five more: no image is a polygon of the
set by then (precision 0, median squared distance 14), and a quarter of the test polygons can be generated to within
0.75 (recall 0.25, at the budget of a study).
"""

from gan_jax.config import base, check_argument
from gan_jax.experiments import adam, on_polygons
from gan_jax.game.rules import Rules, section


def get_config(size: str = ""):
    """The experiment; "full" for the published width and length, "quick" for a few steps of a tiny one."""
    check_argument(size, "full", "quick")
    config = base()
    config.recipe = "wgan_gp"
    channels = {"full": 64, "quick": 4}.get(size, 16)
    config.model = {
        "family": "wgan_gp",
        "latents": "normal",
        "G": {"channels": channels, "dim_z": 128},
        "D": {"channels": channels},
    }
    config.players = {"generator": adam(1e-4, 0.5, 0.9), "discriminator": adam(1e-4, 0.5, 0.9)}
    config.phases = section(
        Rules(loss="wasserstein", gradient_penalty=10.0, discriminator_steps=5, generator_first=True)
    )
    config.ema = {}
    on_polygons(config, 200_000 if size == "full" else 2000, 50, size == "quick")
    return config
