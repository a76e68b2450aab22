"""What running several trainings at once gains, and how often a study tells two equal methods apart.

    python benchmarks/study.py --gains --workdir=workdirs/gains
    python benchmarks/study.py --verdicts

Gains: the same four trainings of configs/dcgan_polygons.py, two settings with two seeds each, as three studies: one after
another, two processes at once, and two seeds at once on two devices. The machine must be idle. Verdicts: a thousand pairs
of methods whose scores have one distribution.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from gan_jax.study import statistics
from gan_jax.study.command import study
from gan_jax.study.definition import LogUniform, Method, Study

WAYS = {
    "one after another": {},
    "two processes": {"processes": 2},
    "two seeds on two devices": {"devices": 2},
}
DISTRIBUTIONS = {
    "uniform": lambda random, n: random.uniform(size=n),
    "lognormal, sigma 1": lambda random, n: np.exp(random.normal(size=n)),
    "lognormal, sigma 2": lambda random, n: np.exp(2 * random.normal(size=n)),
}
PAIRS = 1000


def get_study(steps: str) -> Study:
    """Two settings, two seeds of each; so many steps."""
    length = f"{steps} steps"
    return Study(
        title="Gains",
        methods={"NS-GAN": Method("configs/dcgan_polygons.py")},
        scores={"frechet_polygons": "Frechet distance"},
        samples=2,
        seeds=2,
        budgets=(1,),
        space={"players.*.learning_rate": LogUniform(1e-4, 1e-3)},
        overrides={
            "train.length": length,
            "report.samples_every": length,
            "report.tensorboard": False,
            "train.compilation_cache": "",
            "evaluate.metrics": ("frechet:polygons",),
        },
    )


def gains(workdir: Path, steps: int) -> None:
    print(f"{len(os.sched_getaffinity(0))} cores, {steps} steps each\n")
    print("| four trainings | seconds | gain | scores |\n|---|---:|---:|---|")
    alone, plain = 0.0, None
    for name, how in WAYS.items():
        started = time.monotonic()
        code, findings, _ = study(f"{__file__}:{steps}", workdir / name.replace(" ", "_"), **how)
        took = time.monotonic() - started
        assert code == 0
        scores = findings["scores"]["frechet_polygons"]["values"]
        alone, plain = alone or took, plain or scores
        same = "the same" if scores == plain else "others, by rounding"
        print(f"| {name} | {took:.0f} | {alone / took:.2f} | {same} |", flush=True)


def verdicts() -> None:
    print("| samples | best of | " + " | ".join(DISTRIBUTIONS) + " |\n|---:|---:|" + "---:|" * len(DISTRIBUTIONS))
    for samples, budget in ((4, 1), (4, 2), (8, 1), (8, 2), (8, 4), (16, 1), (16, 4), (16, 8)):
        shares = []
        for draw in DISTRIBUTIONS.values():
            random = np.random.default_rng(0)
            pairs = [[statistics.best_of(draw(random, samples), budget) for _ in range(2)] for _ in range(PAIRS)]
            shares.append(np.mean([a.below(b) or b.below(a) for a, b in pairs]))
        print(f"| {samples} | {budget} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gains", action="store_true")
    parser.add_argument("--verdicts", action="store_true")
    parser.add_argument("--workdir", type=Path, default=Path("workdirs/gains"))
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    if not (arguments.gains or arguments.verdicts):
        sys.exit("choose --gains or --verdicts")
    if arguments.gains:
        gains(arguments.workdir, arguments.steps)
    if arguments.verdicts:
        verdicts()


if __name__ == "__main__":
    main()
