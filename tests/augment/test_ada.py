"""The pipe of adaptive augmentation against that of StyleGAN2-ADA, how often it fires, and its gradients."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from scipy.special import erfinv

from gan_jax.augment import ada
from gan_jax.augment.colour import colour_matrix
from gan_jax.augment.geometry import inverse_matrix
from gan_jax.augment.transforms import TRANSFORMS, multipliers
from tests import reference

SIDE = 24
EVERY = dict.fromkeys(TRANSFORMS, 1.0)
GEOMETRY = {name for name, each in TRANSFORMS.items() if each.group in ("blit", "geom")}
COLOUR = {name for name, each in TRANSFORMS.items() if each.group == "color"}

transform = jax.jit(ada.transform)


def percentile(names, at, n):
    """The draws that the published code's debug mode stands for: all fire; its second rotation and normals are odd."""
    draws = {}
    for name in names:
        each = TRANSFORMS[name]
        value = at
        if each.distribution == "normal":
            value = erfinv(at) if name == "noise" else erfinv(2 * at - 1)
        value = np.full((n, *each.shape), value, np.float32)
        if name == "rotate":
            value[:, 1] = 0.5
        draws[name] = {"value": jnp.asarray(value), "fires": jnp.zeros((n, *each.shape))}
    return draws


def check(images, strengths, case, key, noise=None, first=None):
    """Images and matrices against those stored under `case`/`key`."""
    reference.assert_array(reference.nchw(transform(images, strengths, noise))[:first], "augment", case, f"{key}/out")
    if GEOMETRY & set(strengths):
        reference.assert_array(inverse_matrix(strengths, SIDE, SIDE), "augment", case, f"{key}/G_inv")
    if COLOUR & set(strengths):
        reference.assert_array(colour_matrix(strengths), "augment", case, f"{key}/C")


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_transform_does_what_the_published_one_does(name):
    config = reference.cases("augment")["single"]["config"]
    images = reference.images("x", (1, 3, SIDE, SIDE), config["input_seed"])
    noise = reference.normal("draw2", (1, 3, SIDE, SIDE), config["draw_seed"]).transpose(0, 2, 3, 1)
    for at in config["percentiles"]:
        strengths = ada.to_strengths(percentile([name], at, 1), EVERY, 1.0)
        check(images, strengths, "single", f"{name}/{at}", noise)


@pytest.mark.parametrize("group", reference.cases("augment")["groups"]["config"]["groups"])
def test_groups_act_in_the_published_order_and_pass_gradients_on(group):
    config = reference.cases("augment")["groups"]["config"]
    images = reference.images("x", (2, 3, SIDE, SIDE), config["input_seed"])
    cotangent = reference.normal("cotangent", (2, 3, SIDE, SIDE), config["input_seed"]).transpose(0, 2, 3, 1)
    pull_back = jax.jit(lambda c, s: jax.vjp(lambda x: ada.transform(x, s), images)[1](c)[0])
    for at in config["percentiles"]:
        strengths = ada.to_strengths(percentile(config["groups"][group], at, 2), EVERY, 1.0)
        check(images, strengths, "groups", f"{group}/{at}")
        if f"{group}/{at}/grad_x" in reference.cases("augment")["groups"]["arrays"]:
            gradient = pull_back(cotangent, strengths)
            reference.assert_array(reference.nchw(gradient), "augment", "groups", f"{group}/{at}/grad_x")


def test_images_of_one_channel():
    config = reference.cases("augment")["groups"]["config"]
    images = reference.images("xgrey", (1, 1, SIDE, SIDE), config["input_seed"])
    strengths = ada.to_strengths(percentile(config["groups"]["bgc"], 0.65, 1), EVERY, 1.0)
    reference.assert_array(reference.nchw(transform(images, strengths)), "augment", "groups", "grey_bgc/0.65/out")


# The published code's draws in the order in which it makes them: transforms, with the number of the pair for those that
# decide more than once.
ORDER = ["xflip", "rotate90", "xint", "scale", "rotate 0", "aniso", "rotate 1", "xfrac", "brightness", "contrast"]
ORDER += ["lumaflip", "hue", "saturation", *(f"imgfilter {i}" for i in range(4)), "noise", "cutout"]


def listed(pipe):
    """The draws of a pipe of the case "drawn" as ours."""
    case = reference.cases("augment")["drawn"]
    seed, kinds = case["config"]["draw_seed"], {"rand": reference.uniform, "randn": reference.normal}
    numbers = iter([kinds[kind](name, shape, seed) for name, kind, shape in case["draws"][pipe]])
    draws = {}
    for entry in ORDER:
        name, _, index = entry.partition(" ")
        if name not in multipliers(pipe):
            continue
        shape = TRANSFORMS[name].shape
        value, fires = next(numbers), next(numbers)
        if name == "cutout":
            value, fires = fires, value
        if name == "noise":
            draws[name] = {"field": next(numbers).transpose(0, 2, 3, 1)}
        if index:
            both = draws.setdefault(
                name, {key: np.zeros((len(value), *shape), np.float32) for key in ("value", "fires")}
            )
            both["value"][:, int(index)], both["fires"][:, int(index)] = value, fires
        else:
            fires = fires.reshape(-1, *[1] * len(shape))
            draws.setdefault(name, {}).update(value=value.reshape(-1, *shape), fires=fires)
    assert next(numbers, None) is None
    return draws


@pytest.mark.parametrize("pipe", ["bgc", "bgcfnc"])
def test_the_same_draws_give_the_published_images(pipe):
    config = reference.cases("augment")["drawn"]["config"]
    images = reference.images("x", (config["batch"], 3, SIDE, SIDE), config["input_seed"])
    draws = listed(pipe)
    own = ada.draw(jax.random.key(0), multipliers(pipe), images.shape)
    assert jax.tree.map(jnp.shape, own) == jax.tree.map(jnp.shape, draws)
    strengths = ada.to_strengths(draws, multipliers(pipe), config["p"])
    noise = draws.get("noise", {}).get("field")
    check(images, strengths, "drawn", pipe, noise, first=3 if pipe == "bgcfnc" else None)


def test_transforms_fire_as_often_as_p_and_their_multipliers_say():
    n, p = 20_000, 0.4
    chosen = {**EVERY, "xint": 0.5}
    strengths = ada.to_strengths(ada.draw(jax.random.key(1), chosen, (n, 2, 2, 1)), chosen, p)
    fired = {name: np.asarray(value != TRANSFORMS[name].neutral) for name, value in strengths.items()}
    expected = dict.fromkeys(TRANSFORMS, p) | {"xint": p / 2, "rotate": 1 - np.sqrt(1 - p)}
    expected |= {"xflip": p / 2, "lumaflip": p / 2, "rotate90": 3 / 4 * p}  # the rest draws the neutral strength
    for name, share in expected.items():
        np.testing.assert_allclose(fired[name].mean(0), np.full(fired[name].shape[1:], share), atol=0.015, err_msg=name)
    np.testing.assert_allclose(fired["rotate"].any(1).mean(), p, atol=0.015)
    np.testing.assert_array_equal(fired["xint"][:, 0], fired["xint"][:, 1])
    decisions = [fired[name].reshape(n, -1)[:, 0] for name in TRANSFORMS] + [fired["rotate"][:, 1]]
    np.testing.assert_allclose(np.corrcoef(decisions), np.eye(len(decisions)), atol=0.03)


def test_strengths_have_the_published_spread():
    draws = ada.draw(jax.random.key(2), EVERY, (20_000, 2, 2, 1))
    strengths = {name: np.asarray(value) for name, value in ada.to_strengths(draws, EVERY, 1.0).items()}
    for name, spread in {"xfrac": 0.125, "brightness": 0.2}.items():
        np.testing.assert_allclose([strengths[name].mean(), strengths[name].std()], [0, spread], atol=0.01)
    for name, spread in {"scale": 0.2, "aniso": 0.2, "contrast": 0.5, "saturation": 1, "imgfilter": 1}.items():
        logarithm = np.log2(strengths[name])
        np.testing.assert_allclose([logarithm.mean(), logarithm.std()], [0, spread], atol=0.03)
    for name, (low, high) in {"xint": (-1 / 8, 1 / 8), "rotate": (-np.pi, np.pi), "cutout": (0, 1)}.items():
        np.testing.assert_allclose([strengths[name].min(), strengths[name].max()], [low, high], atol=0.01)
    np.testing.assert_allclose(strengths["noise"].mean(), 0.1 * np.sqrt(2 / np.pi), atol=0.002)
    assert set(strengths["rotate90"]) == {0, 1, 2, 3}


IMAGES = np.random.RandomState(0).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def everything():
    """`(images, p) -> images` by all transforms."""
    return jax.jit(lambda images, p: ada.augment(jax.random.key(3), images, multipliers("bgcfnc"), p))


def test_nothing_fires_at_p_0(everything):
    # The low-pass filter of the warp lets all but the highest frequencies through.
    smooth = np.cos(np.linspace(0, np.pi, 16))[:, None, None] * np.cos(np.linspace(0, 2 * np.pi, 16))[:, None]
    smooth = np.tile(smooth, (4, 1, 1, 3)).astype(np.float32)
    np.testing.assert_allclose(everything(smooth, 0.0), smooth, atol=0.01)
    still = multipliers({"color": 1, "filter": 1, "noise": 1, "cutout": 1})
    unchanged = jax.jit(lambda images: ada.augment(jax.random.key(3), images, still, 0.0))(IMAGES)
    np.testing.assert_allclose(unchanged, IMAGES, atol=1e-6)


def test_images_are_augmented_each_on_its_own(everything):
    changed = np.concatenate([IMAGES[:1], -IMAGES[1:]])
    before, after = everything(IMAGES, 0.8), everything(changed, 0.8)
    np.testing.assert_allclose(before[0], after[0], atol=1e-6)
    assert np.abs(before[1:] - after[1:]).max((1, 2, 3)).min() > 0.1
    np.testing.assert_array_equal(before, everything(IMAGES, 0.8))


def test_a_penalty_on_gradients_through_the_pipe_has_the_gradient_of_finite_differences(everything):
    kernel = np.random.RandomState(1).normal(size=IMAGES.shape[1:]).astype(np.float32) / 10

    def penalty(kernel):
        """Like R1 of a critic tanh(<kernel, augmented>)."""
        gradient = jax.grad(lambda x: jnp.tanh((kernel * everything(x, 0.8)).sum((1, 2, 3))).sum())(IMAGES)
        return jnp.square(gradient).sum()

    both = jax.jit(jax.value_and_grad(penalty))
    gradient = both(kernel)[1]
    direction, step = np.asarray(gradient / jnp.linalg.norm(gradient)), 3e-3
    slope = (both(kernel + step * direction)[0] - both(kernel - step * direction)[0]) / (2 * step)
    np.testing.assert_allclose(slope, (gradient * direction).sum(), rtol=2e-2)
    assert np.linalg.norm(gradient) > 1e-3


def test_a_batch_over_four_devices_is_augmented_without_moving_images():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = NamedSharding(mesh, PartitionSpec("data"))
    images = np.concatenate([IMAGES, IMAGES[::-1]])

    def both(images, cotangent):
        augmented, pull_back = jax.vjp(lambda x: ada.augment(jax.random.key(4), x, multipliers("bgcfnc"), 0.8), images)
        return augmented, pull_back(cotangent)[0]

    arguments = images, images[::-1]
    spread_arguments = jax.device_put(arguments, spread)
    compiled = jax.jit(both, out_shardings=spread).lower(*spread_arguments).compile()
    expected, actual = jax.jit(both)(*arguments), compiled(*spread_arguments)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), actual, expected)
    kinds = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
    assert not re.findall(rf"= .* ({kinds})\(", compiled.as_text())
