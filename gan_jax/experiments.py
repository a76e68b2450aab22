"""Sections of a config that experiments on the same data share."""

import math

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


def on_images(
    config: ConfigDict,
    source: str,
    resolution: int,
    length: str,
    batch: int,
    quick: int | None,
    *,
    channels: int = 3,
    classes: int = 0,
) -> None:
    """A published data set at its published side; with `quick`, two steps on the built-in digits.

    Args:
        source: in the words of `config.data.source`.
        length, batch: of training.
        quick: side of the digits, a multiple of 8 that the networks can have; None for the data set.
        channels: of the images, quick ones too.
        classes: number of classes, 0 for none; the digits have ten.
    """
    if quick:
        source, resolution, classes = "digits", quick, 10 if classes else 0
    config.data.update({"source": source, "resolution": resolution, "channels": channels, "num_classes": classes})
    config.train.length = "2 steps" if quick else length
    config.train.batch_size = 16 if quick else batch
    config.train.checkpoint_every = config.report.samples_every = "5000 steps"
    config.report.every = "1 step" if quick else "100 steps"
    if quick:
        config.train.unroll = False  # several critic steps compile as one
        config.report.rows = 2
        config.evaluate.batch = 16


def on_mnist(config: ConfigDict, length: str, batch: int, quick: bool, classes: bool = False, part: str = "") -> None:
    """MNIST at 28 x 28, or a part of its training set such as "train[:50000]"; quick digits have 16 x 16 pixels."""
    source = f"tfds:mnist:{part}" if part else "tfds:mnist"
    side = 16 if quick else None
    on_images(config, source, 28, length, batch, side, channels=1, classes=10 if classes else 0)


def on_cifar10(config: ConfigDict, length: str, batch: int, quick: bool, classes: bool = True) -> None:
    """CIFAR-10 at 32 x 32; quick digits have 16 x 16 pixels in colour."""
    on_images(config, "tfds:cifar10", 32, length, batch, 16 if quick else None, classes=10 if classes else 0)


def on_imagenet128(config: ConfigDict, length: str, batch: int, quick: bool) -> None:
    """ImageNet with its classes at 128 x 128, its convolutions in bfloat16; quick digits have 16 x 16 pixels."""
    on_images(config, "tfds:imagenet2012", 128, length, batch, 16 if quick else None, classes=1000)
    config.data.crop = "biggan"
    config.precision.compute = "float32" if quick else "bfloat16"


def on_polygons(config: ConfigDict, steps: int, batch: int, quick: bool) -> None:
    """The built-in triangles at 28 x 28, scored exactly on those held out; with `quick`, two steps on few of them."""
    config.data.update({"source": "polygons:train", "resolution": 28, "channels": 1, "num_classes": 0})
    config.train.length = "2 steps" if quick else f"{steps} steps"
    config.train.batch_size = 8 if quick else batch
    config.report.every = "1 step" if quick else "50 steps"
    config.report.samples_every = "500 steps"
    config.evaluate.metrics = ("frechet:polygons",) if quick else ("polygons", "frechet:polygons", "pr:polygons")
    config.evaluate.reference = "polygons:test"
    if quick:
        config.evaluate.samples = 100


def adam(rate: float, b1: float, b2: float, **more) -> dict:
    """A player's section: Adam as PyTorch has it by default, with `schedule` or others as `more`."""
    options = {"b1": b1, "b2": b2, "eps": 1e-8, "mu_dtype": None}
    return {"transform": "scale_by_adam", "options": options, "learning_rate": rate, **more}


def rmsprop(rate: float) -> dict:
    """A player's section: RMSProp as PyTorch has it by default."""
    options = {"decay": 0.99, "eps": 1e-8, "eps_in_sqrt": False}
    return {"transform": "scale_by_rms", "options": options, "learning_rate": rate}


def momentum(rate: float, factor: float, until: str) -> dict:
    """A player's section: the gradient descent of the first GANs (goodfeli/adversarial, mnist.yaml).

    Args:
        rate: the first one; every update divides it by `factor`, down to 1e-5 of it.
        until: duration in which the momentum rises from 0.5 to 0.7.
    """
    end = f"{round(math.log(1e5) / math.log(factor))} steps"
    decay = {"decay": "exponential", "warmup": "0 steps", "start": "0 steps", "end": end, "final": 1e-5}
    options = {"decay": {"start": 0.5, "end": 0.7, "until": until, "shape": "linear"}, "nesterov": False}
    return {"transform": "trace", "options": options, "learning_rate": rate, "schedule": decay}


def residual(generator: dict, discriminator: dict, init: str = "xavier") -> dict:
    """The section `model` of the residual networks of SNGAN and its kin, with the fields of either that differ.

    By itself the generator has a table of classes in every batch normalisation, where there are classes, and no spectral
    normalisation; the discriminator has it, and no normalisation of activations.
    """
    network = {"attention": (), "weight_init": init, "remat": None}
    g = {"sn_eps": None, "dim_z": 128, "shared_dim": 0, "hierarchical": False, "shared_embedding": False, "norm": ""}
    d = {"sn_eps": 1e-12, "wide": True, "wide_input": False, "norm": "none", "embedding": 0, "pool": "sum"}
    return {
        "family": "biggan",
        "latents": "normal",
        "G": {**network, **g, "bn_eps": 1e-5, "output_bn_eps": 1e-5, **generator},
        "D": {**network, **d, "output_bias": True, **discriminator},
    }


def small_residual(quick: bool, generator: dict | None = None, discriminator: dict | None = None) -> dict:
    """The section `model` of small residual networks for the digits, with the fields of either that differ."""
    channels = 2 if quick else 8
    g = {"channels": channels, "dim_z": 48, "shared_dim": 32, **(generator or {})}
    return residual(g, {"channels": channels, "sn_eps": 1e-6, **(discriminator or {})}, "ortho")


def studiogan_cifar10(config: ConfigDict, quick: bool, big: bool, batch: int = 64, rate: float = 2e-4) -> None:
    """All but recipe and rules of PyTorch-StudioGAN's experiments on CIFAR-10 (src/config.py, configs/CIFAR10).

    100,000 steps of the generator, mirrored images, Adam (0.5, 0.999) and orthogonal weights for both players. The
    discriminator's batch normalisation has an epsilon of 1e-5 here, of 1e-4 there, and the layers behind its features a
    bias where some of those there have none. Biases begin as PyTorch's by itself do, there at 0.

    Args:
        big: BigGAN's networks with attention, spectral normalisation in both and an average of the generator ("big_resnet"),
            or SNGAN's with batch normalisation in both instead ("resnet").
        batch, rate: where they differ.
    """
    eps = {"bn_eps": 1e-4, "output_bn_eps": 1e-4}
    if big:
        shared = {"dim_z": 80, "shared_dim": 128, "hierarchical": True, "shared_embedding": True}
        network = {"attention": (8 if quick else 16,), "sn_eps": 1e-6}
        g, d = {**network, **shared, **eps, "channels": 4 if quick else 96}, {**network, "channels": 2 if quick else 48}
    else:
        g, d = (
            {**eps, "channels": 4 if quick else 64},
            {"sn_eps": None, "norm": "batch", "channels": 2 if quick else 32},
        )
    config.model = residual(g, d, "ortho")
    config.players = {"generator": adam(rate, 0.5, 0.999), "discriminator": adam(rate, 0.5, 0.999)}
    config.ema = {"decay": 0.9999, "start": "1000 steps"} if big else {}
    on_cifar10(config, "100000 steps", batch, quick)
    config.data.flip = True
