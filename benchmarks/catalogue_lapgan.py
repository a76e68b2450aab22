"""What each level of LAPGAN's pyramid adds: Fréchet distances of its images against the coarser ones simply enlarged.

    python benchmarks/catalogue_lapgan.py                       three seeds: some minutes
    python benchmarks/catalogue_lapgan.py --seeds=0 --workdir=workdirs/lapgan

Trains configs/lapgan_digits.py and draws 1,000 digits of every level from the same latents. Each level is enlarged to 16
pixels by linear interpolation, as the pyramid does, and compared with the 1,797 real digits in the features of the built-in
encoder; the last column has real digits that were shrunk to the coarsest level and enlarged again. Writes a picture of
all levels side by side into each workdir.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from catalogue import Run, draw, trained

from gan_jax.data.digits import digits
from gan_jax.layers.pixels import to_float, to_uint8
from gan_jax.metrics.extractors.catalogue import open_extractor
from gan_jax.metrics.frechet import frechet_of_rows
from gan_jax.networks.lapgan import grow, pyramid
from gan_jax.recipes.lapgan import of_all_levels

COUNT = 1000


def enlarged(images: jax.Array, side: int) -> jax.Array:
    """Images [n, s, s, c] in a finer size."""
    while images.shape[1] < side:
        images = grow(images)
    return jnp.clip(images, -1, 1)


def distances(run: Run) -> dict[str, float]:
    """By the side of the level that the images are of, and of blurred real ones."""
    side = run.config.data.resolution
    labels = jnp.arange(COUNT) % run.config.data.num_classes
    levels = jax.jit(lambda z: of_all_levels(run.recipe, run.averaged, z, labels))(run.latents(COUNT))
    shown = jnp.stack([enlarged(images[:40], side) for images in levels], 1)
    draw(run, "levels", shown.reshape(-1, *shown.shape[2:]), 4 * len(levels))
    real = to_float(jnp.asarray(digits(side).images))
    reference = features(real)
    sets = {f"{images.shape[1]} pixels": images for images in levels}
    sets["real, from the coarsest size"] = pyramid(real, len(levels))[0]
    return {name: frechet_of_rows(reference, features(enlarged(images, side))) for name, images in sets.items()}


def features(images: jax.Array) -> np.ndarray:
    extractor = open_extractor("digits", "")
    take = jax.jit(lambda images: extractor.apply(extractor.variables, images)[extractor.features])
    return np.asarray(take(to_uint8(images)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--workdir", type=Path, default=Path("workdirs/catalogue"))
    options = parser.parse_args()
    for index, seed in enumerate(map(int, options.seeds.split(","))):
        found = distances(trained("lapgan_digits", seed, options.workdir, ()))
        if not index:
            print(f"| seed | {' | '.join(found)} |\n|---:|{'---:|' * len(found)}")
        print(f"| {seed} | {' | '.join(f'{value:.1f}' for value in found.values())} |", flush=True)


if __name__ == "__main__":
    main()
