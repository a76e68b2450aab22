"""Files of a run, on disk or in a bucket (gs://BUCKET/...): whole or not there, so that no reader meets half of one.

Buckets are reached by etils.epath through gcsfs, which brings google-cloud-storage, of which orbax asks the bucket's kind.
"""

import contextlib
import os
import time

from etils import epath

from gan_jax.errors import explained, is_remote

SECONDS = 30.0  # between two uploads of a file that grows


def replace(path: str | os.PathLike, content: bytes) -> epath.Path:
    """Writes `content` to `path`, making missing folders, and returns the path.

    On disk through a temporary file beside it; an object in a bucket appears whole by itself.

    Raises:
        UserError: the file cannot be written.
    """
    path = epath.Path(path)
    with explained(path):
        if is_remote(path):
            path.write_bytes(content)
            return path
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise
    return path


class GrowingFile:
    """A text file to which lines are added.

    On disk they are appended at once. A bucket cannot append: there the text is kept in memory and written anew, at
    most every `SECONDS` and by `flush`, which must come before a checkpoint that these lines belong to.
    """

    def __init__(self, path: str | os.PathLike):
        self._path = epath.Path(path)
        self._text: str | None = None
        self._uploaded, self._changed = float("-inf"), False

    def add(self, text: str) -> None:
        """Adds whole lines.

        Raises:
            UserError: the file cannot be written.
        """
        if not is_remote(self._path):
            with explained(self._path, help="free space and resume"):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a") as file:
                    file.write(text)
            return
        if self._text is None:
            with explained(self._path, "cannot be read"):
                self._text = self._path.read_text() if self._path.exists() else ""
        self._text, self._changed = self._text + text, True
        if time.monotonic() - self._uploaded >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Uploads what was added.

        Raises:
            UserError: the file cannot be written.
        """
        if self._changed:
            replace(self._path, self._text.encode())
            self._uploaded, self._changed = time.monotonic(), False
