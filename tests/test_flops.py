"""The analytic counter against answers worked out by hand, and against XLA's own count."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import PartitionSpec

from gan_jax.flops import Count, count

BATCH, SIZE, INPUT, OUTPUT = 2, 8, 4, 6
CHANNELS = 2 * BATCH * INPUT * OUTPUT  # operations per pair of taps in both axes


def shape(*dimensions):
    return jax.ShapeDtypeStruct(dimensions, jnp.float32)


X, KERNEL = shape(BATCH, SIZE, SIZE, INPUT), shape(3, 3, INPUT, OUTPUT)


def convolve(x, kernel, stride=1, padding="SAME", upsample=1, dilation=1, groups=1):
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        padding,
        lhs_dilation=(upsample, upsample),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


# Taps along one axis of 8 values under a kernel of 3: (those that meet a value, all).
CONVOLUTIONS = [
    pytest.param({}, 22, 24, id="same: the first and the last output lose one tap"),
    pytest.param({"padding": "VALID"}, 18, 18, id="valid: 6 outputs lose none"),
    pytest.param({"stride": 2}, 11, 12, id="strided: padding (0, 1), the last of 4 outputs loses one"),
    pytest.param({"dilation": 2}, 20, 24, id="dilated: two outputs at either end lose one"),
    pytest.param({"padding": [(-1, -1)] * 2}, 12, 12, id="cropped: 6 inputs, 4 outputs"),
    # Values lie at 0, 2, ..., 14; output o reads o - 1, o, o + 1: even o meet one, odd o two, the last odd o one.
    pytest.param({"upsample": 2, "padding": [(1, 2)] * 2}, 8 + 15, 48, id="transposed: 16 outputs, zeros between"),
]


@pytest.mark.parametrize(("options", "valid", "dense"), CONVOLUTIONS)
def test_convolution_tells_values_from_padding(options, valid, dense):
    expected = Count(convolution=valid**2 * CHANNELS, convolution_padding=(dense**2 - valid**2) * CHANNELS)
    assert count(functools.partial(convolve, **options), X, KERNEL) == expected


@pytest.mark.parametrize(("options", "valid", "dense"), CONVOLUTIONS)
@pytest.mark.parametrize("argument", [0, 1], ids=["input", "kernel"])
def test_gradient_of_a_convolution_multiplies_as_often_as_the_convolution(options, valid, dense, argument):
    def pull_back(x, kernel, cotangent):
        return jax.vjp(functools.partial(convolve, **options), x, kernel)[1](cotangent)[argument]

    out = jax.eval_shape(functools.partial(convolve, **options), X, KERNEL)
    assert count(pull_back, X, KERNEL, out).convolution == valid**2 * CHANNELS


def test_groups_divide_the_work_and_that_of_the_gradients():
    kernel = shape(3, 3, INPUT // 2, OUTPUT)
    expected = 22**2 * CHANNELS // 2
    assert count(functools.partial(convolve, groups=2), X, kernel).convolution == expected

    def loss(x, kernel):
        return jnp.sum(convolve(x, kernel, groups=2) ** 2)

    # The kernel's gradient is a convolution grouped over the batch.
    assert count(jax.grad(loss, argnums=(0, 1)), X, kernel).convolution == 3 * expected


def test_matrix_products():
    assert count(jnp.matmul, shape(3, 5), shape(5, 7)) == Count(matmul=2 * 3 * 5 * 7)
    batched = count(functools.partial(jnp.einsum, "bhij,bhjk->bhik"), shape(2, 3, 4, 5), shape(2, 3, 5, 6))
    assert batched == Count(matmul=2 * (2 * 3) * 4 * 5 * 6)


def test_elementwise_operations_and_reductions():
    x = shape(4, 5)
    assert count(lambda x: x * 2 + 1, x) == Count(elementwise=40)
    assert count(jnp.exp, x) == Count(transcendental=20)
    assert count(lambda x: lax.reduce_sum_p.bind(x, axes=(0,), out_sharding=None), x) == Count(elementwise=15)
    assert count(lambda x: lax.reduce(x, 0.0, lambda a, b: a + b, (0, 1)), x) == Count(elementwise=19)
    assert count(lambda x: x**5, x) == Count(elementwise=3 * 20)  # x2 = x x, x4 = x2 x2, x4 x
    assert count(lambda x: nn.avg_pool(x, (2, 2), (2, 2)), shape(1, 4, 4, 1)).elementwise == 4 * 3 + 4
    assert count(lambda x: x.T.reshape(2, 10), x) == Count()


def test_scan_multiplies_by_its_length_and_cond_takes_the_dearest_branch():
    w = shape(8, 8)
    product = Count(matmul=2 * 8**3)
    assert count(lambda w: lax.scan(lambda c, _: (c @ w, None), w, None, length=5)[0], w) == product * 5
    assert count(lambda w: lax.cond(True, lambda w: w @ w @ w, lambda w: w + w, w), w) == product * 2


def test_while_counts_its_body_once_and_says_so():
    result = count(lambda w: lax.while_loop(lambda c: c[0, 0] > 0, lambda c: c @ w, w), shape(8, 8))
    assert (result.matmul, result.loops_counted_once) == (2 * 8**3, 1)


def test_functions_inside_functions_are_entered():
    @jax.custom_vjp
    def custom(x):
        return x @ x

    custom.defvjp(lambda x: (x @ x, x), lambda x, g: (g @ x,))
    product = 2 * 8**3
    for fn, expected in [
        (jax.jit(lambda x: x @ x), product),
        (jax.checkpoint(lambda x: x @ x), product),
        (custom, product),
        (jax.grad(lambda x: custom(x).sum()), product),  # the forward product is not needed for this one
        (jax.grad(lambda x: jnp.sum(jax.checkpoint(lambda x: jnp.sin(x @ x))(x))), 3 * product),
    ]:
        assert count(fn, shape(8, 8)).matmul == expected


def test_work_of_which_nothing_comes_is_not_counted():
    assert count(lambda x: (x @ x, x + 1)[1], shape(8, 8)) == Count(elementwise=64)


def test_shard_map_counts_every_device():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = PartitionSpec("data")
    mapped = jax.shard_map(lambda x: x @ x.T, mesh=mesh, in_specs=spec, out_specs=spec)
    assert count(mapped, shape(8, 8)) == Count(matmul=4 * 2 * 2 * 2 * 8)


class SmallNet(nn.Module):
    """What the networks of a GAN are made of: convolutions of every kind, normalisation, pooling, dense layers."""

    @nn.compact
    def __call__(self, x):
        for width in (16, 32):
            x = nn.relu(nn.GroupNorm(num_groups=4)(nn.Conv(width, (3, 3))(x)))
            x = nn.avg_pool(x, (2, 2), (2, 2)) + nn.Conv(width, (3, 3), strides=2)(x)
        x = nn.leaky_relu(nn.ConvTranspose(32, (4, 4), strides=(2, 2))(x))
        x = nn.Conv(32, (3, 3), feature_group_count=4)(x)
        return nn.Dense(1)(nn.tanh(nn.Dense(32)(x.mean((1, 2)))))


@pytest.fixture(scope="module")
def small_net():
    x, net = shape(8, 32, 32, 3), SmallNet()
    params = jax.eval_shape(net.init, jax.random.key(0), x)
    step = jax.value_and_grad(lambda params, x: jnp.mean(jax.nn.softplus(net.apply(params, x))))
    return count(step, params, x), jax.jit(step).lower(params, x)


def test_explains_the_count_of_xla_before_optimisation(small_net):
    counted, lowered = small_net
    assert counted.total == pytest.approx(lowered.cost_analysis()["flops"], rel=1e-3)
    assert counted.transcendental == pytest.approx(lowered.cost_analysis()["transcendentals"], rel=1e-3)


def test_explains_the_count_of_the_compiled_program(small_net):
    counted, lowered = small_net
    assert counted.total == pytest.approx(lowered.compile().cost_analysis()["flops"], rel=0.02)
    assert counted.convolution_padding > 0.05 * counted.convolution  # it would not fit, were padding taps counted
