"""Rematerialisation: the same numbers and variables with less kept for the backward pass.

What is kept is read off the traced backward pass: XLA on CPU drops the barriers before it orders the instructions, so its
temporaries do not fall.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax import flops
from gan_jax.engine import sharding
from gan_jax.errors import ConfigError
from gan_jax.layers.linear import Conv
from gan_jax.layers.norm import BatchNorm
from gan_jax.layers.remat import rematted
from gan_jax.networks import biggan, biggan_deep, stylegan2, stylegan2_discriminator

Z, LABELS = jnp.linspace(-1, 1, 4 * 12).reshape(4, 12), jnp.arange(4) % 3
IMAGES = jnp.sin(jnp.arange(4 * 16 * 16 * 3.0)).reshape(4, 16, 16, 3)
WORDS = (None, "convolutions", "blocks:16", "blocks")
BIG = {"num_classes": 3, "channels": 4, "weight_init": "N02", "attention": (8,)}
STYLE = {"num_classes": 3, "channel_base": 64, "channel_max": 8, "mapping_layers": 1}
NETWORKS = {
    "BigGAN, generator": (lambda word: biggan.Generator(16, dim_z=12, remat=word, **BIG), Z),
    "BigGAN, discriminator": (lambda word: biggan.Discriminator(16, remat=word, **BIG), IMAGES),
    "BigGAN-deep, generator": (lambda word: biggan_deep.Generator(16, dim_z=12, remat=word, **BIG), Z),
    "BigGAN-deep, discriminator": (
        lambda word: biggan_deep.Discriminator(16, remat=word, **{**BIG, "attention": (4,)}),
        IMAGES,
    ),
    "StyleGAN2, generator": (lambda word: stylegan2.Generator(16, dim_w=8, remat=word, **STYLE), Z),
    "StyleGAN2, discriminator": (
        lambda word: stylegan2_discriminator.Discriminator(16, remat=word, **STYLE),
        IMAGES,
    ),
}


def loss_of(network, *inputs, **options):
    """`(params, stats) -> (mean square of the output, advanced statistics)`."""

    def loss(params, stats):
        y, stats = network.apply({"params": params, **stats}, *inputs, **options, mutable=list(stats))
        y = getattr(y, "logits", y)
        return jnp.square(y + 1).mean(), stats

    return loss


def variables_and_kept_bytes(network, x):
    """Shapes of the variables, and the bytes that the forward pass hands to the backward pass."""

    def trace():
        variables = network.init(jax.random.key(0), x, LABELS)
        stats = {name: tree for name, tree in variables.items() if name != "params"}
        loss = loss_of(network, x, LABELS)
        _, pull_back, _ = jax.vjp(lambda params: loss(params, stats), variables["params"], has_aux=True)
        return variables, pull_back

    variables, kept = jax.eval_shape(trace)
    return variables, sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(kept))


@pytest.mark.parametrize("name", NETWORKS)
def test_less_is_kept_and_the_variables_are_the_same(name):
    make, x = NETWORKS[name]
    (plain, everything), (variables, blocks) = (variables_and_kept_bytes(make(word), x) for word in (None, "blocks"))
    assert blocks < 0.5 * everything
    assert variables == plain


def test_what_is_kept_goes_by_the_word():
    make, x = NETWORKS["StyleGAN2, discriminator"]
    everything, convolutions, highest, blocks = (variables_and_kept_bytes(make(word), x)[1] for word in WORDS)
    assert blocks < highest < 0.8 * everything
    assert blocks < convolutions < 0.8 * everything


class Block(nn.Module):
    """Spectral normalisation, batch normalisation and noise, with options that are no arrays."""

    @nn.compact
    def __call__(self, x, *, train, noise):
        x = BatchNorm(name="norm")(Conv(3, 3, sn_eps=1e-4, name="conv")(x), train=train)
        return nn.softplus(x + noise(x.shape))


class Network(nn.Module):
    remat: str | None

    @nn.compact
    def __call__(self, x, *, train=True, noise=jnp.zeros):
        return rematted(Block(name="block"), self.remat, 4)(x, train=train, noise=noise)


def assert_close(found, expected):
    """Equal to rounding, measured by the largest number of the tree: some gradients are zero but for rounding."""
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * scale), found, expected)


@pytest.fixture(scope="module")
def outcomes():
    """By word: loss and statistics, gradients, and gradients of a penalty on gradients by the input; and what it began with."""
    x = jnp.sin(jnp.arange(2 * 4 * 4 * 3.0)).reshape(2, 4, 4, 3)
    variables = jax.jit(Network(None).init)(jax.random.key(0), x)
    params = variables.pop("params")

    def compute(word, x, key):
        noise = lambda shape: jax.random.normal(key, shape)  # noqa: E731  a function that holds a traced key
        network = Network(word)
        value = jax.value_and_grad(loss_of(network, x, noise=noise), has_aux=True)(params, variables)
        critic = lambda params, x: loss_of(network, x, noise=noise)(params, variables)[0]  # noqa: E731
        penalty = lambda params: jnp.square(jax.grad(critic, 1)(params, x)).sum()  # noqa: E731
        return value, jax.grad(penalty)(params)

    words = (None, "convolutions", "blocks")
    together = jax.jit(lambda x, key: [compute(word, x, key) for word in words])
    return dict(zip(words, together(x, jax.random.key(1)), strict=True)), variables


@pytest.mark.parametrize("word", ["convolutions", "blocks"])
def test_losses_gradients_and_statistics_are_the_same(outcomes, word):
    """Statistics advance once, although their block runs twice; noise is drawn alike both times."""
    (found, before), plain = (outcomes[0][word], outcomes[1]), outcomes[0][None]
    assert_close(found, plain)
    advanced = found[0][0][1]
    assert advanced.keys() == {"batch_stats", "spectral"}
    assert not jax.tree.all(jax.tree.map(jnp.allclose, advanced, before))
    assert all(
        max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(tree)) > 1e-3 for tree in (found[0][1], found[1])
    )


def test_moments_of_the_batch_and_spectral_norms_are_not_taken_again():
    """No matrix product and no all-reduce more: the power iteration and the batch's moments run once."""
    mesh = sharding.data_mesh(4)
    whole, split = NamedSharding(mesh, P()), NamedSharding(mesh, P("data"))
    x = jax.ShapeDtypeStruct((8, 4, 4, 3), jnp.float32, sharding=split)

    def costs(word):
        def compute(variables, x):
            params = variables["params"]
            stats = {name: tree for name, tree in variables.items() if name != "params"}
            return jax.value_and_grad(loss_of(Network(word), x), has_aux=True)(params, stats)

        shapes = jax.eval_shape(Network(word).init, jax.random.key(0), x)
        variables = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=whole), shapes)
        text = jax.jit(compute, out_shardings=whole).lower(variables, x).compile().as_text()
        return text.count(" all-reduce("), flops.count(compute, variables, x).matmul

    plain, blocks = costs(None), costs("blocks")
    assert plain == blocks
    assert min(plain) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_the_same_losses_gradients_and_statistics(name):
    make, x = NETWORKS[name]
    variables = jax.jit(make(None).init)(jax.random.key(0), x, LABELS)
    params = variables.pop("params")
    plain, *others = (
        jax.jit(jax.value_and_grad(loss_of(make(word), x, LABELS), has_aux=True))(params, variables) for word in WORDS
    )
    for found in others:
        assert_close(found, plain)


@pytest.mark.parametrize("word", ["", True, "all", "blocks:", "blocks:high", ":64", "Blocks"])
def test_another_word_is_a_sentence(word):
    with pytest.raises(
        ConfigError, match='remat is .* expected None to keep all activations, "convolutions" or "blocks"'
    ):
        rematted(None, word, 8)
