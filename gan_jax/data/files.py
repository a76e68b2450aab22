"""Where image files lie: a folder or an archive, read file by file. Nothing is ever unpacked beside the data."""

import abc
import contextlib
import errno
import os
import threading
from collections.abc import Iterator

from etils import epath

from gan_jax.errors import ConfigError, UserError, is_remote

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
LABELS = "dataset.json"  # the file that may give the labels


class Files(abc.ABC):
    """Image files in one place, each read when asked for. Picklable; any thread of any process may read.

    Names are POSIX paths below the place. Hidden entries and "__MACOSX" are passed over.

    Attributes:
        name: the words that name the place, such as "zip:photos.zip".
        names: of the files with one of `SUFFIXES` in any case, sorted.
        folders: of all folders, those without images too, sorted.
    """

    name: str
    names: list[str]
    folders: list[str]

    @abc.abstractmethod
    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: it has vanished or is damaged.
        """

    @abc.abstractmethod
    def size(self, name: str) -> int:
        """Length of the content of a file in bytes.

        Raises:
            OSError: it has vanished.
        """

    def text(self, name: str) -> str | None:
        """The text of a file that is no image, or None if there is no such file.

        Raises:
            UserError: it cannot be read or is not encoded as UTF-8.
        """
        try:
            return self.read(name).decode()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{self.name}: {name} cannot be read as text ({error}): replace or remove it") from error


class Folder(Files):
    """The files below a folder. Links to folders are followed, except to a folder that they lie in.

    Raises:
        ConfigError: there is no such folder.
        UserError: part of it cannot be listed.
    """

    def __init__(self, path: str):
        self.name = f"folder:{path}"
        self._root = str(epath.Path(path).expanduser())
        if not epath.Path(self._root).is_dir():
            raise ConfigError(f"there is no folder {path}: check the path, or use zip: or tar: for an archive")
        try:
            entries = list(_walk_remote(self._root) if "://" in path else _walk(self._root))
        except OSError as error:
            raise UserError(f"{path} cannot be listed ({error}): check its permissions") from error
        self.folders = sorted(name for name, is_folder in entries if is_folder)
        self.names = sorted(name for name, is_folder in entries if not is_folder and is_image(name))

    def read(self, name: str) -> bytes:
        path = epath.Path(os.path.join(self._root, name))
        with _numbered(path):
            return path.read_bytes()

    def size(self, name: str) -> int:
        path = epath.Path(os.path.join(self._root, name))
        with _numbered(path):
            return path.stat().length


class OpenFile:
    """A file read at any place. Every thread of every process that reads opens it for itself, and only then."""

    def __init__(self, path: str):
        self.path = path
        self._here = threading.local()

    def __reduce__(self):
        return OpenFile, (self.path,)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on, or what is left there.

        Raises:
            OSError: the file has vanished or cannot be read.
        """
        with _numbered(self.path):
            if getattr(self._here, "process", None) != os.getpid():  # A forked one would share the place in the file.
                self._here.file, self._here.process = epath.Path(self.path).open("rb"), os.getpid()
            self._here.file.seek(offset)
            return self._here.file.read(size)


def is_image(name: str) -> bool:
    """Whether a file's name says that it is an image."""
    return name.lower().endswith(SUFFIXES)


def is_hidden(part: str) -> bool:
    """Whether a part of a path says that it is none of the data."""
    return part.startswith(".") or part == "__MACOSX"


@contextlib.contextmanager
def _numbered(path: str | os.PathLike) -> Iterator[None]:
    """Gives errors of a bucket's client the number that those of disks have: one without is a damaged image's."""
    try:
        yield
    except Exception as error:
        if not is_remote(path):
            raise
        number = errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EIO
        raise OSError(number, " ".join(f"{type(error).__name__}: {error}".split())[:300], os.fspath(path)) from error


def _walk(root: str, below: str = "", above: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:
    """(name, whether it is a folder) of everything below `root`/`below`, without a system call per file."""
    path = os.path.join(root, below)
    above = (*above, os.path.realpath(path))
    with os.scandir(path) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            name = below + entry.name
            if not entry.is_dir():
                yield name, False
            elif not (entry.is_symlink() and os.path.realpath(entry.path) in above):
                yield name, True
                yield from _walk(root, f"{name}/", above)


def _walk_remote(root: str) -> Iterator[tuple[str, bool]]:
    depth = None
    for path, folders, files in epath.Path(root).walk():
        # The root comes first. Some file systems leave its "gs://" out, so that no path is relative to `root`.
        depth = len(path.parts) if depth is None else depth
        below = path.parts[depth:]
        if not any(map(is_hidden, below)):
            for name, is_folder in [*((name, True) for name in folders), *((name, False) for name in files)]:
                if not is_hidden(name):
                    yield "/".join((*below, name.rstrip("/"))), is_folder
