"""`gan-jax import`: a workdir from published weights, to sample from, to evaluate and to train on."""

import datetime
import hashlib
from collections.abc import Mapping
from typing import Any

import jax
from etils import epath
from ml_collections import ConfigDict

from gan_jax import __version__
from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load
from gan_jax.engine.transfer import born_with
from gan_jax.errors import ConfigError, explained
from gan_jax.report import atomic
from gan_jax.weights import formats
from gan_jax.weights.published import Published, Tensors, fitted


def import_weights(
    name: str, source: epath.Path, workdir: epath.Path, overrides: list[str], truncation: float | None
) -> str:
    """Makes a workdir with a checkpoint at step 0.

    Args:
        name: the format, see `weights.formats`.
        source: a file or folder.
        workdir: a new or empty folder.
        overrides: of the config, such as "model.G.bn_eps=1e-4".
        truncation: of the statistics, for the format biggan-deep.

    Returns:
        Sentences that say what was imported, what the file did not tell, and what to do next.

    Raises:
        ConfigError: the folder is not empty, or an override does not fit.
        UserError: the weights cannot be read, are refused, or are not those of a network that we have.
    """
    with explained(workdir, "cannot be used", "choose another --out", ConfigError):
        if workdir.exists() and any(workdir.iterdir()):
            raise ConfigError(f"{workdir} is not empty: choose another --out")
    published = formats.read(name, source, truncation)
    config, networks, averaged = matched(published, source, overrides)
    recipe, mesh = load(config), sharding.make_mesh(config.mesh)
    target = state.abstract(recipe, mesh, config.mesh.rules)
    current, _ = born_with(recipe, target, config.seed, networks, averaged)

    with explained(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(current, 0)
    if notice := published.notice or _notice(name, source, published):
        atomic.replace(workdir / workdirs.NOTICE, notice.encode())
    workdirs.record(workdir, config)  # last: a folder without it is no workdir
    return "\n".join(
        [
            f"imported {', '.join(_sizes(networks, averaged))} from {source} into {workdir}",
            *published.notes,
            *([f"licence: {published.licence or f'see {workdir / workdirs.NOTICE}'}"] if notice else []),
            f"pictures: gan-jax sample --workdir={workdir} --out=samples.png",
            f"training on: gan-jax train --init={workdir} --workdir=NEW --config.data.source=folder:PATH",
        ]
    )


def matched(
    published: Published, source: epath.Path, overrides: list[str] = ()
) -> tuple[ConfigDict, dict[str, Any], dict[str, Any]]:
    """The config for published weights, and the variables of the networks and of their averages.

    Raises:
        ConfigError: an override does not fit.
        UserError: the tensors are not those of the networks that the config makes.
    """
    config = _config(published, overrides)
    target = jax.eval_shape(lambda: state.init(load(config), 0))
    networks = _fitted(f"{source}: ", published.networks, state.variables(target, averaged=False))
    return config, networks, _fitted(f"{source}: the average of ", published.averaged, target.ema)


def _fitted(where: str, parts: Mapping[str, Tensors], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of the networks that the recipe knows."""
    return {name: fitted(where + name, part, wanted[name]) for name, part in parts.items() if name in wanted}


def _sizes(networks: Mapping[str, Any], averaged: Mapping[str, Any]) -> list[str]:
    """What was imported, in words."""
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(tree["params"])) for name, tree in networks.items()}
    return [f"{name} ({count:,} parameters)" for name, count in counts.items()] + [
        f"the average of {name}" for name in averaged
    ]


def _config(published: Published, overrides: list[str]) -> ConfigDict:
    if isinstance(published.config, str):
        config = configs.load(published.config)
    else:
        config = configs.finish(ConfigDict(published.config))
    with config.unlocked(), config.ignore_type():
        for name, value in published.fields.items():
            *sections, last = name.split(".")
            node = config
            for section in sections:
                node = node[section]
            node[last] = value
    config.unlock()
    return configs.finish(config, overrides)


def _notice(name: str, source: epath.Path, published: Published) -> str:
    """Where the weights come from, and what is known of their terms; "" for our own, which came with no notice."""
    if not published.licence:
        return ""
    hashes = [f"  {path.name}  sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in published.files]
    day = datetime.date.today().isoformat()
    lines = [f"The weights in this folder were imported as {name} from {source} on {day} by gan-jax {__version__}:"]
    return "\n".join([*lines, *hashes, "", *published.notes, "", published.licence, ""])
