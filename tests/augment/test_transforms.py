"""Which transforms a section asks for."""

import pytest

from gan_jax.augment.transforms import TRANSFORMS, multipliers
from gan_jax.errors import ConfigError

BLIT, GEOM = ["xflip", "rotate90", "xint"], ["scale", "rotate", "aniso", "xfrac"]
COLOR = ["brightness", "contrast", "lumaflip", "hue", "saturation"]


def test_pipes_are_the_published_ones():
    pipes = {"blit": BLIT, "color": COLOR, "filter": ["imgfilter"], "noise": ["noise"], "cutout": ["cutout"]}
    pipes |= {"bg": BLIT + GEOM, "bgc": BLIT + GEOM + COLOR, "bgcfnc": list(TRANSFORMS)}
    pipes |= {"geom": GEOM, "bgcf": list(TRANSFORMS)[:-2], "bgcfn": list(TRANSFORMS)[:-1]}
    for name, transforms in pipes.items():
        assert multipliers(name) == dict.fromkeys(transforms, 1.0)


def test_multipliers_by_group_and_by_transform():
    chosen = multipliers({"hue": 0, "xflip": 0.25, "color": 0.5, "cutout": 1})
    expected = dict.fromkeys(COLOR, 0.5) | {"xflip": 0.25, "cutout": 1.0}
    del expected["hue"]
    assert chosen == expected
    assert list(chosen) == [name for name in TRANSFORMS if name in expected]


def test_unknown_names_and_negative_multipliers_are_refused():
    with pytest.raises(
        ConfigError, match=r"augment\.transforms is 'bgd': expected one of blit, .*bgcfnc, or multipliers"
    ):
        multipliers("bgd")
    with pytest.raises(ConfigError, match=r"augment\.transforms has no 'colour': the groups and transforms are blit, "):
        multipliers({"colour": 1})
    with pytest.raises(ConfigError, match=r"augment\.transforms\.geom is -1: expected 0 or more"):
        multipliers({"geom": -1})
