"""Files that appear whole or not at all, so that a reader or a crash never meets half of one."""

import contextlib
import os
from pathlib import Path

from gan_jax.errors import UserError


def replace(path: str | os.PathLike, content: bytes) -> Path:
    """Writes `content` to `path` through a temporary file beside it, making missing folders; returns the path.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise UserError(f"{path} cannot be written: {error.strerror}; free the place or choose another") from error
    return path
