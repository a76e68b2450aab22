"""The recipe of a family of networks by the rules of a config: what most methods are."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from gan_jax.engine.recipe import Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks, terms
from gan_jax.game.conditioning import build as build_conditioning
from gan_jax.game.game import Extras, describe
from gan_jax.game.latents import latents
from gan_jax.game.rules import R, Rules, read


def pair(
    config: Any,
    kind: type[R] = Rules,
    extras: Callable[[R], Extras] = lambda rules: Extras(),
) -> Recipe:
    """The game of the networks of `config.model` by the rules of `config.phases`.

    `model.family` is a module of `gan_jax.networks`, or the dotted path of one's own, with the classes

        Generator       made with the fields of `model.G`, `resolution`, `num_classes`, `image_channels` and `dtype`; has
                        `dim_z`, or `latent_dim` where the size of z differs from it
        Discriminator   made with the fields of `model.D`, the same but `image_channels`, and `head`, see `layers.heads.Head`

    and `model.latents` the distribution of z, see `game.latents`.

    Args:
        config: of the experiment.
        kind: the rules of the method, where it has some of its own.
        extras: what the method adds, by its rules.

    Raises:
        ConfigError: rules, fields or a family that cannot be used.
    """
    data, model, rules = config.data, config.model, read(kind, config.phases)
    family = _family(model.family)
    checks.sizes(model)
    checks.labels(model, data.num_classes)
    conditioning, more = build_conditioning(rules.conditioning, data.num_classes), extras(rules)
    asked = {**conditioning.head.get("questions", {}), **more.questions}
    head = {**conditioning.head, **terms.head(rules, asked)}
    given = {"resolution": data.resolution, "num_classes": data.num_classes, "dtype": compute_dtype(config)}
    generator = family.Generator(**model.G, **given, image_channels=data.channels)
    discriminator = family.Discriminator(**model.D, **given, head=head)
    z = latents(model.latents, getattr(generator, "latent_dim", generator.dim_z))
    return describe(config, rules, generator, discriminator, z, conditioning, more)


def _family(name: str) -> ModuleType:
    path = name if "." in name else f"gan_jax.networks.{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise
        module = None
    if not (hasattr(module, "Generator") and hasattr(module, "Discriminator")):
        raise ConfigError(
            f"config.model.family is {name!r}, but {path} is no module with a Generator and a Discriminator: expected a "
            "file of gan_jax/networks, such as dcgan, or the dotted path of your own"
        )
    return module
