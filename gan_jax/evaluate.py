"""`gan-jax evaluate`, and what training shows of itself: scores and sample grids."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Recipe, load
from gan_jax.errors import ConfigError
from gan_jax.metrics.digits import DigitsJudge
from gan_jax.report import atomic
from gan_jax.report.grid import save_grid
from gan_jax.sampling import Options, Sampler, as_labels, labels_by_row


class Evaluator:
    """Scores and pictures of a training state, from its averaged weights where the recipe averages.

    Args:
        config: its section `evaluate` has `metrics` (names in `METRICS`), `samples`, `batch`, `standing`
            (accumulations of standing statistics) and `seed`; `report` has `rows` and `columns` of the grids.
    """

    def __init__(self, config: ConfigDict, recipe: Recipe, mesh: Mesh):
        self._config = config
        if unknown := sorted(set(config.evaluate.metrics) - set(METRICS)):
            raise ConfigError(f"config.evaluate.metrics names {unknown}: expected some of {sorted(METRICS)}")
        options = Options(standing=config.evaluate.standing, seed=config.evaluate.seed)
        self._sampler = Sampler(recipe, mesh, config.evaluate.batch, options)

    def picture(self, current: state.State, workdir: Path) -> Path:
        """Writes a grid of the same latents as ever, one class per row, to samples/IMAGES.png."""
        rows, columns = self._config.report.rows, self._config.report.columns
        classes = self._config.data.num_classes
        shown = tuple(range(min(rows, classes)))
        drawn = labels_by_row(shown or (0,) * rows, columns)
        path = workdir / "samples" / f"{int(current.images):010d}.png"
        return save_grid(path, self._draw(current, drawn), columns, [str(c) for c in shown] or None)

    def score(self, current: state.State, workdir: Path) -> tuple[dict[str, Any], str]:
        """Computes all metrics of the config and writes evaluations/IMAGES.json; returns its content, and it in words."""
        step, images = int(current.step), int(current.images)
        classes = np.arange(self._config.evaluate.samples, dtype=np.int32) % max(self._config.data.num_classes, 1)
        samples = self._draw(current, classes)
        scores: dict[str, Any] = {}
        for name in self._config.evaluate.metrics:
            scores |= METRICS[name](samples, classes if self._config.data.num_classes else None)
        record = {"step": step, "images": images, "samples": len(classes), **scores}
        folder = workdir / "evaluations"
        atomic.replace(folder / f"{images:010d}.json", (json.dumps(record, indent=2) + "\n").encode())
        first = min(path for path in folder.iterdir() if path.suffix == ".json")
        return record, in_words(record, json.loads(first.read_text()))

    def _draw(self, current: state.State, classes: np.ndarray) -> np.ndarray:
        variables = self._sampler.settle(state.variables(current, averaged=True), self._config.data)
        return self._sampler.draw(variables, as_labels(classes, self._config.data))


def evaluate(config: ConfigDict, workdir: Path) -> tuple[dict[str, Any], str]:
    """Scores the newest checkpoint of a workdir; see `Evaluator.score`.

    Raises:
        ConfigError: there are no metrics to compute, or no checkpoint.
    """
    if not config.evaluate.metrics:
        raise ConfigError(f"config.evaluate.metrics is empty: expected some of {sorted(METRICS)}")
    recipe, mesh = load(config), sharding.make_mesh(config.mesh)
    evaluator = Evaluator(config, recipe, mesh)
    return evaluator.score(workdirs.restore(workdir, state.abstract(recipe, mesh, config.mesh.rules)), workdir)


def digits(samples: np.ndarray, classes: np.ndarray | None) -> dict[str, float]:
    """What a classifier of real digits says of uint8 samples [n, r, r, 1] and the classes int32 [n] asked for, if any."""
    judge = _digits_judge(samples.shape[1])
    scores = {"frechet": judge.frechet(samples)}
    if classes is None:
        return scores
    recognised = judge.recognised(samples, classes)
    return {"recognised": recognised, "held_out_accuracy": judge.held_out_accuracy, **scores}


_digits_judge = functools.cache(DigitsJudge)


METRICS: dict[str, Callable[[np.ndarray, np.ndarray | None], dict[str, float]]] = {"digits": digits}


def in_words(record: dict[str, Any], first: dict[str, Any]) -> str:
    """An evaluation in words, beside the first one of the run."""
    lines = [f"after {record['images']:,} images, on {record['samples']:,} samples:"]
    if "recognised" in record:
        lines.append(
            f"  {record['recognised']:.1%} are recognised as the class asked for (by a classifier that recognises "
            f"{record['held_out_accuracy']:.1%} of held-out real digits)"
        )
    if "frechet" in record:
        lines.append(f"  Frechet distance to the real digits in a classifier's features: {record['frechet']:.2f}")
        if record["frechet"] and "frechet" in first and first["images"] < record["images"]:
            ratio = first["frechet"] / record["frechet"]
            lines[-1] += f" ({first['frechet']:.1f} after {first['images']:,} images, {ratio:.1f} times as much)"
    return "\n".join(lines)
