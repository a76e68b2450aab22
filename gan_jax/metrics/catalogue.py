"""The metrics of features by name: what each needs of which extractor, and how its scores come of that.

A metric is asked for by a word: "fid", or "frechet:digits" where the extractor is another than its usual one. Scores
of another extractor carry its name ("frechet_digits"), so that no number is mistaken for the published kind.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics import frechet, inception_score, kernel, neighbours, prd
from gan_jax.metrics.extractors import catalogue as extractors
from gan_jax.metrics.features import FeatureSet
from gan_jax.metrics.settings import Settings

Scores = dict[str, Any]  # numbers, and what tells more about them
NEAR = 0.5  # of the distance between real images: what is nearer than that counts as memorised
SHOWN = 10  # pairs of nearest images


@dataclasses.dataclass(frozen=True)
class Pair:
    """Generated and real images as one extractor sees them, for a metric that looks at one of its outputs."""

    fake: FeatureSet
    real: FeatureSet
    output: str
    settings: Settings
    seed: int

    @property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the real and of the generated images, float32 [n, d]."""
        return self.real.rows[self.output], self.fake.rows[self.output]

    @functools.cached_property
    def neighbourhood(self) -> neighbours.Neighbourhood:
        """Who is near whom, for all scores by nearest neighbours."""
        return neighbours.Neighbourhood(*self.rows, (self.settings.neighbours, self.settings.coverage_neighbours))

    @property
    def distance(self) -> float:
        """The Frechet distance by the moments."""
        return frechet.frechet_distance(self.real.moments[self.output], self.fake.moments[self.output])


@dataclasses.dataclass(frozen=True)
class Metric:
    """A number, or several, from the features of generated and real images.

    Attributes:
        compute: its scores by name.
        output: which output of the extractor: "features", "logits", or one by its own name.
        rows: whether every row is needed, or the moments are enough.
        extractor: its usual one; None where it must be named.
        only: the extractors that its name promises, by how theirs begin; "" for any.
        settings: the fields of `Settings` that it depends on.
        classes: whether it needs the classes of the images.
        real: whether it looks at the real images.
    """

    compute: Callable[[Pair], Scores]
    output: str = "features"
    rows: bool = False
    extractor: str | None = "inception"
    only: str = ""
    settings: tuple[str, ...] = ()
    classes: bool = False
    real: bool = True


def _fid_per_class(pair: Pair) -> Scores:
    """Of each class as many images from both sides: the first ones of the side that has more."""
    (real, fake), (real_labels, fake_labels) = pair.rows, (pair.real.classes, pair.fake.classes)
    kept: tuple[list[int], list[int]] = ([], [])
    for number in np.unique(real_labels):
        places = [np.flatnonzero(labels == number) for labels in (real_labels, fake_labels)]
        if not len(places[1]):
            raise UserError(
                f"fid_per_class: no generated image is of class {number}: take more, or labels of every class"
            )
        for some, chosen in zip(places, kept, strict=True):
            chosen.extend(some[: min(map(len, places))])
    mean, _ = frechet.frechet_per_class(real[kept[0]], real_labels[kept[0]], fake[kept[1]], fake_labels[kept[1]])
    return {"fid_per_class": mean}


def _kid(pair: Pair) -> Scores:
    mean, deviation = kernel.kid(*pair.rows, pair.settings.kid_subsets, pair.settings.kid_size, pair.seed)
    return {"kid": mean, "kid_deviation": deviation}


def _inception_score(pair: Pair) -> Scores:
    mean, deviation = inception_score.inception_score(pair.fake.rows[pair.output], pair.settings.is_splits)
    return {"inception_score": mean, "inception_score_deviation": deviation}


def _precision_recall(pair: Pair) -> Scores:
    precision, recall = pair.neighbourhood.precision_recall(pair.settings.neighbours)
    return {"precision": precision, "recall": recall}


def _density_coverage(pair: Pair) -> Scores:
    density, coverage = pair.neighbourhood.density_coverage(pair.settings.coverage_neighbours)
    return {"density": density, "coverage": coverage}


def _prd(pair: Pair) -> Scores:
    """As many images from both sides: the first ones of the side that has more."""
    count = min(map(len, pair.rows))
    f8, f1_8 = prd.prd(
        *(rows[:count] for rows in pair.rows), pair.settings.prd_clusters, pair.settings.prd_runs, pair.seed
    )
    return {"prd_f8": f8, "prd_f1_8": f1_8}


def _nearest(pair: Pair) -> Scores:
    """How near each generated image is to a real one, over how near that one's own nearest is: about 1 for new images."""
    real, fake = pair.rows
    distances, indices = (found[:, 0] for found in neighbours.nearest(fake, real))
    centres, of_centre = np.unique(indices, return_inverse=True)
    between, _ = neighbours.nearest(real[centres], real, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num(distances / between[of_centre, 1], nan=0.0, posinf=np.inf)  # two real ones may be equal
    pairs = [[int(place), int(indices[place])] for place in np.argsort(ratios, kind="stable")[:SHOWN]]
    return {
        "nearest_ratio": float(np.median(ratios)),
        "memorised": float((ratios < NEAR).mean()),
        "nearest_pairs": pairs,
    }


def _recognised(pair: Pair) -> Scores:
    def share(features: FeatureSet) -> float:
        return float((features.rows[pair.output].argmax(axis=1) == features.classes).mean())

    return {"recognised": share(pair.fake), "recognised_real": share(pair.real)}


METRICS = {
    "fid": Metric(lambda pair: {"fid": pair.distance}, only="inception"),
    "fid_infinity": Metric(
        lambda pair: {"fid_infinity": frechet.frechet_infinity(*pair.rows, pair.seed)}, rows=True, only="inception"
    ),
    "fid_per_class": Metric(_fid_per_class, rows=True, only="inception", classes=True),
    "fid_spatial": Metric(lambda pair: {"fid_spatial": pair.distance}, output="spatial", only="inception"),
    "frechet": Metric(lambda pair: {"frechet": pair.distance}, extractor=None),
    "fd_dinov2": Metric(lambda pair: {"fd_dinov2": pair.distance}, extractor="dinov2", only="dinov2"),
    "kid": Metric(_kid, rows=True, settings=("kid_subsets", "kid_size")),
    "cmmd": Metric(lambda pair: {"cmmd": kernel.cmmd(*pair.rows)}, rows=True, extractor="clip", only="clip"),
    "is": Metric(
        _inception_score, output="logits_unbiased", rows=True, only="inception", settings=("is_splits",), real=False
    ),
    "pr": Metric(_precision_recall, rows=True, extractor="vgg16", settings=("neighbours",)),
    "prdc": Metric(_density_coverage, rows=True, settings=("coverage_neighbours",)),
    "prd": Metric(_prd, rows=True, settings=("prd_clusters", "prd_runs")),
    "nearest": Metric(_nearest, rows=True),
    "recognised": Metric(_recognised, output="logits", rows=True, extractor=None, classes=True),
}


@dataclasses.dataclass(frozen=True)
class Request:
    """A metric that was asked for, and the name of its extractor."""

    word: str
    metric: Metric
    extractor: str

    @property
    def suffix(self) -> str:
        """What the names of its scores end in."""
        return "" if self.extractor == self.metric.extractor else f"_{self.extractor}"


def request(word: str, classes: int) -> Request:
    """The metric and the extractor of a word such as "kid" or "kid:dinov2".

    Raises:
        ConfigError: there is no such metric or extractor, they do not go together, or the model lacks classes.
    """
    name, _, extractor = word.partition(":")
    metric = METRICS[name]
    wanted = extractor or metric.extractor
    if wanted is None:
        raise ConfigError(f"the metric {word!r} lacks its extractor: expected {name}:digits or another")
    extractors.check(wanted)
    if not wanted.startswith(metric.only):
        more = "" if name != "fid" else f"; frechet:{wanted} is the same distance in its features"
        raise ConfigError(f"the metric {word!r}: by {name} people mean the features of {metric.only}{more}")
    if metric.classes and not classes:
        raise ConfigError(f"the metric {word!r} needs classes, but the model has none: leave it out")
    return Request(word, metric, wanted)
