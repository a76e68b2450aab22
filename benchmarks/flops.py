"""Operations per image of the shipped configs: our count of the jaxpr beside XLA's count of the lowered step.

    python benchmarks/flops.py > benchmarks/flops.md

Nothing is run and nothing compiled, so it needs no data, no accelerator and a minute or two. A batch of 2 images is
lowered with all loops written out; operations that do not grow with the batch (optimisers, spectral norms, averages)
are counted apart by lowering a batch of 4 as well, and then spread over the config's real batch.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gan_jax import config as configs
from gan_jax import flops
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, lower_step, make_step

NAMES = ("biggan_digits", "biggan_cifar10", "biggan_imagenet128", "biggan_imagenet256", "biggan_deep_imagenet128")


def counts(config, size: int) -> tuple[flops.Count, float]:
    """Our count and XLA's of one step on `size` images in one microbatch."""
    recipe, mesh = load(config), sharding.make_mesh(config.mesh, jax.devices()[:1])
    target, active = state.abstract(recipe, mesh, ()), schedule.due(recipe, 0)
    shape, data = (max(repeat for _, repeat in active), 1, size), config.data
    batch = {
        "image": jax.ShapeDtypeStruct((*shape, data.resolution, data.resolution, data.channels), jnp.uint8),
        "label": jax.ShapeDtypeStruct(shape, jnp.int32),
    }
    batch = abstract_batch(batch, mesh)
    ours = flops.count(make_step(recipe, 0, mesh, active, unroll=True), target, batch)
    return ours, lower_step(recipe, 0, mesh, active, target, batch, unroll=True).cost_analysis()["flops"]


def main() -> None:
    print("| config | GFLOP per image | valid taps | matmul | elementwise | padding taps (not in the sum) | fixed per step | XLA / ours |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in NAMES:
        config = configs.load(f"configs/{name}.py")
        (small, xla_small), (large, xla_large) = counts(config, 2), counts(config, 4)
        per_image = {k: (v - dataclasses.asdict(small)[k]) / 2 for k, v in dataclasses.asdict(large).items()}
        total = (large.total - small.total) / 2
        fixed = small.total - 2 * total
        row = [total, per_image["convolution"], per_image["matmul"], per_image["elementwise"], per_image["convolution_padding"], fixed]
        ratio = (xla_large - xla_small) / 2 / total
        print(f"| {name} | " + " | ".join(f"{value / 1e9:,.3f}" for value in row) + f" | {ratio:.5f} |", flush=True)


if __name__ == "__main__":
    main()
