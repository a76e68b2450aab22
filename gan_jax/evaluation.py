"""The scores of a training state: images are generated once, every extractor sees them once, all metrics share that."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from gan_jax.data.source import Source, open_source
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Recipe, load
from gan_jax.errors import ConfigError
from gan_jax.metrics import catalogue, direct
from gan_jax.metrics.extractors import lpips
from gan_jax.metrics.extractors.catalogue import open_extractor
from gan_jax.metrics.features import Batch, FeatureSet, Judge, one_pass
from gan_jax.metrics.frechet import bias_warning
from gan_jax.metrics.generator import Generator
from gan_jax.metrics.real import RealImages
from gan_jax.metrics.reference import References
from gan_jax.metrics.settings import Settings
from gan_jax.sampling import Options, Sampler, as_labels

Tree = Any
Record = dict[str, Any]
LABELS = ("balanced", "empirical")


@dataclasses.dataclass(frozen=True)
class Panel:
    """An extractor, what is asked of it, and how it sees generated and real images (None: no metric looks at those)."""

    name: str
    requests: tuple[catalogue.Request, ...]
    outputs: Mapping[str, str]
    fake: Judge
    real: Judge | None


class Evaluation:
    """All metrics of a config, ready for any state of its run.

    Args:
        config: its section `evaluate`; see docs/evaluation.md.
        recipe, mesh, sampler: what is evaluated, where, and how its images are drawn.
        source: the training data if they are open already.

    Raises:
        ConfigError: a metric is unknown or does not fit the model, or weights that it needs are absent.
        UserError: weights are damaged.
    """

    def __init__(self, config: ConfigDict, recipe: Recipe, mesh: Mesh, sampler: Sampler, source: Source | None = None):
        section = config.evaluate
        self._config, self._recipe, self._sampler = config, recipe, sampler
        self._settings = Settings.of(section.settings)
        self._spread = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
        if unknown := sorted({w for w in section.metrics if w.partition(":")[0] not in NAMES}):
            raise ConfigError(f"config.evaluate.metrics names {unknown}: expected some of {', '.join(NAMES)}")
        if section.labels not in LABELS:
            raise ConfigError(f"config.evaluate.labels is {section.labels!r}: expected one of {', '.join(LABELS)}")
        self._real = _real_images(config, source)
        self._empirical = section.labels == "empirical" or bool(self._real.source.label_dim)
        # Images with several labels have no class that a metric could ask for.
        self._classes = 0 if self._real.source.label_dim else config.data.num_classes
        self._direct = {word: direct.METRICS[word] for word in section.metrics if word in direct.METRICS}
        for word, metric in self._direct.items():
            metric.check(word, self._generator({}, sampler), self._real)
        everywhere = NamedSharding(mesh, PartitionSpec())
        self._panels = self._open_panels(everywhere)
        self._lpips = lpips.load(section.weights) if any(metric.lpips for metric in self._direct.values()) else None
        self._distance = self._lpips and functools.partial(
            jax.jit(lpips.distance, out_shardings=everywhere), self._lpips.variables
        )
        self._exact_sampler = sampler
        if config.precision.compute != "float32" and any(metric.exact for metric in self._direct.values()):
            exact = ConfigDict(config)
            exact.precision.compute = "float32"
            options = Options(standing=section.standing, seed=section.seed)
            self._exact_sampler = Sampler(load(exact), mesh, section.batch, options)
        self._references = References(
            self._real.description,
            lambda: self._real.batches(sampler.batch, self._place),
            section.cache,
        )

    def begin(
        self, current: state.State, truncation: float | None = None, seed: int | None = None
    ) -> Callable[[], Record]:
        """Draws the images and takes their features, which needs the devices; the returned function does the rest.

        That one may be called at any later time, in another thread; of several processes by the first. It returns the
        scores by name beside "step", "images", "samples", "seed", "truncation", "warnings" and "protocol": of every
        score what it depends on.

        Raises:
            UserError: an image holds a value that is not finite, or there are too few images for a metric.
        """
        section = self._config.evaluate
        seed = section.seed if seed is None else seed
        generator = self._generator_of(current, truncation, seed)
        fakes: list[FeatureSet] = []
        if self._panels:
            labels = generator.labels(section.samples)
            fakes = one_pass(generator.images(labels, 0), [panel.fake for panel in self._panels])
        looking = [panel for panel in self._panels if panel.real]
        seen = self._references.of([panel.real for panel in looking])
        reals = {panel.name: real for panel, real in zip(looking, seen, strict=True)}
        common = self._protocol(section.samples, seed, truncation)
        scores, protocol = {}, {}
        for metric in self._direct.values():
            exact = metric.exact and self._exact_sampler is not self._sampler
            seen_by = self._generator_of(current, truncation, seed, self._exact_sampler) if exact else generator
            found = metric.compute(
                direct.Scene(seen_by, self._real, section.samples, self._settings, seed, self._distance)
            )
            scores |= found
            network = {"weights_sha256": self._lpips.sha256} if metric.lpips else {}
            known = common | network | self._real.description | self._chosen(metric.settings)
            protocol |= dict.fromkeys(found, known)
        head = {"step": int(current.step), "images": int(current.images), "samples": section.samples, "seed": seed}

        def finish() -> Record:
            warnings = []
            for panel, fake in zip(self._panels, fakes, strict=True):
                found, told = self._judged(panel, fake, reals.get(panel.name, fake), seed)
                warnings += told
                for request, values in found:
                    scores.update(values)
                    protocol.update(dict.fromkeys(values, common | self._of_panel(panel, request)))
            ordered = dict(sorted(scores.items()))
            return {**head, "truncation": truncation, **ordered, "warnings": warnings, "protocol": protocol}

        return finish

    def _judged(
        self, panel: Panel, fake: FeatureSet, real: FeatureSet, seed: int
    ) -> tuple[list[tuple[catalogue.Request, Record]], list[str]]:
        """The scores of every request of a panel, and what there is to know about them."""
        outputs = set(panel.outputs.values())
        pairs = {name: catalogue.Pair(fake, real, name, self._settings, seed) for name in outputs}
        found, warnings = [], []
        for request in panel.requests:
            output = panel.outputs[request.metric.output]
            scores = {name + request.suffix: value for name, value in request.metric.compute(pairs[output]).items()}
            found.append((request, scores))
            if not request.metric.rows:
                moments = fake.moments[output]
                warning = bias_warning(moments.count, len(moments.mean))
                warnings += [f"{name}: {warning}" for name in scores if warning]
        return found, warnings

    def images(self, current: state.State, truncation: float | None, seed: int, places: Sequence[int]) -> np.ndarray:
        """Single images of an evaluation, by their place in it: uint8 [n, h, w, c]."""
        generator = self._generator_of(current, truncation, seed)
        labels = generator.labels(max(places) + 1)
        return np.concatenate([generator.to_host(labels[place : place + 1], place) for place in places])

    def real_images(self, places: Sequence[int]) -> np.ndarray:
        """Single images of the reference, by their place in its order: uint8 [n, h, w, c]."""
        return self._real.source.read(self._real.indices[list(places)])["image"]

    def _generator_of(
        self, current: state.State, truncation: float | None, seed: int, sampler: Sampler | None = None
    ) -> Generator:
        variables = state.variables(current, averaged=self._config.evaluate.averaged)
        return self._generator(variables, (sampler or self._sampler).at(truncation, seed))

    def _open_panels(self, everywhere: NamedSharding) -> list[Panel]:
        config = self._config
        words = [word for word in config.evaluate.metrics if word not in self._direct]
        requests = [catalogue.request(word, self._classes) for word in words]
        panels = []
        for name in dict.fromkeys(request.extractor for request in requests):
            here = tuple(request for request in requests if request.extractor == name)
            extractor = open_extractor(name, config.evaluate.weights)
            extractor = dataclasses.replace(extractor, variables=jax.device_put(extractor.variables, everywhere))
            outputs = {"features": extractor.features, "logits": extractor.logits}
            outputs = {r.metric.output: outputs.get(r.metric.output, r.metric.output) for r in here}
            if blind := [request.word for request in here if outputs[request.metric.output] is None]:
                raise ConfigError(f"the metric {blind[0]!r}: the extractor {name} knows no classes, choose another")

            def judge(chosen, extractor=extractor, outputs=outputs) -> Judge:
                moments = [outputs[r.metric.output] for r in chosen if not r.metric.rows]
                rows = [outputs[r.metric.output] for r in chosen if r.metric.rows]
                return Judge(extractor, moments, rows, everywhere)

            looking = [request for request in here if request.metric.real]
            panels.append(Panel(name, here, outputs, judge(here), judge(looking) if looking else None))
        return panels

    def _generator(self, variables: Tree, sampler: Sampler) -> Generator:
        """The generator as metrics see it."""
        data, styles = self._config.data, self._recipe.styles
        settled = sampler.settle(variables, data) if variables else variables

        def images(labels: np.ndarray, first: int = 0) -> Iterator[Batch]:
            done = 0
            for drawn, count in sampler.on_devices(settled, labels, first):
                yield drawn, labels[done : done + count], count
                done += count

        return Generator(
            labels=lambda count: self._labels(count, sampler.seed),
            images=images,
            latents=lambda count, first=0: sampler.latents(count, first),
            prior=sampler.prior,
            synthesize=functools.partial(sampler.floats, settled),
            map=styles and functools.partial(sampler.map, settled),
            synthesize_ws=styles and functools.partial(sampler.floats_of_ws, settled),
            num_classes=self._classes,
            batch=sampler.batch,
            place=self._place,
            fetch=sharding.fetch,
        )

    def _place(self, array: np.ndarray) -> jax.Array:
        return sharding.spread(array, self._spread)

    def _labels(self, count: int, seed: int) -> np.ndarray:
        """Labels of so many generated images: classes in turn, or those of real images drawn with replacement."""
        data = self._config.data
        if not self._empirical:
            return as_labels(np.arange(count, dtype=np.int32) % max(data.num_classes, 1), data)
        drawn = np.random.RandomState(seed).randint(0, self._real.count, count)
        labels = self._real.labels[drawn]
        return labels if labels.ndim == 2 else as_labels(labels, data)

    def _protocol(self, count: int, seed: int, truncation: float | None) -> Record:
        section = self._config.evaluate
        averaged = section.averaged and self._recipe.ema is not None
        standing = f"standing, {section.standing} batches of {self._sampler.batch}" if section.standing else "running"
        return {
            "samples": count,
            "seed": seed,
            "weights": "average" if averaged else "as trained",
            "batch_statistics": standing if self._recipe.standing else "none",
            "truncation": truncation,
            "labels": "empirical" if self._empirical else "balanced" if self._config.data.num_classes else "none",
            "quantised": True,
        }

    def _of_panel(self, panel: Panel, request: catalogue.Request) -> Record:
        extractor = panel.fake.extractor
        network = {"extractor": extractor.name, "weights_sha256": extractor.sha256, "resize": extractor.resize}
        real = self._real.description if request.metric.real else {}
        return {
            **network,
            "output": panel.outputs[request.metric.output],
            **real,
            **self._chosen(request.metric.settings),
        }

    def _chosen(self, names: tuple[str, ...]) -> Record:
        return {name: getattr(self._settings, name) for name in names}


NAMES = (*catalogue.METRICS, *direct.METRICS)


def _real_images(config: ConfigDict, source: Source | None) -> RealImages:
    """The images of `config.evaluate.reference`, or the training data."""
    section = config.evaluate
    if not section.reference and source is not None:
        return RealImages.of(source, section.reference_count, f"{config.data.source}, {config.data.crop}")
    data = ConfigDict(config.data)
    data.source = section.reference or data.source
    return RealImages.of(open_source(data), section.reference_count, f"{data.source}, {data.crop}")
