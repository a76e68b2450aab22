"""What a training step of StyleGAN2 holds by resolution, counted from shapes alone: nothing is compiled or run.

    python benchmarks/memory.py                                   256, 512 and 1024 pixels by the preset's rules
    python benchmarks/memory.py --resolutions 128 --compute float32

State: parameters, their moving average, optimiser moments, buffers. Gradients: those of the player with more parameters.
Kept: what the forward pass of a phase leaves for its backward pass, for each image of a microbatch more. XLA holds less
where it computes something again instead of keeping it, and more for what a convolution needs while it runs; so this says
how memory grows, not where it ends.
"""

import argparse

import jax
import jax.numpy as jnp

from gan_jax import config as configs
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Recipe, View, load
from gan_jax.preset import Facts
from gan_jax.preset import load as load_preset

IMAGES = (8, 16)  # two sizes, of which the difference counts


def size(tree) -> int:
    """Bytes of the arrays of a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def kept(recipe: Recipe, target: state.State, phase, config, images: int) -> int:
    """Bytes that stand between the forward and the backward pass of a phase, parameters included."""
    modules = {name: network.module for name, network in recipe.networks.items()}
    owned = [network for player in phase.players for network in recipe.players[player].networks]
    mesh, side = sharding.data_mesh(1), config.data.resolution
    batch = {"image": jnp.zeros((images, side, side, config.data.channels), jnp.uint8), "label": jnp.zeros(images, int)}

    def backward(current, key, batch):
        def loss(trainable):
            params = {**current.params, **trainable}
            seen = (current.step, current.images, recipe.stages[0], mesh, images)
            return phase.loss(View(modules, params, current.stats, current.ema, current.aux, *seen), batch, key)

        return jax.vjp(loss, {name: current.params[name] for name in owned}, has_aux=True)[1]

    return size(jax.eval_shape(backward, target, jax.random.key(0), batch))


def main(resolutions: list[int], compute: str, devices: int) -> None:
    rules, mib = load_preset("stylegan2"), 2**20
    print("| pixels | state, MiB | gradients, MiB | phase | kept for each image, MiB |\n|---:|---:|---:|---|---:|")
    for resolution in resolutions:
        facts = Facts("digits", resolution, 3, 0, "index", 10_000, devices)
        config = configs.finish(rules["get_config"](facts), [f"precision.compute={compute}", "train.batch_size=64"])
        recipe = load(config)
        target = state.abstract(recipe, sharding.data_mesh(1), ())
        gradients = max(size([target.params[n] for n in player.networks]) for player in recipe.players.values())
        for phase in recipe.phases:
            if phase.players:
                few, many = (kept(recipe, target, phase, config, images) for images in IMAGES)
                each = (many - few) / (IMAGES[1] - IMAGES[0])
                row = (resolution, size(target) / mib, gradients / mib, phase.name, each / mib)
                print("| {} | {:.0f} | {:.0f} | {} | {:.0f} |".format(*row), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--resolutions", type=int, nargs="*", default=[256, 512, 1024])
    parser.add_argument("--compute", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--devices", type=int, default=1)
    main(**vars(parser.parse_args()))
