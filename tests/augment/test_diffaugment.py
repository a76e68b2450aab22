"""DiffAugment against the published operations, and the ranges of its draws."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from gan_jax.augment import diffaugment
from gan_jax.errors import ConfigError
from tests import reference

CASE = reference.cases("diffaugment")["diffaugment"]
SHAPE = (4, 3, 16, 16)
ALL = ("color", "translation", "cutout")


def images():
    return reference.images("x", SHAPE, CASE["config"]["input_seed"])


def listed(key, operations, seed):
    """The draws of the vectors under `key` as ours."""
    numbers = []
    for name, kind, shape in CASE["draws"][key]:
        if kind == "rand":
            numbers.append(reference.uniform(name, shape, seed).ravel())
        else:
            low, high = map(int, re.findall(r"-?\d+", kind))
            numbers.append(reference.integers(name, shape, seed, high - low).ravel() + low)
    numbers = iter(numbers)
    return {
        name: np.stack([next(numbers), next(numbers)], 1) if name in ("translation", "cutout") else next(numbers)
        for name in operations
    }


@pytest.mark.parametrize("name", ["brightness", "saturation", "contrast", "translation", "cutout"])
def test_each_operation_does_what_the_published_one_does(name):
    draws = listed(name, [name], CASE["config"]["draw_seed_single"])
    actual = diffaugment.transform(images(), draws)
    reference.assert_array(reference.nchw(actual), "diffaugment", "diffaugment", name)


@pytest.mark.parametrize("policy", [ALL, ("cutout", "color")])
def test_policies_act_in_their_order_and_pass_gradients_on(policy):
    key = "policy/" + ",".join(policy)
    operations = diffaugment.operations(policy)
    draws = listed(key, operations, CASE["config"]["draw_seed_policy"])
    own = diffaugment.draw(jax.random.key(0), operations, images().shape)
    assert jax.tree.map(jnp.shape, own) == jax.tree.map(jnp.shape, draws)
    cotangent = reference.normal("cotangent", SHAPE, CASE["config"]["input_seed"]).transpose(0, 2, 3, 1)
    output, pull_back = jax.vjp(lambda x: diffaugment.transform(x, draws), images())
    reference.assert_array(reference.nchw(output), "diffaugment", "diffaugment", key)
    reference.assert_array(reference.nchw(pull_back(cotangent)[0]), "diffaugment", "diffaugment", f"{key}/grad_x")


def test_draws_cover_their_ranges():
    draws = diffaugment.draw(jax.random.key(0), diffaugment.operations(ALL), (5000, 16, 30, 3))
    for axis, (reach, places) in enumerate([(2, 17), (4, 30)]):  # half of 30 is odd: as many places as pixels
        assert set(map(int, draws["translation"][:, axis])) == set(range(-reach, reach + 1))
        assert set(map(int, draws["cutout"][:, axis])) == set(range(places))
    for name in diffaugment.POLICIES["color"]:
        np.testing.assert_allclose([draws[name].min(), draws[name].mean(), draws[name].max()], [0, 0.5, 1], atol=0.02)
    correlations = np.corrcoef([draws[name] for name in diffaugment.POLICIES["color"]])
    np.testing.assert_allclose(correlations, np.eye(3), atol=0.06)


def test_a_batch_over_four_devices_is_augmented_without_moving_images():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = NamedSharding(mesh, PartitionSpec("data"))
    operations = diffaugment.operations(ALL)

    def both(images, cotangent):
        augmented, pull_back = jax.vjp(lambda x: diffaugment.augment(jax.random.key(1), x, operations), images)
        return augmented, pull_back(cotangent)[0]

    arguments = images(), images()[::-1]
    spread_arguments = jax.device_put(arguments, spread)
    compiled = jax.jit(both, out_shardings=spread).lower(*spread_arguments).compile()
    expected, actual = jax.jit(both)(*arguments), compiled(*spread_arguments)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), actual, expected)
    kinds = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
    assert not re.findall(rf"= .* ({kinds})\(", compiled.as_text())


def test_unknown_and_doubled_policies_are_refused():
    for policy in (("colour",), ("color", "color")):
        with pytest.raises(ConfigError, match=rf"policy has '{policy[0]}': expected each of 'color', 'translation', "):
            diffaugment.operations(policy)
