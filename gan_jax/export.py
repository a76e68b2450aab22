"""`gan-jax export`: the networks of a workdir as safetensors, with their config as JSON beside it."""

import json

import jax
from etils import epath

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding
from gan_jax.errors import ConfigError
from gan_jax.report import atomic
from gan_jax.weights import exported


def export(workdir: epath.Path, out: epath.Path) -> str:
    """Writes all networks and moving averages of the newest checkpoint to FILE.safetensors, and FILE.json.

    Returns:
        A sentence that says what was written.

    Raises:
        ConfigError: there is no checkpoint, or `out` has another name.
        UserError: a file cannot be written.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out is {out}: expected FILE.safetensors")
    config = configs.read(workdir)
    networks, averaged = jax.device_get(workdirs.networks(workdir, sharding.make_mesh(config.mesh)))
    content, about = exported.pack(json.loads(configs.to_json(config)), networks, averaged, workdirs.notice(workdir))
    atomic.replace(out, content)
    beside = atomic.replace(out.with_suffix(".json"), (json.dumps(about, indent=2) + "\n").encode())
    return f"{', '.join(networks)} in {out} ({len(content):,} bytes), their config in {beside}"
