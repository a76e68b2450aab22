"""`gan-jax sample`: pictures from a trained workdir."""

import io
import os
from pathlib import Path

from ml_collections import ConfigDict
from PIL import Image

from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.report import atomic
from gan_jax.report.grid import save_grid
from gan_jax.sampling import Options, Sampler, as_labels, labels_by_row

COLUMNS = 10


def sample(
    config: ConfigDict, workdir: Path, out: Path, count: int | None, classes: tuple[int, ...], options: Options
) -> str:
    """Writes one grid with a class per row (`out` ends in .png), or one file per image into the folder `out`.

    Args:
        count: number of images; None for ten of each class.
        classes: which classes, () for all (the first ten in a grid).

    Returns:
        A sentence that says what was written.

    Raises:
        ConfigError: a class that the model does not have, a count below 1, or no checkpoint.
        UserError: `out` cannot be written.
    """
    known = config.data.num_classes
    if bad := [c for c in classes if not 0 <= c < known]:
        raise ConfigError(
            f"--classes names {bad[0]}, but the model has classes 0 to {known - 1}"
            if known
            else "--classes was given, but the model has no classes"
        )
    if count is not None and count < 1:
        raise ConfigError(f"--count is {count}: expected at least 1")
    if out.suffix.lower() in (".jpg", ".jpeg", ".webp", ".gif"):
        raise ConfigError(f"--out is {out}: expected FILE.png for one grid, or a folder for a PNG file per image")
    is_grid = out.suffix.lower() == ".png"
    chosen = classes or tuple(range(min(known, 10) if is_grid else known)) or (0,)
    count = count or COLUMNS * (len(chosen) if known else COLUMNS)
    columns = -(-count // len(chosen)) if is_grid and known else COLUMNS
    shown = labels_by_row(chosen, -(-count // len(chosen)))[:count]
    labels = as_labels(shown, config.data)

    recipe, mesh = load(config), sharding.make_mesh(config.mesh)
    sampler = Sampler(recipe, mesh, config.evaluate.batch, options)
    current = workdirs.restore(workdir, state.abstract(recipe, mesh, config.mesh.rules))
    variables = sampler.settle(state.variables(current, averaged=True), config.data)
    if is_grid:
        rows = [str(number) for number in shown[::columns]] if known else None
        save_grid(out, sampler.draw(variables, labels), columns, rows)
        return f"{count} images in {out}"
    first = 0
    for images in sampler.stream(variables, labels):
        for index, image in enumerate(images, first):
            picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
            name = f"{index:06d}_class{shown[index]}.png" if known else f"{index:06d}.png"
            atomic.replace(out / name, buffer.getvalue())
        first += len(images)
    return f"{count} images in {out}{os.sep}"
