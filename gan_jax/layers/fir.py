"""Resampling with FIR filters, and convolutions joined with it: NHWC, static taps.

`upfirdn` inserts zeros, pads, convolves with the taps (a true convolution, the filter flipped) and keeps every so many
pixels, as in NVlabs/stylegan2-ada-pytorch, ops/upfirdn2d.py.

Written as sums of slices, one sum for each phase of the output, which XLA fuses into one kernel: depthwise
convolutions of the same taps take 10 to 100 times as long on CPU. The derivative is the same kind of sum (up and down
exchanged, taps flipped) by declaration; left to itself autodiff would make a pad for every slice. Measurements:
benchmarks/stylegan.md.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.layers.convolution import Window, correlate, transposed


def normalized(taps: Sequence[float]) -> np.ndarray:
    """Taps with the sum 1, float64 [k]."""
    array = np.asarray(taps, np.float64)
    return array / array.sum()


BINOMIAL = normalized((1, 3, 3, 1))


def upfirdn(
    x: jax.Array,
    taps: np.ndarray,
    up: int | tuple[int, int] = 1,
    down: int | tuple[int, int] = 1,
    padding: int | tuple[int, int, int, int] = 0,
    gain: float = 1.0,
    flip: bool = False,
) -> jax.Array:
    """Resamples x [n, h, w, c] in its dtype; sums are float32.

    Args:
        taps: [k], applied along both axes, or [kh, kw].
        up: zeros are inserted to this many times the size; one number, or those of height and width.
        down: every so many pixels are kept.
        padding: zeros beyond the edges after the insertion (top, bottom, left, right); negative ones crop.
        gain: multiplies the result.
        flip: correlate with the taps instead of convolving.
    """
    taps = np.asarray(taps, np.float64)
    taps = taps if flip else np.flip(taps)
    (up_y, up_x), (down_y, down_x) = ((v, v) if isinstance(v, int) else v for v in (up, down))
    top, bottom, left, right = (padding,) * 4 if isinstance(padding, int) else padding
    vertical = _Axis.of(x.shape[1], taps.shape[0], up_y, down_y, (top, bottom))
    horizontal = _Axis.of(x.shape[2], taps.shape[-1], up_x, down_x, (left, right))
    return _filter(x, taps * (gain if taps.ndim == 2 else gain**0.5), vertical, horizontal)


def upsample(x: jax.Array, taps: np.ndarray = BINOMIAL) -> jax.Array:
    """Twice the size, smoothed by taps [k]: [n, h, w, c] -> [n, 2h, 2w, c]."""
    before, after = (len(taps) + 1) // 2, (len(taps) - 2) // 2
    return upfirdn(x, taps, up=2, padding=(before, after, before, after), gain=4.0)


def downsample(x: jax.Array, taps: np.ndarray = BINOMIAL) -> jax.Array:
    """Half the size, smoothed by taps [k]: [n, h, w, c] -> [n, h/2, w/2, c]."""
    before, after = (len(taps) - 1) // 2, (len(taps) - 2) // 2
    return upfirdn(x, taps, down=2, padding=(before, after, before, after))


def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Correlation of x [n, h, w, c] with a kernel [k, k, c, d], zeros beyond the edges, same size."""
    return correlate(x, kernel, Window(padding=len(kernel) // 2))


def conv_down(x: jax.Array, kernel: jax.Array, taps: np.ndarray = BINOMIAL) -> jax.Array:
    """Smooths by taps [k], then correlates with stride 2: [n, h, w, c] -> [n, h/2, w/2, d]."""
    margin = len(kernel) // 2
    before, after = (len(taps) - 1) // 2 + margin, (len(taps) - 2) // 2 + margin
    return correlate(upfirdn(x, taps, padding=(before, after, before, after)), kernel, Window(stride=2))


def conv_up(x: jax.Array, kernel: jax.Array, taps: np.ndarray = BINOMIAL) -> jax.Array:
    """Correlates x, zeros between its pixels, with a kernel [3, 3, c, d], then smooths: -> [n, 2h, 2w, d].

    The published code calls this a transposed convolution and stores the kernel flipped.
    """
    _, h, w, _ = x.shape
    y = transposed(x, kernel[::-1, ::-1].swapaxes(2, 3), Window(stride=2), (2 * h + 1, 2 * w + 1))
    before, after = (len(taps) + 1) // 2 - 1, (len(taps) - 2) // 2
    return upfirdn(y, taps, padding=(before, after, before, after), gain=4.0)


class _Axis(NamedTuple):
    """What happens along one axis: output j is the sum over t of taps[t] x[(j down + t - before) / up], where whole."""

    up: int
    down: int
    before: int
    length: int  # of the input
    size: int  # of the output

    @classmethod
    def of(cls, length: int, taps: int, up: int, down: int, padding: Sequence[int]) -> "_Axis":
        return cls(up, down, padding[0], length, (length * up + sum(padding) - taps) // down + 1)

    @classmethod
    def untouched(cls, length: int) -> "_Axis":
        return cls(1, 1, 0, length, length)

    def transposed(self, taps: int) -> "_Axis":
        return _Axis(self.down, self.up, taps - 1 - self.before, self.size, self.length)

    @property
    def phases(self) -> int:
        """Outputs that differ in which taps they read."""
        return self.up // math.gcd(self.up, self.down)

    def reads(self, taps: int) -> int:
        """Taps that an output reads, at most."""
        return -(-taps // self.up)

    def slices(self, phase: int, taps: int) -> tuple[list[tuple[int, int]], int, int]:
        """`[(tap, first input)]` of a phase, the stride of its inputs and how many outputs there are."""
        starts = [(phase * self.down + t - self.before, t) for t in range(taps)]
        stride = self.down // math.gcd(self.up, self.down)
        return (
            [(t, start // self.up) for start, t in starts if start % self.up == 0],
            stride,
            -(-self.size // self.phases),
        )


def _filter(x: jax.Array, taps: np.ndarray, vertical: _Axis, horizontal: _Axis) -> jax.Array:
    """The correlation with taps [kh, kw], or [k] along both axes; linear in x, with a derivative of the same form."""
    kh, kw = taps.shape[0], taps.shape[-1]

    @jax.custom_vjp
    def apply(x):
        if taps.ndim == 2:
            y = _sum_of_slices(x, taps, vertical, horizontal)
        elif vertical.reads(kh) * horizontal.reads(kw) <= 4:  # no more slices than one axis after the other
            y = _sum_of_slices(x, np.outer(taps, taps), vertical, horizontal)
        else:
            y = _sum_of_slices(x, taps[:, None], vertical, _Axis.untouched(x.shape[2]))
            y = _sum_of_slices(y, taps[None], _Axis.untouched(y.shape[1]), horizontal)
        return y.astype(x.dtype)

    def backward(_, y):
        return (_filter(y, np.flip(taps), vertical.transposed(kh), horizontal.transposed(kw)),)

    apply.defvjp(lambda x: (apply(x), None), backward)
    return apply(x)


def _sum_of_slices(x: jax.Array, taps: np.ndarray, vertical: _Axis, horizontal: _Axis) -> jax.Array:
    kh, kw = taps.shape
    n, _, _, c = x.shape
    rows = [vertical.slices(r, kh) for r in range(vertical.phases)]
    columns = [horizontal.slices(r, kw) for r in range(horizontal.phases)]
    margins = []
    for parts, axis in ((rows, vertical), (columns, horizontal)):
        first = [start for reads, _, _ in parts for _, start in reads]
        stride, count = parts[0][1:]
        margins.append((max(0, -min(first)), max(0, max(first) + stride * (count - 1) + 1 - axis.length)))
    padded = jnp.pad(x, ((0, 0), *margins, (0, 0)))

    def phase(row, column):
        (reads_y, stride_y, count_y), (reads_x, stride_x, count_x) = row, column
        total = jnp.zeros((n, count_y, count_x, c), jnp.float32)
        for ty, y in reads_y:
            for tx, left in reads_x:
                y0, x0 = y + margins[0][0], left + margins[1][0]
                ends = (n, y0 + stride_y * (count_y - 1) + 1, x0 + stride_x * (count_x - 1) + 1, c)
                part = jax.lax.slice(padded, (0, y0, x0, 0), ends, (1, stride_y, stride_x, 1))
                total += taps[ty, tx] * part.astype(jnp.float32)
        return total

    y = _interleave([[phase(row, column) for column in columns] for row in rows])
    return y[:, : vertical.size, : horizontal.size]


def _interleave(phases: list[list[jax.Array]]) -> jax.Array:
    """Images [n, h, w, c] of every phase, rows of phases first -> [n, h * rows, w * columns, c]."""
    n, h, w, c = phases[0][0].shape
    if len(phases) == len(phases[0]) == 1:
        return phases[0][0]
    grid = jnp.stack([jnp.stack(row, axis=3) for row in phases], axis=2)
    return grid.reshape(n, h * len(phases), w * len(phases[0]), c)
