"""LSGAN on the 1,797 digits of scikit-learn at 16 x 16: one to two minutes on two CPU cores.

gan-jax train --config=docs/my_gan/config.py --workdir=workdirs/lsgan
"""

from gan_jax.config import base


def get_config():
    config = base()
    config.recipe = "docs.my_gan.lsgan"
    config.model = {"dim_z": 64, "channels": 16}
    adam = {"transform": "scale_by_adam", "options": {"b1": 0.5, "b2": 0.99}, "learning_rate": 1e-3}
    config.players = {"generator": adam, "discriminator": adam}
    config.phases = {}
    config.ema = {"decay": 0.99, "start": "100 steps"}
    config.data.update({"source": "digits", "resolution": 16, "channels": 1, "num_classes": 0})
    config.train.length = "1000 steps"
    config.report.samples_every = "250 steps"
    return config
