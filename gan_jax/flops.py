"""Floating-point operations of a function, counted from its jaxpr and the shapes alone.

The count needs no compiler and no device, so it is the same on every backend, and it explains what the compiler
reports: `total` is what `lowered.cost_analysis()["flops"]` of XLA counts, with three differences that favour the
analytic count. Loops are multiplied by their length (XLA counts a loop's body once), random bits count nothing (they
are integer arithmetic), and fusions that compute an elementwise operation twice (in `compiled.cost_analysis()`)
count it once.

Conventions: a multiplication and its addition are two operations. A convolution counts the products of a kernel tap
with an input value; taps that fall on padding or on the zeros between the values of a dilated (transposed)
convolution stand apart in `convolution_padding`, because hardware may or may not spend time on them.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.interpreters import partial_eval


@dataclasses.dataclass(frozen=True)
class Count:
    """Operations by kind, as exact integers; counts add up (`+`) and repeat (`*`).

    Attributes:
        convolution: 2 x multiply-adds of kernel taps with input values, gradients of convolutions included.
        convolution_padding: 2 x multiply-adds of the remaining taps, those on padding and dilation zeros.
        matmul: 2 x multiply-adds of matrix products.
        elementwise: one per output element of cheap elementwise operations (arithmetic, comparison, selection,
            conversion) and one per addition (or comparison) of a reduction.
        transcendental: one per output element of exp, log, tanh, square root, power and their like.
        loops_counted_once: `while` loops of unknown length, whose body was counted once. Where this is not zero,
            the other figures are lower bounds.
    """

    convolution: int = 0
    convolution_padding: int = 0
    matmul: int = 0
    elementwise: int = 0
    transcendental: int = 0
    loops_counted_once: int = 0

    @property
    def total(self) -> int:
        """Floating-point operations in XLA's convention: without padding taps, without transcendentals."""
        return self.convolution + self.matmul + self.elementwise

    def __add__(self, other: "Count") -> "Count":
        return Count(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    def __mul__(self, times: int) -> "Count":
        return Count(*(a * times for a in dataclasses.astuple(self)))


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTWISE = _names("""
    add add_any sub mul div rem neg abs sign max min clamp select_n square floor ceil round is_finite nextafter
    eq ne lt le gt ge and or xor not shift_left shift_right_logical shift_right_arithmetic population_count clz
    convert_element_type reduce_precision real imag conj complex
""")
TRANSCENDENTAL = _names("""
    exp exp2 expm1 log log1p pow sqrt rsqrt cbrt logistic tanh tan sin cos sinh cosh asin acos atan atan2 asinh acosh
    atanh erf erfc erf_inv lgamma digamma
""")
REDUCTIONS = _names("reduce reduce_sum reduce_prod reduce_max reduce_min reduce_and reduce_or reduce_xor argmax argmin")
CUMULATIVE = _names("cumsum cumprod cummax cummin cumlogsumexp")
WINDOWS = _names("reduce_window reduce_window_sum reduce_window_max reduce_window_min")


def count(fn: Callable, *args: Any, **kwargs: Any) -> Count:
    """Counts the operations of one call `fn(*args, **kwargs)` over all devices, without running it.

    Args:
        fn: anything that `jax.make_jaxpr` traces; a jitted function or a gradient will do.
        *args, **kwargs: arrays or `jax.ShapeDtypeStruct`s.
    """
    return count_jaxpr(jax.make_jaxpr(fn)(*args, **kwargs))


def count_jaxpr(jaxpr: Any) -> Count:
    """Counts the operations of a (closed) jaxpr whose results are all wanted; work that reaches none is left out."""
    jaxpr = _open(jaxpr)
    live, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    return _count_equations(live)


def _open(jaxpr: Any) -> Any:
    """The jaxpr without its constants."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def _count_equations(jaxpr: Any) -> Count:
    return sum((_count_equation(equation) for equation in _open(jaxpr).eqns), Count())


def _count_equation(equation: Any) -> Count:
    """One equation; primitives that only move data, draw random bits or decompose matrices count nothing."""
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        return _count_equations(params["jaxpr"]) * params["length"]
    if name == "while":
        once = _count_equations(params["cond_jaxpr"]) + _count_equations(params["body_jaxpr"])
        return once + Count(loops_counted_once=1)
    if name == "cond":  # the dearest branch: an upper bound of what will run
        return max((_count_equations(branch) for branch in params["branches"]), key=lambda branch: branch.total)
    if name == "shard_map":  # the body has the shapes of one device
        devices = math.prod(params["mesh"].shape[axis] for axis in params["newly_manual_axes"])
        return _count_equations(params["jaxpr"]) * devices
    for body in ("jaxpr", "call_jaxpr"):
        # jit, checkpoint, custom_jvp_call, custom_vjp_call, ...
        if body in params and name not in WINDOWS | REDUCTIONS:
            return _count_equations(params[body])
    return _count_arithmetic(equation)


def _count_arithmetic(equation: Any) -> Count:
    """An equation without a jaxpr inside."""
    name, params = equation.primitive.name, equation.params
    inputs = [variable.aval for variable in equation.invars]
    output = equation.outvars[0].aval if equation.outvars else None
    if name == "conv_general_dilated":
        return convolution(inputs[0].shape, inputs[1].shape, output.shape, params)
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        return Count(matmul=2 * output.size * math.prod(inputs[0].shape[axis] for axis in contracted))
    if name in ELEMENTWISE:
        return Count(elementwise=output.size)
    if name in TRANSCENDENTAL:
        return Count(transcendental=output.size)
    if name == "integer_pow":
        return Count(elementwise=output.size * _multiplications(params["y"]))
    if name in REDUCTIONS:
        return Count(elementwise=inputs[0].size - output.size)
    if name in CUMULATIVE:
        return Count(elementwise=output.size)
    if name in WINDOWS:
        return Count(elementwise=output.size * (math.prod(params["window_dimensions"]) - 1))
    if name == "select_and_scatter_add":  # the gradient of max pooling: find each window's maximum, add there
        return Count(elementwise=inputs[0].size * math.prod(params["window_dimensions"]))
    if name in ("scatter-add", "scatter_add"):
        return Count(elementwise=inputs[2].size)
    return Count()


def _multiplications(power: int) -> int:
    """Multiplications (and a division for a negative power) of x**power by repeated squaring."""
    size = abs(power)
    if size == 0:
        return 0
    return size.bit_length() + size.bit_count() - 2 + (power < 0)


def convolution(lhs: tuple[int, ...], rhs: tuple[int, ...], out: tuple[int, ...], params: dict[str, Any]) -> Count:
    """Counts one `conv_general_dilated` of input `lhs` and kernel `rhs`, with the primitive's own parameters.

    Gradients need no case of their own: that of the input is a convolution with a dilated, padded `lhs`, that of
    the kernel one with a dilated `rhs`; both arrive here as the same primitive. Groups (of features or of batch)
    are already in the shapes: every output element reads `rhs`'s input features.
    """
    numbers = params["dimension_numbers"]
    valid = dense = 1
    for position, (lhs_axis, rhs_axis, out_axis) in enumerate(
        zip(numbers.lhs_spec[2:], numbers.rhs_spec[2:], numbers.out_spec[2:], strict=True)
    ):
        valid *= valid_taps(
            lhs[lhs_axis],
            rhs[rhs_axis],
            out[out_axis],
            params["window_strides"][position],
            params["padding"][position][0],
            params["lhs_dilation"][position],
            params["rhs_dilation"][position],
        )
        dense *= rhs[rhs_axis] * out[out_axis]
    channels = out[numbers.out_spec[0]] * out[numbers.out_spec[1]] * rhs[numbers.rhs_spec[1]]
    return Count(convolution=2 * valid * channels, convolution_padding=2 * (dense - valid) * channels)


def valid_taps(
    size: int, kernel: int, out: int, stride: int, padding: int, lhs_dilation: int, rhs_dilation: int
) -> int:
    """Pairs (output, kernel tap) along one axis that meet an input value, not padding or a dilation zero.

    Args:
        size, kernel, out: lengths of input, kernel and output along the axis.
        stride, lhs_dilation, rhs_dilation: as in `jax.lax.conv_general_dilated`.
        padding: zeros before the first input value; negative where the convolution crops.
    """
    position = np.arange(out)[:, None] * stride + np.arange(kernel) * rhs_dilation - padding
    inside = (position >= 0) & (position <= (size - 1) * lhs_dilation)
    return int(np.count_nonzero(inside & (position % lhs_dilation == 0)))
