"""Files of a preparation that are there whole or not at all, on disk or in a bucket (gs://BUCKET/...)."""

import contextlib
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from etils import epath

from gan_jax.errors import is_remote

Place = Path | epath.Path  # of the two, what lies in a bucket is an epath.Path


@contextlib.contextmanager
def partial(path: Place) -> Iterator[Path]:
    """The local file in which the content of `path` may grow until `put` moves it there; gone after the block.

    It lies beside its place, and among the temporary files (TMPDIR) if that is in a bucket.
    """
    if is_remote(path):
        with tempfile.TemporaryDirectory(prefix="gan_jax-") as folder:
            yield Path(folder) / path.name
        return
    local = path.with_name(f"{path.name}.{platform.node()}.{os.getpid()}.partial")
    try:
        yield local
    finally:
        local.unlink(missing_ok=True)


def put(local: Path, path: Place) -> None:
    """Gives a finished local file its place, where processes of several hosts may put it at once.

    On disk it is renamed, of which a crash leaves the new file or what was there before. An object in a bucket appears
    when its last byte has arrived.
    """
    if is_remote(path):
        epath.Path(local).copy(path, overwrite=True)
        return
    _sync(local)
    local.replace(path)
    _sync(path.parent)


def put_json(path: Place, content: dict) -> None:
    """Writes JSON."""
    with partial(path) as local:
        local.write_text(json.dumps(content))
        put(local, path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
