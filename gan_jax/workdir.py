"""The folder of one run: what lies in it, and when a run may take it up again."""

import contextlib
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
from etils import epath
from jax.sharding import Mesh
from ml_collections import ConfigDict

from gan_jax import __version__
from gan_jax import config as configs
from gan_jax.engine import state
from gan_jax.engine.checkpoint import Checkpoints, Restored
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError, explained, is_remote
from gan_jax.report import atomic

NOTICE = "LICENCE-NOTICE.txt"  # on imported weights: where they come from, and their terms
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "ml-collections", "numpy")
_ACCELERATION = ("jax-cuda", "jax-rocm", "libtpu", "nvidia-cublas", "nvidia-cudnn", "nvidia-nccl")  # how names begin
_FLAGS = ("XLA_FLAGS", "LIBTPU_INIT_ARGS")


def check(workdir: epath.Path, config: ConfigDict, accept_changes: bool = False) -> None:
    """Checks that a run with this config may take up the folder; changes nothing.

    Raises:
        ConfigError: another run's config lies there (every differing field is named), or something else.
    """
    with explained(workdir, "cannot be used", "choose another --workdir", ConfigError):
        if (workdir / "config.json").exists():
            differing = configs.changes(configs.read(workdir), config)
            if differing and not accept_changes:
                raise ConfigError(
                    f"{workdir} holds a run with another config: {'; '.join(differing)}. Choose another --workdir, or "
                    "go on all the same with --accept-changes"
                )
        elif workdir.exists() and any(workdir.iterdir()):
            raise ConfigError(f"{workdir} is not empty and holds no run of gan-jax: choose another --workdir")
        elif is_remote(workdir) and not (bucket := epath.Path(*workdir.parts[:3])).exists():
            raise ConfigError(f"--workdir={workdir}: there is no bucket {bucket}: make it, or choose another --workdir")


def record(workdir: epath.Path, config: ConfigDict) -> None:
    """Writes config.json and environment.json, making the folder where it is missing.

    Raises:
        UserError: the folder cannot be written.
    """
    atomic.replace(workdir / "config.json", configs.to_json(config).encode())
    atomic.replace(workdir / "environment.json", (json.dumps(environment(), indent=2) + "\n").encode())


def latest(workdir: epath.Path) -> int | None:
    """Step of the newest checkpoint, None where there is none; imported weights are at step 0."""
    with Checkpoints(workdir, read_only=True) as checkpoints:
        return checkpoints.latest()


def restore(workdir: epath.Path, target: state.State) -> state.State:
    """The newest training state that is whole, in the shardings of the abstract `target`; changes nothing.

    Raises:
        ConfigError: there is no checkpoint.
        UserError: it does not fit, or all are damaged.
    """
    with Checkpoints(workdir, read_only=True) as checkpoints:
        found = checkpoints.newest(target)
    if found is None:
        raise ConfigError(f"{workdir} has no checkpoint yet: train it first with gan-jax train --workdir={workdir}")
    for trouble in found.damaged.values():
        _tell(f"{trouble}; step {found.step} is used instead")
    _tell_unverified(found)
    return found.state


def resume(workdir: epath.Path, target: state.State) -> tuple[state.State, int] | None:
    """The state from which training goes on, as `restore` gives it, and its step; None where there is no checkpoint.

    Newer steps that are damaged are renamed, and never removed; this happens only when an older one was read, so that a
    place that is merely out of reach loses nothing. Several processes call this together and go on from one step.

    Raises:
        UserError: it does not fit, all are damaged, or a damaged one cannot be renamed.
    """
    with Checkpoints(workdir, read_only=True) as checkpoints:
        found = checkpoints.newest(target)
        if found is None:
            return None
        for step, trouble in found.damaged.items():
            place = checkpoints.set_aside(step)
            _tell(f"{trouble}: it is now {place}, and training goes on from step {found.step}")
    _tell_unverified(found)
    return found.state, found.step


def _tell_unverified(found: Restored) -> None:
    if not found.verified:
        _tell(f"the checkpoint of step {found.step} is from an older version, without checksums: it cannot be verified")


def _tell(text: str) -> None:
    if jax.process_index() == 0:
        print(text, file=sys.stderr, flush=True)


def networks(workdir: epath.Path, mesh: Mesh) -> tuple[dict[str, Any], dict[str, Any]]:
    """Variables and moving averages of a workdir's newest checkpoint: `{network: {"params": ..., collection: ...}}` each.

    Raises:
        ConfigError: the folder is no workdir, or has no checkpoint.
        UserError: the checkpoint is damaged.
    """
    config = configs.read(workdir)
    current = restore(workdir, state.abstract(load(config), mesh, config.mesh.rules))
    return state.variables(current, averaged=False), current.ema


def notice(workdir: epath.Path) -> str:
    """The licence notice of imported weights, "" where there is none."""
    with explained(workdir, "cannot be read", "see that it is there and may be read"):
        return (workdir / NOTICE).read_text() if (workdir / NOTICE).exists() else ""


def environment() -> dict:
    """Versions, devices, flags of the compiler and the git commit: what a result depends on beside its config."""
    device = jax.devices()[0]
    installed = {package.name.lower().replace("_", "-"): package.version for package in metadata.distributions()}
    return {
        "gan_jax": __version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {
            name: installed[name] for name in sorted(installed) if name in _PACKAGES or name.startswith(_ACCELERATION)
        },
        "driver": _driver() if device.platform == "gpu" else None,
        "flags": {name: os.environ[name] for name in _FLAGS if name in os.environ},
        "device": device.device_kind,
        "backend": device.platform,
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _git_commit() -> str | None:
    """Of the checkout that the package lies in, with "-dirty" where files differ; None where it is installed elsewhere."""
    git = ("git", "-C", str(Path(__file__).parent))
    if _output(*git, "ls-files", "--error-unmatch", Path(__file__).name) is None:  # also in .venv of another checkout
        return None
    return _output(*git, "describe", "--always", "--dirty", "--abbrev=12")


def _driver() -> str | None:
    """Version of NVIDIA's."""
    versions = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return versions.partition("\n")[0] if versions else None


def _processor() -> str:
    """What the machine calls its processor; Linux tells in a file only."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _output(*command: str) -> str | None:
    """What a command prints, None where it fails or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
