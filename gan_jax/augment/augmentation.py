"""What recipes see of augmentation, whichever it is."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax

from gan_jax.augment import ada, diffaugment
from gan_jax.augment.probability import Probability, adaptive, constant, scheduled
from gan_jax.augment.transforms import multipliers
from gan_jax.errors import ConfigError

Tree = Any


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Differentiable augmentation of real and generated images alike.

    Attributes:
        aux: makes its state, {} where it has none.
        apply: `(aux, key, images, images_seen) -> images`, float32 [n, h, w, c]: augments each image on its own;
            differentiable by the images, also twice. `images_seen` is that of training.
        observe: `(aux, real_logits) -> aux`, for every discriminator phase.
        adapt: None, or `(every, (aux, images_per_step) -> aux)`: a change of the state that is due every so many steps.
    """

    aux: Callable[[], Tree]
    apply: Callable[[Tree, jax.Array, jax.Array, jax.Array], jax.Array]
    observe: Callable[[Tree, jax.Array], Tree]
    adapt: tuple[int, Callable[[Tree, int], Tree]] | None


def build(section: Mapping[str, Any], where: str = "config.phases.augment") -> Augmentation:
    """The augmentation of the config section `phases.augment`.

    Args:
        section: `name` and the fields of that name:

            none: images stay as they are.
            diffaugment: `policy`, any of color, translation and cutout, in order; all three where it is left out.
            ada: `transforms`, a published pipe (bgc where it is left out) or multipliers of p by transform or group; `p`, a
                number or `{start, end, until_kimg}`, a cosine over so many thousand images. Where there is a `target`, p
                starts there and adapts itself every `interval` steps (default 4), by 1 in `horizon_kimg` thousand images
                (500). Without a `p` it starts at 0, with the published target of 0.6.
        where: the section's place, for sentences.

    Raises:
        ConfigError: a name, field or number that cannot be used.
    """
    name = section.get("name")
    if name == "ada":
        return _ada(section, where)
    if name == "diffaugment":
        _check_fields(where, section, ("policy",))
        operations = diffaugment.operations(section.get("policy", tuple(diffaugment.POLICIES)), where)
        return _stateless(lambda key, images: diffaugment.augment(key, images, operations))
    if name == "none":
        _check_fields(where, section, ())
        return _stateless(lambda key, images: images)
    raise ConfigError(f'{where}.name is {name!r}: expected "none", "diffaugment" or "ada"')


def _stateless(change):
    return Augmentation(
        aux=dict,
        apply=lambda aux, key, images, images_seen: change(key, images),
        observe=lambda aux, real_logits: aux,
        adapt=None,
    )


def _ada(section, where):
    _check_fields(where, section, ("transforms", "p", "target", "interval", "horizon_kimg"))
    section = section if "p" in section else {"p": 0.0, "target": 0.6, **section}
    chosen, probability = multipliers(section.get("transforms", "bgc"), where), _probability(section, where)

    def apply(aux, key, images, images_seen):
        return ada.augment(key, images, chosen, probability.value(aux, images_seen))

    return Augmentation(probability.aux, apply, probability.observe, probability.adapt)


def _probability(section, where) -> Probability:
    p, target = section["p"], section.get("target")
    if isinstance(p, int | float):
        _check_number(where, "p", p)
        if target is None:
            return constant(p)
        interval, horizon = section.get("interval", 4), section.get("horizon_kimg", 500)
        _check_number(where, "target", target)
        _check_number(where, "horizon_kimg", horizon, positive=True)
        if not isinstance(interval, int) or interval < 1:
            raise ConfigError(f"{where}.interval is {interval!r}: expected 1 (every step) or more")
        return adaptive(p, target, interval, 1000 * horizon)
    if target is not None:
        raise ConfigError(f"{where}.target is {target} beside a schedule of p: set target to None, or p to a number")
    if not hasattr(p, "get") or sorted(p) != ["end", "start", "until_kimg"]:
        raise ConfigError(f"{where}.p is {p!r}: expected a number, or start, end and until_kimg")
    _check_number(where, "p.start", p["start"])
    _check_number(where, "p.end", p["end"])
    _check_number(where, "p.until_kimg", p["until_kimg"], positive=True)
    return scheduled(p["start"], p["end"], 1000 * p["until_kimg"])


def _check_fields(where, section, known):
    if unknown := [name for name in section if name not in ("name", *known)]:
        raise ConfigError(
            f"{where} has {unknown[0]!r}: the fields of {section['name']!r} are {sorted(('name', *known))}"
        )


def _check_number(where, field, value, positive=False):
    if not isinstance(value, int | float) or value < 0 or (positive and value == 0):
        expected = "a number above 0" if positive else "0 or more"
        raise ConfigError(f"{where}.{field} is {value!r}: expected {expected}")
