"""`gan-jax sample`: pictures from a trained workdir."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from gan_jax import styles
from gan_jax.errors import ConfigError
from gan_jax.report.grid import save_grid, save_image
from gan_jax.sampling import Options, as_labels, check_classes, labels_by_row, of_workdir

COLUMNS = 10


def sample(
    config: ConfigDict,
    workdir: Path,
    out: Path,
    count: int | None,
    classes: tuple[int, ...],
    options: Options,
    seeds: tuple[int, ...] = (),
    truncations: tuple[float, ...] = (),
) -> str:
    """Writes one grid (`out` ends in .png), or one file per image into the folder `out`.

    A grid has a class per row, or a truncation per row where there are several.

    Args:
        count: number of images; None for ten of each class, or ten in all if there are several truncations.
        classes: which classes, () for all (the first ten in a grid).
        seeds: an image of each of these seeds, of each class, instead of `count` images of the seed of the options.
        truncations: the same images with each of these, instead of that of the options.

    Returns:
        A sentence that says what was written.

    Raises:
        ConfigError: a class that the model does not have, a count below 1, or no checkpoint.
        UserError: `out` cannot be written.
    """
    known, is_grid = config.data.num_classes, _is_grid(out)
    check_classes("--classes", classes, known)
    if count is not None and (seeds or count < 1):
        raise ConfigError(
            f"--count is {count}: expected at least 1" if not seeds else "--count beside --seeds: give one"
        )
    psis = truncations or (options.truncation,)
    chosen = classes or tuple(range(min(known, COLUMNS) if is_grid else known)) or (0,)
    rows = 1 if len(psis) > 1 else len(chosen) if known else COLUMNS
    count = len(seeds) * len(chosen) if seeds else count or COLUMNS * rows
    each = -(-count // len(chosen))
    shown = labels_by_row(chosen, each)[:count]
    labels, own_seeds = as_labels(shown, config.data), seeds * len(chosen) or None

    sampler, variables = of_workdir(config, workdir, options)
    drawn = []
    for psi in psis:
        at_psi = sampler.at(psi)
        drawn.append(at_psi.stream(at_psi.settle(variables, config.data), labels, seeds=own_seeds))
    if is_grid:
        images = np.concatenate([part for stream in drawn for part in stream])
        if len(psis) > 1:
            save_grid(out, images, count, [f"{psi:g}" for psi in psis])
        else:
            names = [str(number) for number in shown[::each]] if known else None
            save_grid(out, images, each if known else COLUMNS, names)
    else:
        names = [f"seed{seed:04d}" for seed in own_seeds] if seeds else [f"{index:06d}" for index in range(count)]
        if known:
            names = [f"{name}_class{number}" for name, number in zip(names, shown, strict=True)]
        for psi, stream in zip(psis, drawn, strict=True):
            _save_each(out, stream, [f"{name}_psi{psi:g}" if len(psis) > 1 else name for name in names])
    return _told(count * len(psis), out)


def render(config: ConfigDict, workdir: Path, out: Path, file: Path) -> str:
    """Writes the images of styles that a file holds, as one grid or as one file per image; see `sample`.

    Raises:
        ConfigError: the recipe has no styles, or the file's are not such as this generator takes.
        UserError: the file cannot be read, or `out` cannot be written.
    """
    is_grid, ws = _is_grid(out), styles.load(file)
    sampler, variables = of_workdir(config, workdir, Options())
    likeness = next(sampler.ws(variables, as_labels(np.zeros(1, np.int32), config.data)))
    if ws.shape[1:] != likeness.shape[1:]:
        raise ConfigError(f"{file} holds w of shape {ws.shape}: this generator takes {('n', *likeness.shape[1:])}")
    drawn = sampler.of_ws(variables, ws)
    if is_grid:
        save_grid(out, np.concatenate(list(drawn)), COLUMNS)
    else:
        _save_each(out, drawn, [f"{index:06d}" for index in range(len(ws))])
    return _told(len(ws), out)


def _is_grid(out: Path) -> bool:
    if out.suffix.lower() in (".jpg", ".jpeg", ".webp", ".gif"):
        raise ConfigError(f"--out is {out}: expected FILE.png for one grid, or a folder for a PNG file per image")
    return out.suffix.lower() == ".png"


def _save_each(folder: Path, drawn: Iterable[np.ndarray], names: list[str]) -> None:
    """Writes images, which come in batches [n, h, w, 1 or 3], as PNG files."""
    images = (image for batch in drawn for image in batch)
    for image, name in zip(images, names, strict=True):
        save_image(folder / f"{name}.png", image)


def _told(count: int, out: Path) -> str:
    return f"{count} images in {out}{'' if out.suffix.lower() == '.png' else os.sep}"
