"""Ways to write StyleGAN2's resampling and modulation, and how near a step is to the time of its convolutions.

    python benchmarks/stylegan.py             the table of alternatives
    python benchmarks/stylegan.py --step      a step of stylegan2_digits against its convolutions alone

Every alternative is checked to compute the same numbers, then all of a group take turns, and the shortest time counts:
other work on the machine only adds. "forward"; "backward": the gradients of sum(y^2) by all arguments; "second": the
gradients of |gradient by the input|^2, as in R1 and path length.
"""

import argparse
import functools
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from gan_jax import config as configs
from gan_jax.engine import schedule, sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, compile_step, make_step
from gan_jax.layers import fir
from gan_jax.layers.modulated_conv import modulated_conv

TAPS = fir.BINOMIAL
_LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(x, kernel, padding, **options):
    return jax.lax.conv_general_dilated(x, kernel, padding=padding, dimension_numbers=_LAYOUT, **options)


# ------------------------------------------------------------------------------------------------- alternatives


def depthwise(x, up, down, padding, gain):
    """One grouped convolution with a kernel [4, 4, 1, c]."""
    c = x.shape[-1]
    kernel = jnp.asarray(np.outer(TAPS, TAPS) * gain, x.dtype)[:, :, None, None]
    before, after = padding
    return convolve(
        x,
        jnp.broadcast_to(kernel, (4, 4, 1, c)),
        ((before, after + up - 1),) * 2,
        window_strides=(down, down),
        lhs_dilation=(up, up),
        feature_group_count=c,
    )


def band_matrices(x, up, down, padding, gain):
    """A product with a dense band matrix along each axis."""

    def matrix(length):
        size = (length * up + sum(padding) - 4) // down + 1
        rows = np.zeros((size, length))
        for j in range(size):
            for t, tap in enumerate(TAPS):
                start = j * down + t - padding[0]
                if start % up == 0 and 0 <= start // up < length:
                    rows[j, start // up] += tap * gain**0.5
        return jnp.asarray(rows, x.dtype)

    x = jnp.einsum("oh,nhwc->nowc", matrix(x.shape[1]), x)
    return jnp.einsum("ow,nhwc->nhoc", matrix(x.shape[2]), x)


def slices(x, up, down, padding, gain):
    """Sums of slices that autodiff takes apart as it likes."""
    return fir._sum_of_slices(
        x,
        np.outer(TAPS, TAPS) * gain,
        fir._Axis.of(x.shape[1], 4, up, down, padding),
        fir._Axis.of(x.shape[2], 4, up, down, padding),
    )


def declared(x, up, down, padding, gain):
    """What fir.upfirdn does: sums of slices with a declared adjoint."""
    return fir.upfirdn(x, TAPS, up, down, padding * 2, gain)


def up_four(x, kernel):
    """Four small convolutions, one for each phase of the output, then the filter."""
    _, h, w, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    phases = [
        [
            convolve(padded[:, i:, j:], kernel[i::2, j::2][: 2 - i, : 2 - j], "VALID", window_strides=(1, 1))
            for j in (0, 1)
        ]
        for i in (0, 1)
    ]
    return fir.upfirdn(fir._interleave(phases)[:, : 2 * h + 1, : 2 * w + 1], TAPS, padding=1, gain=4.0)


def up_dilated(x, kernel):
    """A convolution over zeros (the transposed convolution of other frameworks), then the filter."""
    y = convolve(x, kernel, ((2, 2), (2, 2)), window_strides=(1, 1), lhs_dilation=(2, 2))
    return fir.upfirdn(y, TAPS, padding=1, gain=4.0)


def up_one(x, kernel):
    """One 2x2 convolution to four times the channels, 7 of its 16 taps zeros."""
    _, h, w, c = x.shape
    d = kernel.shape[-1]
    zeros = jnp.zeros((2, 2, c, d), kernel.dtype)
    parts = [
        kernel[::2, ::2],
        zeros.at[:, 1:].set(kernel[::2, 1:2]),
        zeros.at[1:].set(kernel[1:2, ::2]),
        zeros.at[1, 1].set(kernel[1, 1]),
    ]
    joined = jnp.stack(parts, -2).reshape(2, 2, c, 4 * d)
    y = convolve(x, joined, ((1, 1), (1, 1)), window_strides=(1, 1)).reshape(-1, h + 1, w + 1, 2, 2, d)
    y = y.transpose(0, 1, 3, 2, 4, 5).reshape(-1, 2 * h + 2, 2 * w + 2, d)[:, : 2 * h + 1, : 2 * w + 1]
    return fir.upfirdn(y, TAPS, padding=1, gain=4.0)


def up_composite(x, kernel):
    """Kernel and filter joined: one 3x3 convolution to four times the channels, four times the operations."""
    _, h, w, c = x.shape
    d = kernel.shape[-1]
    weights = np.outer(TAPS, TAPS) * 4
    joined = sum(
        weights[i, j] * jnp.pad(kernel, ((i, 3 - i), (j, 3 - j), (0, 0), (0, 0))) for i in range(4) for j in range(4)
    )
    phases = [joined[i::2, j::2] for i in (1, 0) for j in (1, 0)]
    y = convolve(x, jnp.stack(phases, -2).reshape(3, 3, c, 4 * d), "SAME", window_strides=(1, 1))
    return y.reshape(-1, h, w, 2, 2, d).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 2 * h, 2 * w, d)


def down_plain(x, kernel):
    """Autodiff's own derivatives."""
    return convolve(fir.upfirdn(x, TAPS, padding=2), kernel, "VALID", window_strides=(2, 2))


def down_cells(x, kernel):
    """Cells of 2x2 pixels as channels: a 2x2 convolution of four times the channels."""
    x = fir.upfirdn(x, TAPS, padding=2)
    n, height, width, c = x.shape
    h, w, d = (height - 1) // 2, (width - 1) // 2, kernel.shape[-1]
    cells = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))).reshape(n, h + 1, 2, w + 1, 2, c)
    cells = cells.transpose(0, 1, 3, 2, 4, 5).reshape(n, h + 1, w + 1, 4 * c)
    joined = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0))).reshape(2, 2, 2, 2, c, d)
    return convolve(cells, joined.transpose(0, 2, 1, 3, 4, 5).reshape(2, 2, 4 * c, d), "VALID", window_strides=(1, 1))


def grouped(x, kernel, styles):
    """A kernel for every image, in one convolution of as many groups."""
    n, h, w, c = x.shape
    d = kernel.shape[-1]
    own = kernel[None] * styles[:, None, None, :, None]
    own *= jax.lax.rsqrt(jnp.square(own).sum((1, 2, 3), keepdims=True) + 1e-8)
    x = x.transpose(1, 2, 0, 3).reshape(1, h, w, n * c)
    own = own.transpose(1, 2, 3, 0, 4).reshape(3, 3, c, n * d)
    y = convolve(x, own, "SAME", window_strides=(1, 1), feature_group_count=n)
    return y.reshape(h, w, n, d).transpose(2, 0, 1, 3)


def vmapped(x, kernel, styles):
    """A kernel for every image, by vmap."""
    own = kernel[None] * styles[:, None, None, :, None]
    own *= jax.lax.rsqrt(jnp.square(own).sum((1, 2, 3), keepdims=True) + 1e-8)
    return jax.vmap(lambda x, kernel: fir.conv(x[None], kernel)[0])(x, own)


# ---------------------------------------------------------------------------------------------------- measuring


def three_orders(fn: Callable) -> tuple[Callable, ...]:
    """The compiled forward pass, gradients, and gradients of the squared gradient by the first argument."""

    def energy(*args):
        return jnp.sum(jnp.square(fn(*args)))

    def penalty(*args):
        return jnp.sum(jnp.square(jax.grad(energy)(*args)))

    return (
        jax.jit(fn),
        jax.jit(lambda *a: jax.grad(energy, range(len(a)))(*a)),
        jax.jit(lambda *a: jax.grad(penalty, range(len(a)))(*a)),
    )


def shortest(functions: list[Callable], args: tuple, seconds: float) -> list[float]:
    """The shortest time of each function in ms; they take turns for so many seconds, at least three times."""
    for function in functions:
        jax.block_until_ready(function(*args))
    best, begin, rounds = [float("inf")] * len(functions), time.perf_counter(), 0
    while rounds < 3 or time.perf_counter() - begin < seconds:
        for i, function in enumerate(functions):
            start = time.perf_counter()
            jax.block_until_ready(function(*args))
            best[i] = min(best[i], 1e3 * (time.perf_counter() - start))
        rounds += 1
    return best


def compare(title: str, alternatives: dict[str, Callable], args: tuple, seconds: float) -> None:
    """Prints a row for each alternative, after checking that all compute the same."""
    expected = next(iter(alternatives.values()))(*args)
    for name, fn in alternatives.items():
        error = float(jnp.abs(fn(*args) - expected).max() / jnp.abs(expected).max())
        assert error < 1e-5, f"{name} differs by {error}"
    orders = {name: three_orders(fn) for name, fn in alternatives.items()}
    times = [shortest([fns[order] for fns in orders.values()], args, seconds) for order in range(3)]
    shape = " x ".join(map(str, args[0].shape))
    for name, row in zip(alternatives, zip(*times, strict=True), strict=True):
        print(f"| {title} | {shape} | {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |", flush=True)


def alternatives(seconds: float) -> None:
    """The table of alternatives on two shapes: low resolution and many channels, high resolution and few."""
    random = np.random.RandomState(0)
    print("| what | input | how | forward | backward | second |\n|---|---|---|---:|---:|---:|")
    for n, side, c in ((8, 16, 128), (8, 64, 32)):
        x = jnp.asarray(random.normal(size=(n, side, side, c)), jnp.float32)
        kernel = jnp.asarray(random.normal(size=(3, 3, c, c)) / c**0.5, jnp.float32)
        styles = jnp.asarray(1 + 0.1 * random.normal(size=(n, c)), jnp.float32)
        filters = {
            "sums of slices, declared adjoint (used)": declared,
            "sums of slices, plain": slices,
            "band matrices": band_matrices,
            "depthwise convolution": depthwise,
        }
        for title, setting in (
            ("upsample", (2, 1, (2, 1), 4.0)),
            ("downsample", (1, 2, (1, 1), 1.0)),
            ("smooth", (1, 1, (2, 2), 1.0)),
        ):
            up, down, padding, gain = setting
            compare(
                title,
                {
                    name: functools.partial(fn, up=up, down=down, padding=padding, gain=gain)
                    for name, fn in filters.items()
                },
                (x,),
                seconds,
            )
        compare(
            "3x3 up",
            {
                "transposed, declared derivatives (used)": fir.conv_up,
                "four convolutions": up_four,
                "one 2x2 convolution": up_one,
                "dilated convolution": up_dilated,
                "composite 3x3": up_composite,
            },
            (x, kernel),
            seconds,
        )
        compare(
            "3x3 down",
            {
                "stride 2, declared derivatives (used)": fir.conv_down,
                "stride 2, plain": down_plain,
                "cells as channels": down_cells,
            },
            (x, kernel),
            seconds,
        )
        compare(
            "modulation",
            {"scale in, scale out (used)": modulated_conv, "grouped": grouped, "vmap": vmapped},
            (x, kernel, styles),
            seconds,
        )


# ------------------------------------------------------------------------------------------ a step against its parts


def convolutions(jaxpr: core.Jaxpr) -> list:
    """The convolution equations of a jaxpr, those in calls included."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            found.append(equation)
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if isinstance(inner, core.Jaxpr):
                found += convolutions(inner)
    return found


def alone(equation, seconds: float) -> float:
    """The time of one convolution in ms."""
    args = tuple(jnp.ones(variable.aval.shape, variable.aval.dtype) for variable in equation.invars)
    return shortest([jax.jit(lambda *a: equation.primitive.bind(*a, **equation.params))], args, seconds)[0]


def step(name: str, overrides: list[str]) -> None:
    """Times every variant of a config's step, and the convolutions of it alone, in one run."""
    config = configs.load(name, overrides)
    recipe, mesh, data = load(config), sharding.data_mesh(1), config.data
    target = state.abstract(recipe, mesh, ())
    shape = (1, config.train.microbatches, config.train.batch_size // config.train.microbatches)
    random = np.random.RandomState(0)
    batch = {
        "image": random.randint(0, 256, (*shape, data.resolution, data.resolution, data.channels)).astype(np.uint8),
        "label": random.randint(0, max(data.num_classes, 1), shape).astype(np.int32),
    }
    placed, weights, period = sharding.put(batch, mesh), {}, 16
    for number in range(period):
        active = schedule.due(recipe, number)
        weights[active] = weights.get(active, 0) + 1
    known: dict[str, float] = {}
    total_step = total_parts = 0.0
    print("| phases | of 16 steps | step, ms | convolutions | alone, ms | ratio |\n|---|---:|---:|---:|---:|---:|")
    for active, count in weights.items():
        compiled = compile_step(recipe, 0, mesh, active, target, abstract_batch(batch, mesh))
        current, best = state.born(recipe, target, 0), float("inf")
        for _ in range(8):
            start = time.perf_counter()
            current, metrics = compiled(current, placed)
            jax.block_until_ready((current, metrics))
            best = min(best, 1e3 * (time.perf_counter() - start))
        traced = jax.make_jaxpr(make_step(recipe, 0, mesh, active, unroll=True))(target, placed)
        used, _ = jax.interpreters.partial_eval.dce_jaxpr(traced.jaxpr, [True] * len(traced.jaxpr.outvars))
        parts = 0.0
        found = convolutions(used)
        for equation in found:
            key = f"{[v.aval.str_short() for v in equation.invars]} {equation.params}"
            if key not in known:
                known[key] = alone(equation, 0.05)
            parts += known[key]
        names = ", ".join(phase for phase, _ in active)
        print(f"| {names} | {count} | {best:.1f} | {len(found)} | {parts:.1f} | {best / parts:.2f} |", flush=True)
        total_step, total_parts = total_step + count * best, total_parts + count * parts
    print(f"| mean | 16 | {total_step / 16:.1f} | | {total_parts / 16:.1f} | {total_step / total_parts:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--step", action="store_true", help="time a step against its convolutions")
    parser.add_argument("--config", default="configs/stylegan2_digits.py")
    parser.add_argument("--set", nargs="*", default=[], help="overrides of the config, such as data.resolution=32")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each group and order")
    options = parser.parse_args()
    if options.step:
        step(options.config, options.set)
    else:
        alternatives(options.seconds)
