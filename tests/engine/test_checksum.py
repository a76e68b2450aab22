"""Checksums: one value for an array however it is split, another one after any change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from gan_jax.engine import sharding
from gan_jax.engine.checksum import checksums

DTYPES = ("float32", "bfloat16", "float16", "int32", "uint32", "uint8", "int8", "bool")


def bits_of(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """An array of a type with random bits, NaNs and denormal numbers among them; 0 and 1 for bool."""
    size = int(np.prod(shape)) * jnp.dtype(dtype).itemsize
    content = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 256, size, np.uint8)
    return content.view(jnp.dtype(dtype)).reshape(shape)


def checksum(array) -> int:
    return int(checksums(array))


def expected(array: np.ndarray) -> int:
    """The definition, in arithmetic of Python's whole numbers."""
    numbers = array.view(f"uint{8 * array.dtype.itemsize}").ravel()
    total = 0
    for position, number in enumerate(numbers.tolist()):
        x = number ^ (position * 0x9E3779B1 % 2**32)
        x = (x ^ (x >> 16)) * 0x85EBCA6B % 2**32
        x = (x ^ (x >> 13)) * 0xC2B2AE35 % 2**32
        total += x ^ (x >> 16)
    return total % 2**32


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (4, 3, 2)])
def test_it_is_what_it_is_defined_to_be(dtype, shape):
    """A checkpoint of today must be verified by any later version, on any hardware."""
    array = bits_of(dtype, shape)
    assert checksum(jnp.asarray(array)) == expected(array)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("devices", "spec"),
    [(1, ()), (2, ("data",)), (4, ()), (4, ("data",)), (4, (None, "data")), (4, (None, None, "data"))],
)
def test_it_is_the_same_however_the_array_is_split(dtype, devices, spec):
    array = bits_of(dtype, (8, 4, 12))
    split = jax.device_put(array, NamedSharding(sharding.data_mesh(devices), PartitionSpec(*spec)))
    assert len(split.addressable_shards) == devices
    assert checksum(split) == expected(array)


def test_it_is_the_same_on_a_mesh_of_two_axes():
    mesh = jax.make_mesh((2, 2), ("data", "model"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    array = bits_of("float32", (6, 10))
    for spec in (("data", "model"), ("model", "data"), (("data", "model"),), (None, "model")):
        if spec == (("data", "model"),):
            array = bits_of("float32", (8, 10))
        assert checksum(jax.device_put(array, NamedSharding(mesh, PartitionSpec(*spec)))) == expected(array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_flipped_bit_changes_it(dtype):
    array = bits_of(dtype, (5, 7))
    before = checksum(array)
    content = array.view(np.uint8)
    for byte in (0, content.size // 2, content.size - 1):
        for bit in (0,) if dtype == "bool" else (0, 3, 7):
            content.reshape(-1)[byte] ^= 1 << bit
            assert checksum(array) != before
            content.reshape(-1)[byte] ^= 1 << bit
    assert checksum(array) == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_exchange_changes_it(dtype):
    array = bits_of(dtype, (6, 40))
    exchanged = [array[[1, 0, 2, 3, 4, 5]], array[::-1], np.roll(array, 1, axis=1), array.reshape(40, 6).T]
    sums = {checksum(np.ascontiguousarray(other).reshape(6, 40)) for other in (array, *exchanged)}
    assert len(sums) == 5


def test_a_page_of_zeros_and_another_sign_of_zero_change_it():
    array = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    blank = array.copy()
    blank[16:32] = 0
    assert len({checksum(array), checksum(blank), checksum(np.abs(blank) * 0), checksum(-np.abs(blank) * 0)}) == 4


def test_a_tree_gives_a_tree_and_may_be_donated_right_afterwards():
    tree = {"a": jnp.arange(1000.0), "b": {"c": jnp.ones((3, 4), jnp.bfloat16), "d": jnp.bool_(True)}}
    wanted = jax.tree.map(lambda x: expected(np.asarray(x)), tree)
    found = checksums(tree)
    jax.jit(lambda tree: jax.tree.map(jnp.zeros_like, tree), donate_argnums=0)(tree)
    assert jax.tree.map(int, found) == wanted
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("uint32")}
