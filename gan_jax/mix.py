"""`gan-jax mix`: a grid of images with some layers' styles from one seed and the rest from another."""

from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from gan_jax.errors import ConfigError
from gan_jax.report.grid import BACKGROUND, save_grid
from gan_jax.sampling import Options, labels_of_class, of_workdir


def mix(
    config: ConfigDict,
    workdir: Path,
    out: Path,
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    layers: tuple[int, ...],
    number: int | None,
    options: Options,
) -> str:
    """Writes one grid: sources in the first column and the first row, mixtures between.

    An image has the styles of its row's seed, but of its column's seed in the given layers: figure 3 of arXiv
    1812.04948, where layers 0-3 are coarse, 4-7 middle and 8-17 fine at 1024 pixels.

    Args:
        rows, columns: seeds.
        layers: numbers from 0, the coarsest.
        number: the class, None for a model without classes.

    Returns:
        A sentence that says what was written.

    Raises:
        ConfigError: no style-based GAN, a layer or class that it does not have, or no checkpoint.
        UserError: `out` cannot be written.
    """
    if out.suffix.lower() != ".png":
        raise ConfigError(f"--out is {out}: expected FILE.png")
    seeds = rows + columns
    labels = labels_of_class(number, len(seeds), config.data)
    sampler, variables = of_workdir(config, workdir, options)
    ws = np.concatenate(list(sampler.ws(variables, labels, seeds=seeds)))
    if bad := [layer for layer in layers if layer >= ws.shape[1]]:
        raise ConfigError(f"--layers names {bad[0]}, but this generator has layers 0 to {ws.shape[1] - 1}")
    sources = np.concatenate(list(sampler.of_ws(variables, ws)))
    mixtures = np.concatenate(list(sampler.of_ws(variables, mixed(ws[: len(rows)], ws[len(rows) :], layers))))
    left, top = sources[: len(rows)], sources[len(rows) :]
    body = mixtures.reshape(len(rows), len(columns), *mixtures.shape[1:])
    header = np.concatenate([np.full_like(top[:1], BACKGROUND), top])
    grid = np.concatenate([header, *(np.concatenate([left[i : i + 1], body[i]]) for i in range(len(rows)))])
    save_grid(out, grid, 1 + len(columns))
    return f"{len(rows)} x {len(columns)} mixtures in {out}"


def mixed(rows: np.ndarray, columns: np.ndarray, layers: tuple[int, ...]) -> np.ndarray:
    """Styles of every row [r, layers, d] with the given layers of every column [c, layers, d]: [r * c, layers, d]."""
    taken = np.isin(np.arange(rows.shape[1]), layers)[:, None]
    return np.where(taken, columns[None], rows[:, None]).reshape(-1, *rows.shape[1:])
