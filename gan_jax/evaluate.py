"""`gan-jax evaluate`: the scores of a workdir's newest checkpoint, for several truncations and seeds if so asked."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.evaluation import NAMES, Evaluation
from gan_jax.report import atomic, sweep
from gan_jax.report.grid import save_grid
from gan_jax.report.scores import in_words
from gan_jax.sampling import Options, Sampler
from gan_jax.scoring import as_json, first_record, recorded, write_record

Record = dict[str, Any]


def evaluate(
    config: ConfigDict,
    workdir: Path,
    truncations: Sequence[float] = (),
    seeds: Sequence[int] = (),
    out: Path | None = None,
) -> tuple[list[Record], str]:
    """Scores the newest checkpoint of a workdir, of a finished run or of one that goes on.

    Every evaluation is written to evaluations/IMAGES.json, its name longer by `_psiP` and `_seedS` where these are not
    the config's. Several truncations also make evaluations/IMAGES_truncation.html, which shows their trade-off.

    Args:
        truncations, seeds: of the images; those of the config where there are none.
        out: a file for the records as well.

    Returns:
        The records, and them in words.

    Raises:
        ConfigError: there are no metrics to compute, or no checkpoint, or weights that metrics need are absent.
        UserError: the images are not finite, or too few for a metric.
    """
    section = config.evaluate
    if not section.metrics:
        raise ConfigError(f"config.evaluate.metrics is empty: expected some of {', '.join(NAMES)}")
    recipe, mesh = load(config), sharding.make_mesh(config.mesh)
    sampler = Sampler(recipe, mesh, section.batch, Options(standing=section.standing, seed=section.seed))
    psis, chosen = tuple(truncations) or (section.truncation,), tuple(seeds) or (section.seed,)
    for psi in psis:
        for seed in chosen:
            sampler.at(psi, seed)  # what the recipe refuses is told before anything is computed
    evaluation = Evaluation(config, recipe, mesh, sampler)
    current = workdirs.restore(workdir, state.abstract(recipe, mesh, config.mesh.rules))
    records, texts = [], []
    for psi in psis:
        for seed in chosen:
            name = "" if psi == section.truncation else f"_psi{psi:g}"
            name += "" if seed == section.seed else f"_seed{seed}"
            with recorded(workdir, int(current.step), int(current.images), name):
                record = evaluation.begin(current, psi, seed)()
            path = write_record(workdir, record, name)
            for key in record:
                if key.startswith("nearest_pairs"):
                    _save_nearest(evaluation, current, record, key, path)
            records.append(record)
            texts.append(in_words(record, first_record(workdir, record)))
            if len(records) < len(psis) * len(chosen):
                print(f"{len(records)} of {len(psis) * len(chosen)} evaluations done", file=sys.stderr)
    if len(psis) > 1:
        page = workdir / "evaluations" / f"{records[0]['images']:010d}_truncation.html"
        atomic.replace(page, sweep.page(records).encode())
        texts.append(f"their trade-off is drawn in {page}")
    if out:
        atomic.replace(out, as_json(records[0] if len(records) == 1 else records))
    return records, "\n".join(texts)


def _save_nearest(evaluation: Evaluation, current: state.State, record: Record, key: str, path: Path) -> None:
    """Writes the generated images that are nearest to real ones, above those, beside the evaluation's file."""
    generated, real = zip(*record[key], strict=True)
    above = evaluation.images(current, record["truncation"], record["seed"], generated)
    images = np.concatenate([above, evaluation.real_images(real)])
    file = path.with_name(f"{path.stem}_{key.replace('nearest_pairs', 'nearest')}.png")
    save_grid(file, images, len(generated), ["generated", "real"])
