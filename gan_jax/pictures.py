"""The grid of samples that training writes now and then, of the same latents each time."""

from pathlib import Path

from ml_collections import ConfigDict

from gan_jax import cluster
from gan_jax.engine import state
from gan_jax.report.grid import save_grid
from gan_jax.report.watch import diversity
from gan_jax.sampling import Sampler, as_labels, labels_by_row


def picture(config: ConfigDict, sampler: Sampler, current: state.State, workdir: Path) -> float:
    """Writes a grid, one class per row, to samples/IMAGES.png; from the averaged weights where the recipe averages.

    All processes draw, the first one writes. Returns the diversity of the images (`report.watch.diversity`).
    """
    rows, columns = config.report.rows, config.report.columns
    shown = tuple(range(min(rows, config.data.num_classes)))
    labels = as_labels(labels_by_row(shown or (0,) * rows, columns), config.data)
    variables = sampler.settle(state.variables(current, averaged=True), config.data)
    images = sampler.draw(variables, labels)
    if cluster.is_first():
        path = workdir / "samples" / f"{int(current.images):010d}.png"
        save_grid(path, images, columns, [str(number) for number in shown] or None)
    return diversity(images)
