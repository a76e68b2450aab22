"""The extractors by name."""

import importlib
from pathlib import Path

from gan_jax.errors import ConfigError
from gan_jax.metrics.extractor import Extractor

# Name -> (module here, its function that opens it, what that is given beside the folder of weights).
PUBLISHED = {
    "inception": ("inception", "open_inception", ("tf1",)),
    "inception-clean": ("inception", "open_inception", ("clean",)),
    "inception-torch": ("inception", "open_inception", ("torch",)),
    "vgg16": ("vgg16", "open_vgg16", ()),
    "dinov2": ("dinov2", "open_dinov2", ()),
    "dinov2-clean": ("dinov2", "open_dinov2", ("clean",)),
    "clip": ("clip", "open_clip", ()),
}
BUILT_IN = ("digits", "polygons")
ENCODER = "encoder:DIR"


def check(name: str) -> None:
    """Raises ConfigError unless there is an extractor of this name."""
    if name not in (*PUBLISHED, *BUILT_IN) and not name.startswith("encoder:"):
        raise ConfigError(
            f"there is no extractor {name!r}: expected one of {', '.join((*PUBLISHED, *BUILT_IN, ENCODER))}"
        )


def open_extractor(name: str, weights: str | Path) -> Extractor:
    """An extractor with its weights: published ones from the folder `weights`, one trained here from its own.

    Raises:
        ConfigError: there is none of this name, or its weights are absent.
        UserError: they cannot be read, or are other weights.
    """
    check(name)
    if name in PUBLISHED:
        module, function, arguments = PUBLISHED[name]
        return getattr(importlib.import_module(f"gan_jax.metrics.extractors.{module}"), function)(weights, *arguments)
    from gan_jax.metrics.extractors.encoder import open_encoder

    return open_encoder(name if name in BUILT_IN else name.partition(":")[2])
