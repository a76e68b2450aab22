"""The exact scores of convex polygons: how near the distances come to the least that is known, and what they cost.

    python benchmarks/polygons.py
    python benchmarks/polygons.py --count=200 --steps=3        a quick look

Distances: the seven images of tests/data/eval_triangle_probes.npz beside the best that a long search has found; then
triangles of the test set, on which the true distance is 0; then the same with noise, which are as hard as a good
generator's images. Recall: the time of a step of the inversion for the generator of configs/wgan_gp_polygons.py, with
which a budget's time is its searches times its steps; and the recall of a generator that can make every triangle, which
is 1 if the search misses nothing.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.polygons import draw_polygons, place, to_grey
from gan_jax.metrics.polygon_distance import pixels, squared_distances
from gan_jax.metrics.polygon_recall import CHUNK, HEADLINE, STUDY, Budget, invert
from gan_jax.metrics.polygon_render import brightness
from gan_jax.networks.wgan_gp import Generator

DATA = Path(__file__).parent.parent / "tests" / "data"
QUANTILES = (50, 90, 99, 100)  # percent
MANIFOLDS = ("family", "free")


def probes() -> None:
    images = np.load(DATA / "eval_triangle_probes.npz")
    bounds = json.loads((DATA / "eval_triangle_probes.json").read_text())
    together = np.stack([images[name] for name in bounds])
    measured = {manifold: squared_distances(together, manifold) for manifold in MANIFOLDS}
    print("| image | family | long search | free | long search |\n|---|---:|---:|---:|---:|")
    for index, (name, bound) in enumerate(bounds.items()):
        cells = [f"{measured[manifold][index]:.4f} | {bound[manifold]:.4f}" for manifold in MANIFOLDS]
        print(f"| {name} | {' | '.join(cells)} |")


def distances(images: dict[str, np.ndarray]) -> None:
    print("\n| images | manifold | ms an image | " + " | ".join(f"{q} %" for q in QUANTILES) + " | below 0.75 |")
    print("|---|---|" + "---:|" * (len(QUANTILES) + 2))
    for name, group in images.items():
        for manifold in MANIFOLDS:
            start = time.perf_counter()
            found = squared_distances(group, manifold)
            cost = (time.perf_counter() - start) / len(group)
            quantiles = " | ".join(f"{value:.4f}" for value in np.percentile(found, QUANTILES))
            print(f"| {name} | {manifold} | {1e3 * cost:.1f} | {quantiles} | {np.mean(found < 0.75):.3f} |")


def inversion(targets: np.ndarray, steps: int) -> None:
    print("\n| channels | ms a step of 256 | study, minutes | headline, minutes |\n|---|---:|---:|---:|")
    for channels in (16, 64):
        step = step_time(channels, targets, steps)
        minutes = [searches(budget) * step / CHUNK / 60 for budget in (STUDY, HEADLINE)]
        print(f"| {channels} | {1e3 * step:.0f} | {minutes[0]:.1f} | {minutes[1]:.1f} |")


def step_time(channels: int, targets: np.ndarray, steps: int) -> float:
    """Seconds that a step of a chunk takes: the difference of two inversions that both compile."""
    generator, labels = Generator(channels=channels), jnp.zeros(1, jnp.int32)
    variables = generator.init(jax.random.key(0), jnp.zeros((1, 128)), labels)
    times = []
    for count in (1, 1 + steps):
        budget = Budget(targets=len(targets), restarts=3, steps=count, doubled=1)
        start = time.perf_counter()
        invert(targets, lambda z: generator.apply(variables, z, labels), normal(128), budget)
        times.append(time.perf_counter() - start)
    return (times[1] - times[0]) / (3 * steps)  # one chunk, and one that is not full with twice the steps


def searches(budget: Budget) -> int:
    """Images that a budget makes, forward and backward."""
    return (budget.targets + 2 * budget.doubled) * (budget.restarts + 1) * budget.steps


def perfect(targets: np.ndarray) -> None:
    def synthesize(z):
        with jax.default_matmul_precision("highest"):
            return 2 * brightness(place(jax.scipy.stats.norm.cdf(z), jnp))[..., None] - 1

    start = time.perf_counter()
    found, doubled = invert(targets, synthesize, normal(4), Budget(len(targets), restarts=1, steps=100))
    print(
        f"\nA perfect generator: {len(targets)} targets in {time.perf_counter() - start:.0f} s, recall at 0.25", end=" "
    )
    print(f"{np.mean(found < 0.25):.3f}, largest distance {found.max():.3f}; with 200 steps {doubled.max():.3f}")


def normal(width: int):
    return lambda key, count: jax.random.normal(key, (count, width))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="test images whose distances are measured")
    parser.add_argument("--steps", type=int, default=10, help="steps of the inversion that are timed")
    arguments = parser.parse_args()
    probes()
    test = pixels(to_grey(draw_polygons(80_000)[0][60_000 : 60_000 + arguments.count]))
    noise = np.random.RandomState(0).normal(0, 0.05, test.shape)
    distances({"test set": test, "with noise of 0.05": np.clip(test + noise, 0, 1)})
    inversion(test[: CHUNK // 4], arguments.steps)
    perfect(test[:128])


if __name__ == "__main__":
    main()
