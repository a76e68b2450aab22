"""Labels of a few images alone, the others hidden: what semi-supervised learning has to do with."""

from collections.abc import Mapping

import numpy as np

from gan_jax.data.source import Source
from gan_jax.errors import ConfigError


def labelled(source: Source, section: Mapping) -> np.ndarray | None:
    """Which images keep their label, bool [n]; None where all do.

    `section.labelled` images of every class do: the first ones of each in an order that `section.labelled_seed` chooses. All
    labels are read for that, at the cost of reading the images too where a set does not know them otherwise.

    Args:
        section: the config's `data`, of which this reads `labelled`, `labelled_seed` and `labelled_half`.

    Raises:
        ConfigError: the number makes no sense, the set has no classes or is read as a stream, or a class has fewer images.
    """
    count = section.get("labelled")
    if count is None:
        if section.get("labelled_half"):
            raise ConfigError(
                "config.data.labelled_half is True, but config.data.labelled is None: set how many images of each class "
                "have a label"
            )
        return None
    if type(count) is not int or count < 1:
        raise ConfigError(
            f"config.data.labelled is {count!r}: expected a number of images of each class, or None for all"
        )
    if source.label_dim or not source.num_classes:
        has = "several labels for each image" if source.label_dim else "no labels"
        raise ConfigError(f"config.data.labelled is {count}, but {source.name} has {has}: take data with classes")
    if not source.exact:
        raise ConfigError(
            f"config.data.labelled is {count}, but {source.name} is read as a stream, in which no image is known by its "
            "number: make the set exact by `gan-jax prepare`"
        )
    labels = source.all_labels()
    order = np.random.RandomState(section["labelled_seed"]).permutation(len(labels))
    kept = np.zeros(len(labels), bool)
    for number, name in enumerate(source.class_names):
        members = order[labels[order] == number]
        if len(members) < count:
            raise ConfigError(
                f"config.data.labelled is {count}, but {source.name} has {len(members)} images of the class {name!r}: "
                "expected at most so many"
            )
        kept[members[:count]] = True
    return kept
