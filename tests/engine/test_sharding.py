"""Meshes, partition rules, and batches on the devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from ml_collections import ConfigDict

from gan_jax.engine import sharding
from gan_jax.errors import ConfigError


def section(axes=("data",), shape=(-1,)):
    return ConfigDict({"axes": axes, "shape": shape})


@pytest.fixture(scope="module")
def mesh():
    return sharding.make_mesh(section(("data", "shard"), (-1, 2)))


TREE = {
    "params": {"G": {"conv": {"kernel": np.zeros((3, 3, 6, 8)), "bias": np.zeros(8)}, "scale": np.zeros(3)}},
    "step": np.zeros(()),
}


def specs(rules, mesh, tree=TREE) -> dict[str, tuple]:
    found = sharding.by_rules(tree, rules, mesh)
    return {sharding.path_name(p): tuple(s.spec) for p, s in jax.tree.leaves_with_path(found)}


def test_the_mesh_fills_in_what_is_left_and_leaves_placement_to_the_compiler():
    mesh = sharding.make_mesh(section(("shard", "data"), (2, -1)))
    assert dict(mesh.shape) == {"shard": 2, "data": 2}
    assert mesh.axis_types == (AxisType.Auto, AxisType.Auto)
    assert dict(sharding.make_mesh(section()).shape) == {"data": 4}
    assert sharding.data_mesh(1).size == 1


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        (("shard",), (-1,)),
        (("data",), (3,)),
        (("data",), (8,)),
        (("data",), (0,)),
        (("data",), (2, 2)),
        (("data", "shard"), (-1, -1)),
        (("data", "shard"), (-1, 3)),
        (("data", "shard"), (-1, 0)),
        (("data", "shard"), (-2, -2)),
        (("data", "shard"), (2.0, 2)),
        (("data", "model"), (2, 2)),
        (("data", "data"), (2, 2)),
        ((), ()),
    ],
)
def test_a_mesh_that_does_not_fit_is_a_sentence(axes, shape):
    with pytest.raises(ConfigError, match=r"config\.mesh"):
        sharding.make_mesh(section(axes, shape))


def test_the_first_rule_that_matches_counts_and_the_rest_is_replicated(mesh):
    rules = ((".*/kernel", (None, None, None, "shard")), ("params/G/.*", ("data",)))
    with pytest.raises(ConfigError, match="params/G/scale has shape .3,., and 3 is not divisible by 2"):
        specs(rules, mesh)
    rules = ((".*/kernel", (None, None, None, "shard")), (".*scale", ()), ("params/G/.*", ("data",)))
    assert specs(rules, mesh) == {
        "params/G/conv/kernel": (None, None, None, "shard"),
        "params/G/conv/bias": ("data",),
        "params/G/scale": (),
        "step": (),
    }


def test_a_rule_matches_the_whole_path(mesh):
    assert specs((("kernel", ("data",)), ("params", ("data",))), mesh) == dict.fromkeys(specs((), mesh), ())


def test_an_entry_may_name_several_axes(mesh):
    assert specs(((".*bias", (("data", "shard"),)),), mesh)["params/G/conv/bias"] == (("data", "shard"),)


def test_largest_splits_the_largest_dimension_that_can_be(mesh):
    found = specs(((".*", "largest"),), mesh)
    assert found["params/G/conv/kernel"] == (None, None, None, "shard")
    assert found["params/G/conv/bias"] == ("shard",)
    assert found["params/G/scale"] == ()
    assert set(specs(((".*", "largest"),), sharding.data_mesh(1)).values()) == {()}
    assert specs(((".*", "largest"),), sharding.data_mesh(4), {"a": np.zeros((6, 4))})["a"] == (None, "data")


@pytest.mark.parametrize(
    "rule",
    [5, "data", (".*",), (".*", 5), (".*", ("dta",)), (".*", "smallest"), ("(", ("data",)), (3, ()), (".*", (7,))],
)
def test_a_rule_that_is_none_is_a_sentence(mesh, rule):
    with pytest.raises(ConfigError, match=r"config\.mesh\.rules holds .*expected"):
        specs((rule,), mesh)


def test_a_rule_with_too_many_dimensions_is_a_sentence(mesh):
    with pytest.raises(ConfigError, match="more entries than .* of shape"):
        specs(((".*bias", (None, "data")),), mesh)


def test_a_batch_is_split_over_the_data_and_shard_axes_and_images_by_rows_over_space():
    mesh = sharding.make_mesh(section(("data", "shard", "space"), (1, 2, 2)))
    batch = {
        "image": np.arange(2 * 1 * 4 * 6 * 5 * 3).reshape(2, 1, 4, 6, 5, 3),
        "label": np.arange(8, dtype=np.int32).reshape(2, 1, 4),
    }
    placed = sharding.put(batch, mesh)
    for name, array in placed.items():
        np.testing.assert_array_equal(array, batch[name])
        assert array.dtype == jnp.asarray(batch[name]).dtype
        assert {shard.data.shape[2] for shard in array.addressable_shards} == {2}
    assert {shard.data.shape for shard in placed["image"].addressable_shards} == {(2, 1, 2, 3, 5, 3)}


@pytest.mark.parametrize(
    ("batch", "microbatches", "message"),
    [
        (10, 4, "microbatches = 4 does not divide"),
        (6, 1, "over 4 devices"),
        (8, 4, "microbatches of 2 images, which do not divide over 4"),
    ],
)
def test_a_batch_that_does_not_divide_is_a_sentence(batch, microbatches, message):
    with pytest.raises(ConfigError, match=f"config.train.batch_size is {batch}.*{message}"):
        sharding.check_batch(batch, microbatches, sharding.data_mesh(4))
    sharding.check_batch(16, 4, sharding.data_mesh(4))
