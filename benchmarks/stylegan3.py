"""Ways to write StyleGAN3's filtered leaky ReLU: time and memory of the layers of a network for 1024 pixels.

    python benchmarks/stylegan3.py                  layer by layer
    python benchmarks/stylegan3.py --generator      with and without recomputation in a generator for 128 pixels

Every alternative is checked to compute the same numbers, then all of a layer take turns, and the shortest time counts:
other work on the machine only adds. Times in ms, "gradient" with the forward pass in it; memory is the temporary one of
the gradient in MB, by XLA's own analysis. 4 images, 128 channels, float32.
"""

import argparse
import functools
import time
import unittest.mock
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.layers.bias_act import bias_act
from gan_jax.layers.filtered_leaky_relu import filtered_leaky_relu
from gan_jax.layers.fir import upfirdn
from gan_jax.networks.stylegan3 import Generator
from gan_jax.networks.stylegan3_filters import Layer, layers

Filter = Callable[..., jax.Array]


def layer_ends(x: jax.Array, layer: Layer, filtered: Filter) -> jax.Array:
    """The filtered leaky ReLU without recomputation, on one way to write `filtered(x, taps, up, down, padding, gain)`."""
    x = filtered(x, layer.up_filter, layer.up, 1, layer.padding * 2, layer.up**2)
    return filtered(bias_act(x), layer.down_filter, 1, layer.down, (0, 0, 0, 0), 1.0)


def recomputed(x: jax.Array, layer: Layer) -> jax.Array:
    """What the network does."""
    filters, padding = (layer.up_filter, layer.down_filter), layer.padding * 2
    return filtered_leaky_relu(x, jnp.zeros(x.shape[-1]), *filters, up=layer.up, down=layer.down, padding=padding)


def slices(x, taps, up, down, padding, gain):
    """Sums of slices with a declared adjoint."""
    return upfirdn(x, taps, up, down, padding, gain)


def depthwise(x, taps, up, down, padding, gain):
    """Grouped convolutions."""
    if taps.ndim == 1:
        top, bottom, left, right = padding
        x = _grouped(x, taps[:, None] * gain, (up, 1), (down, 1), ((top, bottom), (0, 0)))
        return _grouped(x, taps[None], (1, up), (1, down), ((0, 0), (left, right)))
    return _grouped(x, taps * gain, (up, up), (down, down), (padding[:2], padding[2:]))


def _grouped(x, taps, up, down, padding):
    kernel = jnp.asarray(np.flip(taps)[:, :, None, None], x.dtype)
    return jax.lax.conv_general_dilated(
        x,
        jnp.broadcast_to(kernel, (*taps.shape, 1, x.shape[-1])),
        down,
        [(before, after + factor - 1) for (before, after), factor in zip(padding, up, strict=True)],
        lhs_dilation=up,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def band_matrices(x, taps, up, down, padding, gain):
    """A product with a dense band matrix along each axis; a radial filter is a sum of six products of two."""
    if taps.ndim == 2:
        left, values, right = np.linalg.svd(taps)
        pairs = [(left[:, i] * values[i], right[i]) for i in range(np.sum(values > 1e-9 * values[0]))]
    else:
        pairs = [(taps, taps)]

    def matrix(taps, length, before, after):
        size = (length * up + before + after - len(taps)) // down + 1
        rows = np.zeros((size, length))
        for j in range(size):
            for t, tap in enumerate(np.flip(taps)):
                start = j * down + t - before
                if start % up == 0 and 0 <= start // up < length:
                    rows[j, start // up] += tap
        return jnp.asarray(rows, x.dtype)

    _, h, w, _ = x.shape
    terms = []
    for column, row in pairs:
        y = jnp.einsum("oh,nhwc->nowc", matrix(column * gain, h, *padding[:2]), x)
        terms.append(jnp.einsum("ow,nhwc->nhoc", matrix(row, w, *padding[2:]), y))
    return sum(terms)


ALTERNATIVES = {
    "sums of slices, recomputed (used)": recomputed,
    "sums of slices, kept": functools.partial(layer_ends, filtered=slices),
    "band matrices, kept": functools.partial(layer_ends, filtered=band_matrices),
    "depthwise convolutions, kept": functools.partial(layer_ends, filtered=depthwise),
}


def measured(layer: Layer, channels: int, rounds: int, slow: bool) -> None:
    """Prints a row for each alternative on one layer."""
    side = layer.source.size + layer.kernel_size - 1
    x = jax.random.normal(jax.random.key(0), (4, side, side, channels))
    expected, programs, memory = None, {}, {}
    for name, function in ALTERNATIVES.items():
        if name.startswith("depthwise") and not slow:
            continue
        energy = functools.partial(lambda x, function: jnp.sum(jnp.square(function(x, layer))), function=function)
        small = jax.jit(functools.partial(function, layer=layer))(x[:1, :, :, :4])
        expected = small if expected is None else expected
        np.testing.assert_allclose(small, expected, atol=1e-5 * np.abs(expected).max())
        compiled = (
            jax.jit(functools.partial(function, layer=layer)).lower(x).compile(),
            jax.jit(jax.grad(energy)).lower(x).compile(),
        )
        memory[name] = compiled[1].memory_analysis().temp_size_in_bytes / 1e6
        programs[name] = compiled
    best = shortest(programs, (x,), rounds)
    what = f"{layer.source.size} to {layer.target.size}, {'radial' if layer.radial else 'separable'}"
    for name, (forward, gradient) in best.items():
        print(f"| {what} | {name} | {forward:.0f} | {gradient:.0f} | {memory[name]:.0f} |", flush=True)


def by_layer(options: argparse.Namespace) -> None:
    """Prints the table of alternatives."""
    print("| signals | how | forward | gradient | memory |\n|---|---|---:|---:|---:|")
    for radial in (False, True):
        table = layers(1024, 32768, 512, kernel_size=1 if radial else 3, radial=radial)
        for sizes in ((36, 36), (84, 148), (148, 148)):
            (layer, *_) = [each for each in table if (each.source.size, each.target.size) == sizes]
            measured(layer, options.channels, options.rounds, slow=sizes == (36, 36))  # minutes elsewhere


def shortest(programs: dict[str, tuple[Callable, ...]], args: tuple, rounds: int) -> dict[str, list[float]]:
    """The shortest time of each of several programs in ms; they take turns."""
    best = {name: [float("inf")] * len(compiled) for name, compiled in programs.items()}
    for _ in range(rounds):
        for name, compiled in programs.items():
            for i, program in enumerate(compiled):
                start = time.perf_counter()
                jax.block_until_ready(program(*args))
                best[name][i] = min(best[name][i], 1e3 * (time.perf_counter() - start))
    return best


def generator(rounds: int) -> None:
    """Prints time and memory of a StyleGAN3-T generator's gradient, with and without recomputation."""
    network = Generator(128, 0, dim_w=16, channel_base=4096, channel_max=64)
    variables = jax.jit(network.init)(jax.random.key(0), jnp.zeros((1, 16)), jnp.zeros(1, jnp.int32))
    ws = jax.random.normal(jax.random.key(1), (4, network.num_ws, 16))

    def energy(params, buffers, ws):
        images = network.apply({"params": params, "buffers": buffers}, ws, method="synthesize")
        return jnp.sum(jnp.square(images))

    args = (variables["params"], variables["buffers"], ws)
    programs = {"recomputed (used)": (jax.jit(jax.grad(energy)).lower(*args).compile(),)}
    with unittest.mock.patch("jax.checkpoint", lambda function: function):
        programs["kept"] = (jax.jit(jax.grad(lambda *args: energy(*args))).lower(*args).compile(),)
    for name, (milliseconds,) in shortest(programs, args, rounds).items():
        memory = programs[name][0].memory_analysis().temp_size_in_bytes / 1e6
        print(f"| {name} | {milliseconds:.0f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed")
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--generator", action="store_true", help="a whole generator instead of layers")
    options = parser.parse_args()
    if options.generator:
        print("| generator, 128 pixels, 4 images | gradient | memory |\n|---|---:|---:|")
        generator(options.rounds)
    else:
        by_layer(options)
