"""The metrics that need the generator itself, or whole images, by name."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import ConfigError
from gan_jax.metrics import classification, classifier, diversity, path_length, polygon_recall, polygon_scores
from gan_jax.metrics.generator import Generator
from gan_jax.metrics.real import RealImages
from gan_jax.metrics.settings import Settings

Scores = dict[str, float]
Distance = Callable[[jax.Array, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Scene:
    """What such a metric is given.

    Attributes:
        generator, real: the model, and the images that it is compared with.
        count: generated images, where a metric has no number of its own.
        distance: LPIPS of images float [n, h, w, c] in [-1, 1]; None unless the metric asked for it.
    """

    generator: Generator
    real: RealImages
    count: int
    settings: Settings
    seed: int
    distance: Distance | None = None


@dataclasses.dataclass(frozen=True)
class Direct:
    """A metric of the generator.

    Attributes:
        compute: its scores by name.
        lpips: whether it needs LPIPS.
        exact: whether the generator must compute in float32, whatever the config says.
        settings: the fields of `Settings` that it depends on.
        classes, styles, polygons: whether it needs a model with classes, with styles, of polygons.
    """

    compute: Callable[[Scene], Scores]
    lpips: bool = False
    exact: bool = False
    settings: tuple[str, ...] = ()
    classes: bool = False
    styles: bool = False
    polygons: bool = False

    def check(self, word: str, generator: Generator, real: RealImages) -> None:
        """Raises ConfigError unless the metric fits the model and the data."""
        if self.classes and not generator.num_classes:
            raise ConfigError(f"the metric {word!r} needs classes, but the model has none: leave it out")
        if self.styles and generator.map is None:
            raise ConfigError(f"the metric {word!r} needs a generator with styles: take ppl_z instead, or leave it out")
        if self.polygons and not real.name.startswith("polygons"):
            raise ConfigError(f"the metric {word!r} is for a model of polygons, not of {real.name}: leave it out")


def _path_length(scene: Scene, styles: bool, full: bool) -> float:
    """Paths between the latents of the first images and those of as many more, with the labels of the first."""
    generator, pairs = scene.generator, scene.settings.path_pairs
    labels = generator.labels(pairs)

    def endpoints(first: int, count: int):
        chosen = labels[np.minimum(np.arange(first, first + count), pairs - 1)]
        ends = [generator.place(generator.latents(count, start)) for start in (first, pairs + first)]
        chosen = generator.place(chosen)
        return (*(generator.map(end, chosen) if styles else end for end in ends), chosen)

    synthesize = (lambda ws, labels: generator.synthesize_ws(ws)) if styles else generator.synthesize
    # Generators of the StyleGAN family scale z to length 1 themselves; others take it as it is drawn.
    path = path_length.lerp if styles else path_length.slerp if generator.map else path_length.slerp_any
    return path_length.perceptual_path_length(
        synthesize, endpoints, scene.distance, path, pairs, generator.batch, full, seed=scene.seed
    )


def _ppl(name: str) -> Direct:
    styles, full = name.startswith("ppl_w"), name.endswith("_full")
    return Direct(
        lambda scene: {name: _path_length(scene, styles, full)},
        lpips=True,
        exact=True,
        settings=("path_pairs",),
        styles=styles,
    )


def _lpips_diversity(scene: Scene) -> Scores:
    generator, pairs = scene.generator, scene.settings.diversity_pairs
    labels = generator.labels(pairs)
    streams = zip(generator.images(labels, 0), generator.images(labels, pairs), strict=True)
    images = ((a[:count], b[:count]) for (a, _, count), (b, _, _) in streams)
    return diversity.diversity(images, scene.distance)


def _cas(scene: Scene) -> Scores:
    """Every fifth real image is held out to judge by."""
    generator, settings = scene.generator, scene.settings
    images, labels = scene.real.examples()
    held_out = np.arange(len(images)) % HELD_OUT == 0
    asked = generator.labels(scene.count)
    classes = asked.argmax(axis=1) if asked.ndim == 2 else asked
    how = classifier.usual(settings.classifier, settings.classifier_steps, scene.seed)
    return classification.cas(
        (images[~held_out], labels[~held_out]),
        (images[held_out], labels[held_out]),
        (generator.to_host(asked), classes),
        how,
    )


def _polygons(scene: Scene) -> Scores:
    generator, settings = scene.generator, scene.settings
    label = generator.labels(1)

    def synthesize(latents: jax.Array) -> jax.Array:
        return generator.synthesize(latents, jnp.broadcast_to(label, (len(latents), *label.shape[1:])))

    count = min(settings.inversion_targets, scene.real.count)
    targets, _ = dataclasses.replace(scene.real, count=count).examples()
    budget = polygon_recall.Budget(settings.inversion_targets, settings.inversion_restarts, settings.inversion_steps)
    samples = generator.to_host(generator.labels(scene.count))
    return polygon_scores.polygon_scores(samples, targets, synthesize, generator.prior, budget, scene.seed)


HELD_OUT = 5
METRICS = {
    **{name: _ppl(name) for name in ("ppl_z", "ppl_w", "ppl_z_full", "ppl_w_full")},
    "lpips": Direct(_lpips_diversity, lpips=True, settings=("diversity_pairs",)),
    "cas": Direct(_cas, settings=("classifier", "classifier_steps"), classes=True),
    "polygons": Direct(
        _polygons,
        settings=("inversion_targets", "inversion_restarts", "inversion_steps"),
        polygons=True,
    ),
}
