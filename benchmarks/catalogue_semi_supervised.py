"""What unlabelled digits are worth to a classifier: the semi-supervised GAN against its classifier alone.

    python benchmarks/catalogue_semi_supervised.py                       three seeds, both: half an hour on two cores
    python benchmarks/catalogue_semi_supervised.py --seeds=0 --workdir=workdirs/semi_supervised

Trains configs/semi_supervised_digits.py as it is, and with `unlabelled_weight=0`, which leaves the same classifier the
same labelled images, dropout, noise and steps. Each seed has its own ten labels of each class. Prints the share of the
360 digits held out that the averaged classifier, and the last one, get right.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
from catalogue import Run, trained
from ml_collections import ConfigDict

from gan_jax.data.source import open_source
from gan_jax.layers.pixels import to_float
from gan_jax.recipes.semi_supervised import classify

METHODS = {"with unlabelled and generated images": (), "labelled images alone": ("phases.unlabelled_weight=0.0",)}


def accuracies(run: Run) -> dict[str, float]:
    """On the digits held out, of both sets of weights."""
    section = ConfigDict({**run.config.data.to_dict(), "source": "digits:test"})
    source = open_source(section)
    images = to_float(jnp.asarray(source.images))

    def share(variables) -> float:
        told = jax.jit(lambda images: classify(run.recipe, variables, images))(images).argmax(-1)
        return float((told == source.labels).mean())

    return {"averaged": share(run.averaged), "last": share(run.present)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--labelled", type=int, default=10, help="of each class")
    parser.add_argument("--workdir", type=Path, default=Path("workdirs/catalogue"))
    options = parser.parse_args()
    print(
        "| trained on | labels per class | seed | right, averaged weights | right, last weights |\n|---|---:|---:|---:|---:|"
    )
    for method, overrides in METHODS.items():
        for seed in map(int, options.seeds.split(",")):
            labels = (f"data.labelled_seed={seed}", f"data.labelled={options.labelled}")
            found = accuracies(trained("semi_supervised_digits", seed, options.workdir, (*overrides, *labels)))
            shown = " | ".join(f"{value:.1%}" for value in found.values())
            print(f"| {method} | {options.labelled} | {seed} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
