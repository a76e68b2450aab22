"""Sections of a config that experiments on the same data share."""

from ml_collections import ConfigDict

DIGITS_BATCH = 64


def on_digits(config: ConfigDict, steps: int, quick: bool, classes: bool = True) -> None:
    """The built-in digits at 16 x 16 for some minutes on two CPU cores; with `quick`, two steps.

    Args:
        classes: whether the ten classes are used; then how many images are recognised as the class asked for is scored.
    """
    config.data.update({"source": "digits", "resolution": 16, "channels": 1, "num_classes": 10 if classes else 0})
    config.train.length = "2 steps" if quick else f"{steps} steps"
    config.train.batch_size = 16 if quick else DIGITS_BATCH
    config.train.checkpoint_every = config.report.samples_every = f"{max(steps // 4, 1)} steps"
    config.report.every = "1 step" if quick else "20 steps"
    config.evaluate.metrics = ("frechet:digits", "pr:digits", *(["recognised:digits"] if classes else []))
    config.evaluate.at_start = True
    config.evaluate.samples = 100 if quick else 1000


def on_cifar10(config: ConfigDict, length: str, batch: int, quick: bool, classes: bool = True) -> None:
    """CIFAR-10 at 32 x 32; with `quick`, two steps on the built-in digits in its size and colours."""
    source = "digits" if quick else "tfds:cifar10"
    config.data.update({"source": source, "resolution": 32, "channels": 3, "num_classes": 10 if classes else 0})
    config.train.length = "2 steps" if quick else length
    config.train.batch_size = 16 if quick else batch
    config.train.checkpoint_every = config.report.samples_every = "5000 steps"
    config.report.every = "1 step" if quick else "100 steps"
    if quick:
        config.report.rows = 2


def adam(rate: float, b1: float, b2: float, **more) -> dict:
    """A player's section: Adam as PyTorch has it by default, with `schedule` or others as `more`."""
    options = {"b1": b1, "b2": b2, "eps": 1e-8, "mu_dtype": None}
    return {"transform": "scale_by_adam", "options": options, "learning_rate": rate, **more}


def small_residual(quick: bool, generator: dict | None = None, discriminator: dict | None = None) -> dict:
    """The section `model` of small residual networks for the digits, with the fields of either that differ.

    The generator has a table of classes in every batch normalisation and no spectral normalisation, the discriminator has.
    """
    network = {"channels": 2 if quick else 8, "attention": (), "weight_init": "ortho", "remat": None}
    g = {**network, "sn_eps": None, "dim_z": 48, "shared_dim": 32, "hierarchical": False, "shared_embedding": False}
    d = {**network, "sn_eps": 1e-6, "wide": True, "pool": "sum"}
    own = {"norm": "", "bn_eps": 1e-5}
    return {
        "family": "biggan",
        "latents": "normal",
        "G": {**g, **own, **(generator or {})},
        "D": {**d, **(discriminator or {})},
    }
