"""The pipe of adaptive augmentation: draws, the strengths that follow from them, and what they do to images.

Source: arXiv 2006.06676, appendix B; NVlabs/stylegan2-ada-pytorch, training/augment.py. The whole batch goes through
at once; a group of transforms that is not asked for costs nothing. What is drawn comes apart from what is done with it.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.augment.bands import amplify
from gan_jax.augment.colour import colour_matrix, recolour
from gan_jax.augment.corruption import add_noise, cut_out
from gan_jax.augment.geometry import inverse_matrix
from gan_jax.augment.transforms import TRANSFORMS
from gan_jax.augment.warp import warp

_CUTOUT_SIZE = 0.5

Draws = dict[str, dict[str, jax.Array]]


def augment(key: jax.Array, images: jax.Array, multipliers: Mapping[str, float], p: Any) -> jax.Array:
    """Augments images float32 [n, h, w, c], c 1 or 3, each on its own.

    Args:
        multipliers: transforms with their multipliers, as `transforms.multipliers` gives them.
        p: scalar; a transform fires with the probability multiplier * p.
    """
    draws = draw(key, multipliers, images.shape)
    return transform(images, to_strengths(draws, multipliers, p), draws.get("noise", {}).get("field"))


def draw(key: jax.Array, multipliers: Mapping[str, float], shape: tuple[int, ...]) -> Draws:
    """Random numbers for a batch of images of `shape`: what each transform does, and whether it fires.

    Returns:
        `{transform: {"value", "fires"}}`: float32 [n, ...], of the transform's distribution and uniform; for noise also
        "field", normal of the images' shape.
    """
    # Three calls for all transforms: every call compiles to 16 small kernels, whatever its size.
    n, sizes = shape[0], {name: math.prod(TRANSFORMS[name].shape) for name in multipliers}
    keys, table = jax.random.split(key, 4), (n, sum(sizes.values()))
    values = {"uniform": jax.random.uniform(keys[0], table), "normal": jax.random.normal(keys[1], table)}
    fires, draws, start = jax.random.uniform(keys[2], table), {}, 0
    for name, size in sizes.items():
        each, columns = TRANSFORMS[name], slice(start, start + size)
        decisions = each.shape if each.independent else (1,) * len(each.shape)
        draws[name] = {
            "value": values[each.distribution][:, columns].reshape(n, *each.shape),
            "fires": fires[:, columns][:, : math.prod(decisions)].reshape(n, *decisions),
        }
        start += size
    if "noise" in draws:
        draws["noise"]["field"] = jax.random.normal(keys[3], shape)
    return draws


def to_strengths(draws: Draws, multipliers: Mapping[str, float], p: Any) -> dict[str, jax.Array]:
    """Strengths [n, ...] of the transforms, neutral in images where they do not fire."""
    result = {}
    for name, numbers in draws.items():
        each, chance = TRANSFORMS[name], multipliers[name] * p
        if name == "rotate":  # twice, before and after aniso; either of the two with the chance asked for
            chance = 1 - jnp.sqrt(1 - jnp.clip(chance, 0, 1))
        result[name] = jnp.where(numbers["fires"] < chance, each.strength(numbers["value"]), each.neutral)
    return result


def transform(images: jax.Array, strengths: Mapping[str, jax.Array], noise: jax.Array | None = None) -> jax.Array:
    """Applies the transforms that have strengths, in the published order; differentiable by the images.

    Args:
        noise: standard normal of the images' shape; needed with the transform of this name.
    """
    groups = {TRANSFORMS[name].group for name in strengths}
    if groups & {"blit", "geom"}:
        images = warp(images, inverse_matrix(strengths, *images.shape[1:3]))
    if "color" in groups:
        images = recolour(images, colour_matrix(strengths))
    if "filter" in groups:
        images = amplify(images, strengths["imgfilter"])
    if "noise" in groups:
        images = add_noise(images, strengths["noise"], noise)
    if "cutout" in groups:
        images = cut_out(images, strengths["cutout"], _CUTOUT_SIZE)
    return images
