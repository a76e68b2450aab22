"""The folder of one run: what lies in it, and when a run may take it up again."""

import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from gan_jax import __version__
from gan_jax import config as configs
from gan_jax.engine import state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import Recipe
from gan_jax.errors import ConfigError
from gan_jax.report import atomic

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "ml-collections", "numpy")


def take_up(workdir: Path, config: ConfigDict, accept_changes: bool = False) -> None:
    """Makes the folder, or checks that the run in it is this one; writes config.json and environment.json.

    Raises:
        ConfigError: another run's config lies there (every differing field is named); nothing is changed then.
        UserError: the folder cannot be written.
    """
    if (workdir / "config.json").exists():
        differing = configs.changes(configs.read(workdir), config)
        if differing and not accept_changes:
            raise ConfigError(
                f"{workdir} holds a run with another config: {'; '.join(differing)}. Choose another --workdir, or go on "
                "all the same with --accept-changes"
            )
    elif workdir.exists() and any(workdir.iterdir()):
        raise ConfigError(f"{workdir} is not empty and holds no run of gan-jax: choose another --workdir")
    atomic.replace(workdir / "config.json", configs.to_json(config).encode())
    atomic.replace(workdir / "environment.json", (json.dumps(environment(), indent=2) + "\n").encode())


def restore(workdir: Path, config: ConfigDict, recipe: Recipe, mesh: Mesh) -> state.State:
    """The newest training state of a workdir, for those who sample and evaluate.

    Raises:
        ConfigError: there is no checkpoint.
    """
    with Checkpoints(workdir) as checkpoints:
        step = checkpoints.latest()
        if step is None:
            raise ConfigError(f"{workdir} has no checkpoint yet: train it first with gan-jax train --workdir={workdir}")
        return checkpoints.restore(state.abstract(recipe, mesh, config.mesh.rules), step)


def environment() -> dict:
    """Versions, devices and the git commit: what a result depends on beside its config."""
    device = jax.devices()[0]
    return {
        "gan_jax": __version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "device": device.device_kind,
        "backend": device.platform,
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
