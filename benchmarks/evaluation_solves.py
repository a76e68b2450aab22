"""What it costs to make scores of features: Frechet distances by process, scores by neighbours by number of images.

    python benchmarks/evaluation_solves.py frechet
    python benchmarks/evaluation_solves.py neighbours --counts 5000 10000 20000

Every row is a process of its own. Features are random, of 2,048 dimensions as Inception's. Wall clock and, in brackets,
processor time in seconds; memory is what the process had at most, less what it had with the features in place.
"""

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

DIMENSION = 2048
PREPARATIONS = ("nothing", "jax", "tensorflow", "busy")


def seconds(work: Callable[[], object]) -> str:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return f"{time.perf_counter() - wall:.1f} ({time.process_time() - processor:.1f})"


def rectified(random: np.random.Generator, count: int) -> np.ndarray:
    """Rows float32 [count, d] of numbers that are half zero."""
    rows = random.standard_normal((count, DIMENSION), np.float32)
    return np.maximum(rows, 0, out=rows)


@contextlib.contextmanager
def prepared(how: str):
    """A process that has imported and used something, or whose machine has other work on every core."""
    others = []
    if how == "jax":
        import jax
        import jax.numpy as jnp

        jax.jit(lambda x: x @ x)(jnp.ones((1024, 1024))).block_until_ready()
    elif how == "tensorflow":
        import tensorflow as tf

        tf.matmul(tf.ones((1024, 1024)), tf.ones((1024, 1024))).numpy()
    elif how == "busy":
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for other in others:
            other.kill()


def frechet_row(how: str) -> None:
    """One row of the table of Frechet distances."""
    from gan_jax.metrics import frechet
    from gan_jax.metrics.moments import Moments

    random = np.random.default_rng(0)
    real, fake = (Moments.of(rectified(random, 4096)) for _ in range(2))
    with prepared(how):
        ours = seconds(lambda: frechet.frechet_distance(real, fake))
        settled, frechet.one_thread = frechet.one_thread, contextlib.nullcontext
        all_threads = seconds(lambda: frechet.frechet_distance(real, fake))
        frechet.one_thread = settled
        by_jax = seconds(lambda: jax_distance(real, fake)) if how in ("jax", "busy") else "-"
    print(f"| {how} | {ours} | {all_threads} | {by_jax} |", flush=True)


def jax_distance(real, fake) -> float:
    """The two eigenvalue problems by JAX in float64, compilation included."""
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        values, vectors = jnp.linalg.eigh(jnp.asarray(real.covariance()))
        half = vectors * jnp.sqrt(jnp.maximum(values, 0))
        return float(jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(half.T @ fake.covariance() @ half), 0)).sum())


def neighbours_row(count: str) -> None:
    """One row of the table of scores by neighbours."""
    from gan_jax.metrics.neighbours import Neighbourhood

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

    random = np.random.default_rng(0)
    real, fake = (rectified(random, int(count)) for _ in range(2))
    before = peak()
    spent = seconds(lambda: Neighbourhood(real, fake, (3, 5)))
    print(f"| {int(count):,} | {spent} | {peak() - before} |", flush=True)


ROWS = {"frechet": frechet_row, "neighbours": neighbours_row}
HEADS = {
    "frechet": "| process | one thread | all threads | JAX, x64 |\n|---|---:|---:|---:|",
    "neighbours": "| images of each set | P&R (k 3) and PRDC (k 5) | MiB |\n|---:|---:|---:|",
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", choices=ROWS)
    parser.add_argument("--counts", type=int, nargs="*", default=[5000, 10_000, 20_000])
    parser.add_argument("--row", help="print this row alone, in this process")
    arguments = parser.parse_args()
    if arguments.row:
        ROWS[arguments.table](arguments.row)
    else:
        print(HEADS[arguments.table], flush=True)
        for row in PREPARATIONS if arguments.table == "frechet" else map(str, arguments.counts):
            subprocess.run([sys.executable, __file__, arguments.table, "--row", row], check=True)
