"""Images from a recipe's generator: the same image for the same (seed, index), on any number of devices."""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from gan_jax import workdir as workdirs
from gan_jax.data.pipeline import one_hot
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Recipe, load
from gan_jax.errors import DIVERGED, ConfigError, UserError
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
        check_seeds((self.seed,))


class Sampler:
    """Draws images from `{network: variables}`, in batches.

    An image has a seed and an index: those of its latent. Where seeds are given, one for each image, the index is 0;
    else the seed is that of the options and the indices count from `first`.

    Args:
        recipe: the GAN.
        mesh: the batch is split over all its devices.
        batch: images per call at most, and in each accumulation of standing statistics; rounded up to a multiple of
            the devices.
    """

    def __init__(self, recipe: Recipe, mesh: Mesh, batch: int, options: Options):
        if options.standing and recipe.standing is None:
            raise ConfigError("standing statistics were asked for, but this recipe's networks keep none")
        self._devices = mesh.size
        self.batch = self._rounded_up(batch)
        self.recipe, self._options = recipe, self._checked(recipe, options)
        self._spread = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
        # Truncation and seed are arguments of what is compiled, so that several of them share it.
        others = {"form": options.form}

        def latents(truncation: float | None, seeds: jax.Array, indices: jax.Array) -> jax.Array:
            def draw(seed: jax.Array, index: jax.Array) -> jax.Array:
                key = jax.random.fold_in(jax.random.key(seed), index)
                return recipe.prior(key, {**others, "truncation": truncation})

            return jax.lax.with_sharding_constraint(jax.vmap(draw)(seeds, indices), self._spread)

        def images(variables: Tree, truncation: float | None, latents: jax.Array, labels: jax.Array) -> jax.Array:
            return recipe.sample(variables, latents, labels, {**others, "truncation": truncation})

        def ws(variables: Tree, truncation: float | None, latents: jax.Array, labels: jax.Array) -> jax.Array:
            return recipe.styles.map(variables, latents, labels, {**others, "truncation": truncation})

        def settled(variables: Tree, truncation: float | None, seed: jax.Array, labels: jax.Array) -> Tree:
            # Far away from the indices of samples, so that no sample's own latents settle its statistics.
            accumulations, size = labels.shape[:2]
            indices = jnp.arange(accumulations * size, dtype=jnp.uint32) + jnp.uint32(2**31)
            drawn = latents(truncation, jnp.full_like(indices, seed), indices)
            return recipe.standing(variables, drawn.reshape(accumulations, size, *drawn.shape[1:]), labels)

        def shown(function: Callable[..., jax.Array]) -> Callable[..., tuple[jax.Array, jax.Array]]:
            def compute(*inputs: Tree) -> tuple[jax.Array, jax.Array]:
                samples = function(*inputs)
                return to_uint8(samples), jnp.isfinite(samples).all()

            return jax.jit(compute, out_shardings=(self._spread, NamedSharding(mesh, PartitionSpec())))

        def prior(truncation: float | None, key: jax.Array, count: int) -> jax.Array:
            chosen = {**others, "truncation": truncation}
            return jax.vmap(lambda one: recipe.prior(one, chosen))(jax.random.split(key, count))

        self._prior = jax.jit(prior, static_argnums=2)
        self._floats = jax.jit(images)
        self._latents = jax.jit(latents, out_shardings=self._spread)
        self._ws = jax.jit(ws, out_shardings=self._spread)
        self._settled = jax.jit(settled)
        self._images = shown(images)
        self._synthesized = shown(lambda variables, ws: recipe.styles.synthesize(variables, ws))
        self._synthesized_floats = jax.jit(lambda variables, ws: recipe.styles.synthesize(variables, ws))

    def at(self, truncation: float | None, seed: int | None = None) -> "Sampler":
        """The same with another truncation, and another seed if one is given; the two share what is compiled."""
        other, seed = copy.copy(self), self._options.seed if seed is None else seed
        changed = dataclasses.replace(self._options, truncation=truncation, seed=seed)
        other._options = self._checked(self.recipe, changed)
        return other

    @property
    def seed(self) -> int:
        """Of the latents."""
        return self._options.seed

    def settle(self, variables: Tree, data: ConfigDict) -> Tree:
        """The variables with standing statistics, if the options ask for them (Brock et al. 2019, appendix C).

        `data` is the section of the config: every one of its classes is as likely as the others.
        """
        if not self._options.standing:
            return variables
        classes = np.random.default_rng(self._options.seed).integers(
            0, max(data.num_classes, 1), (self._options.standing, self.batch), np.int32
        )
        seed = np.uint32(self._options.seed)
        return self._settled(variables, self._options.truncation, seed, as_labels(classes, data))

    def draw(
        self, variables: Tree, labels: np.ndarray, first: int = 0, seeds: Sequence[int] | None = None
    ) -> np.ndarray:
        """uint8 images [n, height, width, channels], see the class for which.

        Args:
            labels: class numbers int32 [n] or vectors float32 [n, num_classes], whichever the recipe was trained on.

        Raises:
            UserError: an image holds a value that is not finite.
        """
        return np.concatenate(list(self.stream(variables, labels, first, seeds)))

    def stream(
        self, variables: Tree, labels: np.ndarray, first: int = 0, seeds: Sequence[int] | None = None
    ) -> Iterator[np.ndarray]:
        """The same in batches."""
        for images, count in self.on_devices(variables, labels, first, seeds):
            yield sharding.fetch(images)[:count]

    def on_devices(
        self, variables: Tree, labels: np.ndarray, first: int = 0, seeds: Sequence[int] | None = None
    ) -> Iterator[tuple[jax.Array, int]]:
        """The same in batches that stay on the devices, and how many images of each count.

        A batch is looked at when the next one is asked for: so it is not waited for.
        """
        finite = None
        for (numbers, indices, part), count in self._batches(*self._identities(len(labels), first, seeds), labels):
            latents = self._latents(self._options.truncation, numbers, indices)
            images, next_finite = self._images(variables, self._options.truncation, latents, part)
            _check_finite(finite)
            finite = next_finite
            yield images, count
        _check_finite(finite)

    def latents(self, count: int, first: int = 0, seeds: Sequence[int] | None = None) -> np.ndarray:
        """The latents [n, ...] of images."""
        parts = self._batches(*self._identities(count, first, seeds))
        return np.concatenate([sharding.fetch(self._latents(self._options.truncation, *part))[:n] for part, n in parts])

    def of_latents(self, variables: Tree, latents: np.ndarray, labels: np.ndarray) -> Iterator[np.ndarray]:
        """uint8 images of given latents [n, ...], in batches."""
        for inputs, count in self._batches(latents, labels):
            yield self._show(count, self._images, variables, self._options.truncation, *inputs)

    def ws(
        self, variables: Tree, labels: np.ndarray, first: int = 0, seeds: Sequence[int] | None = None
    ) -> Iterator[np.ndarray]:
        """The styles float32 [n, layers, d] of images, truncated as the options say, in batches.

        Raises:
            ConfigError: the recipe has no styles.
        """
        self._check_styles()
        for (numbers, indices, part), count in self._batches(*self._identities(len(labels), first, seeds), labels):
            latents = self._latents(self._options.truncation, numbers, indices)
            yield sharding.fetch(self._ws(variables, self._options.truncation, latents, part))[:count]

    def prior(self, key: jax.Array, count: int) -> jax.Array:
        """Latents [count, ...] of a key of one's own."""
        return self._prior(self._options.truncation, key, count)

    def floats(self, variables: Tree, latents: jax.Array, labels: jax.Array) -> jax.Array:
        """Images float [n, h, w, c] in [-1, 1], differentiable."""
        return self._floats(variables, self._options.truncation, latents, labels)

    def map(self, variables: Tree, latents: jax.Array, labels: jax.Array) -> jax.Array:
        """Styles float32 [n, layers, d]."""
        return self._ws(variables, self._options.truncation, latents, labels)

    def floats_of_ws(self, variables: Tree, ws: jax.Array) -> jax.Array:
        """Images as of `floats`."""
        return self._synthesized_floats(variables, ws)

    def of_ws(self, variables: Tree, ws: np.ndarray) -> Iterator[np.ndarray]:
        """uint8 images of given styles [n, layers, d], in batches.

        Raises:
            ConfigError: the recipe has no styles.
        """
        self._check_styles()
        for inputs, count in self._batches(ws):
            yield self._show(count, self._synthesized, variables, *inputs)

    def _identities(self, count: int, first: int, seeds: Sequence[int] | None) -> tuple[np.ndarray, np.ndarray]:
        """Seeds and indices of images, uint32 [n] each."""
        if seeds is None:
            indices = np.arange(first, first + count, dtype=np.uint32)
            return np.full_like(indices, self._options.seed), indices
        check_seeds(seeds)
        return np.asarray(seeds, np.uint32), np.zeros(count, np.uint32)

    def _batches(self, *arrays: np.ndarray) -> Iterator[tuple[list[jax.Array], int]]:
        """Parts of arrays [n, ...], all of one size and on the devices, and how many of their entries count."""
        size = min(self.batch, self._rounded_up(len(arrays[0])))
        for start in range(0, len(arrays[0]), size):
            parts = [array[start : start + size] for array in arrays]
            missing = size - len(parts[0])
            # The last one again: a vector of zeros is no label that every network can take.
            padded = [np.pad(part, ((0, missing), *((0, 0),) * (part.ndim - 1)), mode="edge") for part in parts]
            yield [sharding.spread(part, self._spread) for part in padded], len(parts[0])

    def _show(self, count: int, function: Callable[..., tuple[jax.Array, jax.Array]], *inputs: Tree) -> np.ndarray:
        images, finite = function(*inputs)
        _check_finite(finite)
        return sharding.fetch(images)[:count]

    def _rounded_up(self, count: int) -> int:
        return -(-count // self._devices) * self._devices

    def _check_styles(self) -> None:
        if self.recipe.styles is None:
            raise ConfigError("this recipe's generator has no styles: choose a workdir of a style-based GAN")

    @staticmethod
    def _checked(recipe: Recipe, options: Options) -> Options:
        if options.truncation is not None and not recipe.truncates:
            raise ConfigError(f"truncation is {options.truncation}, but this recipe does not truncate: leave it out")
        return options


def _check_finite(finite: jax.Array | None) -> None:
    if finite is not None and not finite:
        raise UserError(f"the generator makes NaN or infinite values: {DIVERGED}")


def of_workdir(config: ConfigDict, workdir: Path, options: Options) -> tuple[Sampler, Tree]:
    """A sampler for a workdir, and the variables of its newest checkpoint, from the average where there is one.

    Raises:
        ConfigError: there is no checkpoint, or the options do not fit the recipe.
        UserError: the checkpoint is damaged, or not of this config.
    """
    recipe, mesh = load(config), sharding.make_mesh(config.mesh)
    sampler = Sampler(recipe, mesh, config.evaluate.batch, options)
    current = workdirs.restore(workdir, state.abstract(recipe, mesh, config.mesh.rules))
    return sampler, state.variables(current, averaged=True)


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


def labels_of_class(number: int | None, count: int, data: ConfigDict) -> np.ndarray:
    """As many labels of one class; for a model without classes, None and what it ignores.

    Raises:
        ConfigError: the class is missing, or the model does not have it.
    """
    if number is None and data.num_classes:
        raise ConfigError(f"--class is missing: the model has classes 0 to {data.num_classes - 1}, choose one")
    if number is not None:
        check_classes("--class", (number,), data.num_classes)
    return as_labels(np.full(count, number or 0, np.int32), data)


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises ConfigError unless all are whole numbers that a random key can have."""
    if bad := [seed for seed in seeds if not 0 <= seed < 2**32]:
        raise ConfigError(f"the seed is {bad[0]}: expected a whole number from 0 to {2**32 - 1}")


def check_classes(option: str, classes: Sequence[int], known: int) -> None:
    """Raises ConfigError unless all are classes of a model that has so many."""
    if bad := [number for number in classes if not 0 <= number < known]:
        raise ConfigError(
            f"{option} names {bad[0]}, but the model has classes 0 to {known - 1}"
            if known
            else f"{option} was given, but the model has no classes"
        )
