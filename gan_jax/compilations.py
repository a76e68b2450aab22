"""Compiled programs kept between runs: JAX's persistent cache, where its folder can be used.

The name of an entry is made of the program, the versions of jaxlib and the backend, the compiler's flags and the
devices, so any number of runs may share a folder. Of several processes that train as one only the first writes. JAX
takes an entry that cannot be read for none, says so and compiles; it never repairs one, such as a full disk leaves.
"""

import sys
import tempfile
from pathlib import Path

import jax
from etils import epath

from gan_jax.errors import is_remote

_PROBE = bytes(64 * 1024)


def keep(folder: str) -> None:
    """Lets XLA keep compiled programs in a folder, so that a second start of the same run is quick; "" for not.

    The folder is made where it is missing. Where it cannot be written, a line says so and all is compiled: JAX itself
    would say more, and XLA for GPUs keeps a cache of its own beside it.
    """
    if not folder:
        return
    try:
        place = _usable(folder)
    except (OSError, RuntimeError) as error:  # the latter where there is no home
        print(f"config.train.compilation_cache: {folder} cannot be used ({error}): nothing is kept", file=sys.stderr)
        return
    jax.config.update("jax_compilation_cache_dir", place)


def _usable(folder: str) -> str:
    """The absolute path of a folder that can be written; in a bucket nothing is tried."""
    if is_remote(remote := epath.Path(folder)):
        return str(remote)
    place = Path(folder).expanduser().resolve()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=place) as file:
        file.write(_PROBE)
        file.flush()
    return str(place)
