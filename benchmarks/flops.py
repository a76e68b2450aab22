"""Operations per image of the shipped configs: our count of the jaxpr beside XLA's count of the lowered step.

    python benchmarks/flops.py > benchmarks/flops.md

Nothing is run and nothing compiled, so it needs no data, no accelerator and a minute or two. A batch of 2 images is
lowered with all loops written out; operations that do not grow with the batch (optimisers, spectral norms, averages)
are counted apart by lowering a batch of 4 as well, and then spread over the config's real batch.
"""

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
    recipe, mesh = load(config), sharding.data_mesh(1)
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
    kinds = ("convolution", "matmul", "elementwise", "convolution_padding")
    print("GFLOP per image; padding taps of convolutions are not in the sum; fixed is per step, whatever the batch.\n")
    print("| config | sum | valid taps | matmul | elementwise | padding taps | fixed | XLA / ours |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in NAMES:
        config = configs.load(f"configs/{name}.py")
        (small, xla_small), (large, xla_large) = counts(config, 2), counts(config, 4)
        total = (large.total - small.total) / 2
        row = [total, *((getattr(large, kind) - getattr(small, kind)) / 2 for kind in kinds), small.total - 2 * total]
        ratio = (xla_large - xla_small) / 2 / total
        print(f"| {name} | " + " | ".join(f"{value / 1e9:,.3f}" for value in row) + f" | {ratio:.5f} |", flush=True)


if __name__ == "__main__":
    main()
