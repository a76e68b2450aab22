"""The transforms of adaptive augmentation: their groups, their distributions, and how often each fires.

Source: arXiv 2006.06676, appendix B, tables 5 and 6; names as in NVlabs/stylegan2-ada-pytorch, training/augment.py.
"""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Transform:
    """A random transform of single images.

    Attributes:
        group: the group that it belongs to.
        distribution: of the number that is drawn: "uniform" in [0, 1) or standard "normal".
        strength: makes the strength out of that number.
        neutral: the strength that changes nothing.
        shape: of the numbers of one image.
        independent: whether each of these numbers decides for itself if it acts.
    """

    group: str
    distribution: str
    strength: Callable[[jax.Array], jax.Array]
    neutral: float = 0.0
    shape: tuple[int, ...] = ()
    independent: bool = False


def _angle(u):
    return (2 * u - 1) * jnp.pi


TRANSFORMS: Mapping[str, Transform] = {
    "xflip": Transform("blit", "uniform", lambda u: jnp.floor(2 * u)),
    "rotate90": Transform("blit", "uniform", lambda u: jnp.floor(4 * u)),
    "xint": Transform("blit", "uniform", lambda u: (2 * u - 1) * 0.125, shape=(2,)),
    "scale": Transform("geom", "normal", lambda z: jnp.exp2(0.2 * z), neutral=1),
    "rotate": Transform("geom", "uniform", _angle, shape=(2,), independent=True),
    "aniso": Transform("geom", "normal", lambda z: jnp.exp2(0.2 * z), neutral=1),
    "xfrac": Transform("geom", "normal", lambda z: 0.125 * z, shape=(2,)),
    "brightness": Transform("color", "normal", lambda z: 0.2 * z),
    "contrast": Transform("color", "normal", lambda z: jnp.exp2(0.5 * z), neutral=1),
    "lumaflip": Transform("color", "uniform", lambda u: jnp.floor(2 * u)),
    "hue": Transform("color", "uniform", _angle),
    "saturation": Transform("color", "normal", jnp.exp2, neutral=1),
    "imgfilter": Transform("filter", "normal", jnp.exp2, neutral=1, shape=(4,), independent=True),
    "noise": Transform("noise", "normal", lambda z: jnp.abs(0.1 * z)),
    "cutout": Transform("cutout", "uniform", lambda u: u, neutral=-1, shape=(2,)),
}
GROUPS = tuple(dict.fromkeys(transform.group for transform in TRANSFORMS.values()))
PIPES = {
    **{group: (group,) for group in GROUPS},
    **{name: GROUPS[: len(name)] for name in ("bg", "bgc", "bgcf", "bgcfn", "bgcfnc")},
}


def multipliers(transforms: str | Mapping[str, float], section: str = "config.phases.augment") -> dict[str, float]:
    """`{transform: multiplier of p}` of those above 0, in the order in which they act.

    Args:
        transforms: the name of a published pipe, or multipliers by transform or group; a transform's own counts more.
        section: where they stand, for sentences.

    Raises:
        ConfigError: an unknown name, or a multiplier below 0.
    """
    where = f"{section}.transforms"
    if not hasattr(transforms, "items"):
        if transforms not in PIPES:
            raise ConfigError(f"{where} is {transforms!r}: expected one of {', '.join(PIPES)}, or multipliers by name")
        transforms = dict.fromkeys(PIPES[transforms], 1.0)
    for name, value in transforms.items():
        if name not in TRANSFORMS and name not in GROUPS:
            known = ", ".join(dict.fromkeys([*GROUPS, *TRANSFORMS]))
            raise ConfigError(f"{where} has no {name!r}: the groups and transforms are {known}")
        if not isinstance(value, int | float) or value < 0:
            raise ConfigError(f"{where}.{name} is {value!r}: expected 0 or more")
    chosen = {name: transforms.get(name, transforms.get(each.group, 0)) for name, each in TRANSFORMS.items()}
    return {name: float(value) for name, value in chosen.items() if value > 0}
