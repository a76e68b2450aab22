"""Images from a recipe's generator: the same image for the same (seed, index), on any number of devices."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from gan_jax.data.pipeline import one_hot
from gan_jax.engine.recipe import Recipe
from gan_jax.errors import ConfigError, UserError
from gan_jax.layers.pixels import to_uint8

Tree = Any

TRUNCATION_FORMS = ("resampled", "threshold")


@dataclasses.dataclass(frozen=True)
class Options:
    """How to sample.

    Attributes:
        truncation: None for none, else a positive number; how it acts is the recipe's matter (`Recipe.prior`).
        form: "resampled" or "threshold", for recipes that truncate latents.
        standing: accumulations of standing statistics before sampling, 0 to use the running ones.
        seed: of the latents.
    """

    truncation: float | None = None
    form: str = "resampled"
    standing: int = 0
    seed: int = 0

    def __post_init__(self):
        if self.truncation is not None and not self.truncation > 0:
            raise ConfigError(f"truncation is {self.truncation}: expected a number above 0, such as 0.5")
        if self.form not in TRUNCATION_FORMS:
            raise ConfigError(f"truncation form is {self.form!r}: expected one of {TRUNCATION_FORMS}")
        if self.standing < 0:
            raise ConfigError(f"the number of batches for standing statistics is {self.standing}: expected 0 or more")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"the seed is {self.seed}: expected a whole number from 0 to {2**32 - 1}")


class Sampler:
    """Draws images from `{network: variables}`.

    Args:
        recipe: the GAN.
        mesh: the batch is split over its data axis.
        batch: images per call at most, and in each accumulation of standing statistics; rounded up to a multiple of
            the data axis.
    """

    def __init__(self, recipe: Recipe, mesh: Mesh, batch: int, options: Options):
        if options.standing and recipe.standing is None:
            raise ConfigError("standing statistics were asked for, but this recipe's networks keep none")
        if options.truncation is not None and not recipe.truncates:
            raise ConfigError(f"truncation is {options.truncation}, but this recipe does not truncate: leave it out")
        self._devices = mesh.shape["data"]
        self.batch = self._rounded_up(batch)
        self._recipe, self._options = recipe, options
        self._spread = NamedSharding(mesh, PartitionSpec("data"))
        recipe_options = dataclasses.asdict(options)

        def images(variables: Tree, indices: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
            samples = recipe.sample(variables, self._latents(indices), labels, recipe_options)
            return to_uint8(samples), jnp.isfinite(samples).all()

        def settled(variables: Tree, labels: jax.Array) -> Tree:
            # Far away from the indices of samples, so that no sample's own latents settle its statistics.
            accumulations, size = labels.shape[:2]
            indices = jnp.arange(accumulations * size, dtype=jnp.uint32) + jnp.uint32(2**31)
            latents = self._latents(indices)
            return recipe.standing(variables, latents.reshape(accumulations, size, *latents.shape[1:]), labels)

        self._images = jax.jit(images, out_shardings=(self._spread, NamedSharding(mesh, PartitionSpec())))
        self._settled = jax.jit(settled)

    def settle(self, variables: Tree, data: ConfigDict) -> Tree:
        """The variables with standing statistics, if the options ask for them (Brock et al. 2019, appendix C).

        `data` is the section of the config: every one of its classes is as likely as the others.
        """
        if not self._options.standing:
            return variables
        classes = np.random.default_rng(self._options.seed).integers(
            0, max(data.num_classes, 1), (self._options.standing, self.batch), np.int32
        )
        return self._settled(variables, as_labels(classes, data))

    def draw(self, variables: Tree, labels: np.ndarray, first: int = 0) -> np.ndarray:
        """uint8 images [n, height, width, channels] of sample indices first, first + 1, ...

        Args:
            labels: class numbers int32 [n] or vectors float32 [n, num_classes], whichever the recipe was trained on.

        Raises:
            UserError: an image holds a value that is not finite.
        """
        return np.concatenate(list(self.stream(variables, labels, first)))

    def stream(self, variables: Tree, labels: np.ndarray, first: int = 0) -> Iterator[np.ndarray]:
        """The same in batches."""
        size = min(self.batch, self._rounded_up(len(labels)))
        for start in range(0, len(labels), size):
            part = labels[start : start + size]
            # The last label again: a vector of zeros is no label that every network can take.
            padded = np.pad(part, ((0, size - len(part)), *((0, 0),) * (part.ndim - 1)), mode="edge")
            indices = np.arange(first + start, first + start + size, dtype=np.uint32)
            inputs = jax.device_put((indices, padded), self._spread)
            images, finite = self._images(variables, *inputs)
            if not finite:
                raise UserError("the generator makes NaN or infinite values: its weights have diverged")
            yield np.asarray(images)[: len(part)]

    def _rounded_up(self, count: int) -> int:
        return -(-count // self._devices) * self._devices

    def _latents(self, indices: jax.Array) -> jax.Array:
        key = jax.random.key(self._options.seed)
        options = dataclasses.asdict(self._options)
        latents = jax.vmap(lambda index: self._recipe.prior(jax.random.fold_in(key, index), options))(indices)
        return jax.lax.with_sharding_constraint(latents, self._spread)


def as_labels(classes: np.ndarray, data: ConfigDict) -> np.ndarray:
    """Class numbers int32 [...] as labels of the form `config.data.labels`: the same, or one-hot float32 [..., k].

    Where images have several labels (k of them), that of a class is the label of an image that has this one alone.
    """
    if data.labels == "index":
        return classes
    return one_hot(classes.ravel(), data.num_classes).reshape(*classes.shape, data.num_classes)


def labels_by_row(classes: tuple[int, ...], columns: int) -> np.ndarray:
    """Class numbers int32 [rows * columns] of a grid with one class per row."""
    return np.repeat(np.asarray(classes, np.int32), columns)
