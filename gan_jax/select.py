"""`gan-jax select`: the images where a data set is densest, for training on them alone."""

import os
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from gan_jax.data import chosen
from gan_jax.data.source import open_source
from gan_jax.engine import sharding
from gan_jax.metrics.extractors.catalogue import open_extractor
from gan_jax.metrics.features import Judge, one_pass
from gan_jax.metrics.real import RealImages
from gan_jax.metrics.selection import densest


def select(config: ConfigDict, features: str, keep: float, out: os.PathLike) -> tuple[dict[str, Any], str]:
    """Fits a Gaussian to the features of each class of a config's data and writes the numbers of its likeliest images.

    Args:
        config: its sections `data`, `evaluate` (weights, batch) and `mesh` are read.
        features: an extractor, see `metrics.extractors.catalogue`.
        keep: share of each class.
        out: a JSON file, then to be trained on as the source chosen:FILE.

    Returns:
        A JSON-ready record, and what a person wants to know of it.

    Raises:
        ConfigError: arguments cannot be used, or weights are absent.
        UserError: the data cannot be read.
    """
    source, words = open_source(config.data), config.data.source
    extractor, mesh = open_extractor(features, config.evaluate.weights), sharding.make_mesh(config.mesh)
    everywhere, spread = (NamedSharding(mesh, spec) for spec in (PartitionSpec(), PartitionSpec(mesh.axis_names)))
    images = RealImages.of(source, None, words)
    batches = images.batches(config.evaluate.batch, lambda array: sharding.spread(array, spread))
    (found,) = one_pass(batches, [Judge(extractor, (), (extractor.features,), everywhere)])
    indices = images.indices[densest(found.rows[extractor.features], found.classes, keep)]
    indices.sort()
    about = {"keep": keep, "extractor": extractor.name, "weights_sha256": extractor.sha256, "jax": jax.__version__}
    chosen.write(out, words, source, indices, about)
    record = {"file": str(out), "data": words, "examples": len(source), "chosen": len(indices), **about}
    text = f"{out}: {len(indices):,} of {len(source):,} images; train on them by --config.data.source=chosen:{out}"
    return record, text
