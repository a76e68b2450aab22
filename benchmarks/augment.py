"""What adaptive augmentation costs: the published pipe bgc on its own, and beside a StyleGAN2 step.

    python benchmarks/augment.py

The pipe runs at p = 0.5, forward and forward with the gradient by the images. The step is one update of generator and
discriminator of stylegan2_digits with 64 channels at 32 pixels (32 at 64 pixels) and three colours, without
augmentation; with it, images pass through the pipe three times, once with a gradient, which gives the share. All that
belongs to one size takes turns, and the shortest time counts: other work on the machine only adds.
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import config as configs
from gan_jax.augment import ada
from gan_jax.augment.transforms import multipliers
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, compile_step

SIZES = {32: 32, 64: 16}  # pixels -> batch
ROUNDS = 10


def pipe(side: int, batch: int) -> list[Callable]:
    images = jnp.asarray(np.random.RandomState(0).uniform(-1, 1, (batch, side, side, 3)), jnp.float32)
    key, chosen = jax.random.key(0), multipliers("bgc")

    def forward(images, key):
        return ada.augment(key, images, chosen, 0.5)

    def with_gradient(images, key):
        augmented, pull_back = jax.vjp(lambda x: forward(x, key), images)
        return augmented, pull_back(images)[0]

    functions = jax.jit(forward), jax.jit(with_gradient)
    return [lambda f=function: f(images, key) for function in functions]


def step(side: int, batch: int) -> Callable:
    """One step after the other of the phases that are due in every one."""
    overrides = [f"data.resolution={side}", "data.channels=3", f"train.batch_size={batch}", "data.memory=0"]
    overrides += [f"model.{network}.channel_base=2048" for network in "GD"]
    recipe = load(configs.load("configs/stylegan2_digits.py:unconditional", overrides))
    mesh = sharding.data_mesh(1)
    target = state.abstract(recipe, mesh, ())
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (1, 1, batch, side, side, 3)).astype(np.uint8)
    data = {"image": images, "label": np.zeros((1, 1, batch), np.int32)}
    always = (("generator", 1), ("discriminator", 1))
    compiled = compile_step(recipe, 0, mesh, always, target, abstract_batch(data, mesh))
    current, placed = state.born(recipe, target, 0), sharding.put(data, mesh)

    def run():
        nonlocal current
        current, metrics = compiled(current, placed)
        return metrics

    return run


def main() -> None:
    print("| pixels, batch | forward, ms | forward and gradient, ms | step without, ms | share of a step with |")
    print("|---|---:|---:|---:|---:|")
    for side, batch in SIZES.items():
        functions = [*pipe(side, batch), step(side, batch)]
        best = [float("inf")] * len(functions)
        for _ in range(1 + ROUNDS):
            for i, function in enumerate(functions):
                started = time.perf_counter()
                jax.block_until_ready(function())
                best[i] = min(best[i], 1e3 * (time.perf_counter() - started))
        forward, with_gradient, without = best
        passes = 2 * forward + with_gradient
        share = passes / (without + passes)
        print(f"| {side}, {batch} | {forward:.1f} | {with_gradient:.1f} | {without:.0f} | {share:.1%} |", flush=True)


if __name__ == "__main__":
    main()
