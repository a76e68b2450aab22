"""Image files inside zip and tar archives, read in place.

Archives come from strangers: links, paths that lead outside, and contents that expand without bound are refused.
"""

import abc
import bisect
import importlib
import lzma
import os
import posixpath
import shutil
import stat
import struct
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from etils import epath

from gan_jax.data.files import LABELS, Files, OpenFile, is_hidden, is_image
from gan_jax.errors import ConfigError, UserError

# An archive may hold at most this many times its own size; deflate reaches 1032, images less than 100.
EXPANSION = 1000
MEMBER_BYTES = 2**31
# Left free on the disk that a compressed tar archive is unpacked to.
SPARE_BYTES = 2**30

_CHUNK = 2**20
_COMPRESSIONS = {  # first bytes of a file -> module that opens it
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "lzma",
    b"\x28\xb5\x2f\xfd": "compression.zstd",
}


class _Archive(Files):
    """Files of an archive that lists, for each of its members, a row of numbers that tells where the content lies.

    Raises:
        ConfigError: there is no such file.
        UserError: it is no such archive, is damaged, or holds what is refused.
    """

    word: str
    damage: tuple[type[Exception], ...]

    def __init__(self, path: str):
        self.name = f"{self.word}:{path}"
        self._path = str(epath.Path(path).expanduser())
        if not epath.Path(self._path).is_file():
            raise ConfigError(f"there is no file {path}: check the path, or use folder: for a folder")
        rows, folders = {}, set()
        try:
            self._file = OpenFile(self._plain())
            for member, is_folder, row in self._list():
                name = self._checked(member)
                if any(map(is_hidden, name.split("/"))):
                    continue
                folder = name if is_folder else posixpath.dirname(name)
                while folder and folder not in folders:
                    folders.add(folder)
                    folder = posixpath.dirname(folder)
                if not is_folder and (is_image(name) or posixpath.basename(name) == LABELS):
                    rows[name] = row
        except self.damage as error:
            raise self._refused(f"is damaged or no {self.word} archive ({error}); fetch it again") from error
        self.folders = sorted(folders)
        # Numbers in one table take a tenth of the memory of tuples; a set may have millions of images.
        self._members = sorted(rows)
        self._table = np.array([rows[name] for name in self._members], np.int64)
        self.names = [name for name in self._members if is_image(name)]

    def _plain(self) -> str:
        """Path of the file in which the members lie as they are."""
        return self._path

    @abc.abstractmethod
    def _list(self) -> Iterator[tuple[str, bool, tuple[int, ...]]]:
        """(name, whether it is a folder, row) of every member."""

    def _row(self, name: str) -> list[int]:
        index = bisect.bisect_left(self._members, name)
        if index == len(self._members) or self._members[index] != name:
            raise FileNotFoundError(f"there is no {name} in {self._path}")
        return self._table[index].tolist()

    def _checked(self, member: str) -> str:
        parts = member.split("/")
        if member.startswith("/") or ".." in parts:
            raise self._refused(f"holds {member!r}, a path that leads out of the archive; pack it again without")
        return "/".join(part for part in parts if part not in ("", "."))

    def _refused(self, what: str) -> UserError:
        return UserError(f"{self._path} {what}")


class Zip(_Archive):
    """The files in a zip archive; members may be stored or deflated."""

    word = "zip"
    damage = (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError)

    def read(self, name: str) -> bytes:
        """As `Files.read`; never unpacks more than the size that the archive's list gives."""
        header, packed, size, deflated, checksum = self._row(name)
        # The local header repeats the name and may have other extra fields than the list at the archive's end.
        start = self._file.read(header, 30)
        if len(start) < 30 or start[:4] != b"PK\3\4":
            raise OSError(f"{self._path} has changed or is damaged at byte {header}")
        content = self._file.read(header + 30 + sum(struct.unpack("<HH", start[26:])), packed)
        if deflated:
            try:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
            except zlib.error as error:
                raise OSError(f"its content in {self._path} is damaged ({error})") from error
        if len(content) != size or zlib.crc32(content) != checksum:
            raise OSError(f"its content in {self._path} is damaged (its length or checksum is wrong)")
        return content

    def size(self, name: str) -> int:
        return self._row(name)[2]

    def _list(self) -> Iterator[tuple[str, bool, tuple[int, ...]]]:
        with epath.Path(self._path).open("rb") as file, zipfile.ZipFile(file) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.header_offset)
            ends = [*(member.header_offset for member in members[1:]), archive.start_dir]
        if members and members[0].header_offset < 0:
            raise zipfile.BadZipFile("its list points before its beginning")
        for member, end in zip(members, ends, strict=True):
            if member.header_offset + 30 + len(member.orig_filename) + member.compress_size > end:
                raise self._refused(f"holds {member.filename!r}, which overlaps what follows it; pack it again")
            self._check(member)
            deflated = member.compress_type == zipfile.ZIP_DEFLATED
            row = (member.header_offset, member.compress_size, member.file_size, deflated, member.CRC)
            yield member.filename.replace("\\", "/"), member.filename.endswith("/"), row

    def _check(self, member: zipfile.ZipInfo) -> None:
        if stat.S_ISLNK(member.external_attr >> 16):
            raise self._refused(f"holds {member.filename!r}, a link; pack it again with the files themselves")
        if member.flag_bits & 0x1:
            raise self._refused(f"holds {member.filename!r}, which is encrypted; pack it again without a password")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._refused(
                f"holds {member.filename!r}, compressed by method {member.compress_type}: "
                "expected stored (0) or deflated (8) members; pack it again"
            )
        if member.file_size > min(MEMBER_BYTES, EXPANSION * max(1, member.compress_size)):
            raise self._refused(
                f"holds {member.filename!r}, which expands from {member.compress_size} to {member.file_size} bytes: "
                f"expected at most {EXPANSION} times as many and {MEMBER_BYTES}; remove it"
            )


class Tar(_Archive):
    """The files in a tar archive. A compressed one is first unpacked to a tar file that lives as long as this object.

    Args:
        staging: existing folder for the unpacked tar file; by default the system's for temporary files.
    """

    word = "tar"
    damage = (tarfile.TarError, OSError, ValueError, EOFError, zlib.error, lzma.LZMAError)

    def __init__(self, path: str, staging: str | None = None):
        self._staging = staging
        super().__init__(path)

    def read(self, name: str) -> bytes:
        offset, size = self._row(name)
        content = self._file.read(offset, size)
        if len(content) != size:
            raise OSError(f"{self._path} has become shorter")
        return content

    def size(self, name: str) -> int:
        return self._row(name)[1]

    def _list(self) -> Iterator[tuple[str, bool, tuple[int, ...]]]:
        with epath.Path(self._file.path).open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            while member := archive.next():
                archive.members.clear()  # It keeps all of them otherwise, a kilobyte each.
                if not member.isdir() and (not member.isreg() or member.issparse()):
                    raise self._refused(f"holds {member.name!r}, a link or special file; pack it again without")
                if member.size > MEMBER_BYTES:
                    raise self._refused(f"holds {member.name!r} of {member.size} bytes, more than {MEMBER_BYTES}")
                yield member.name, member.isdir(), (member.offset_data, member.size)
            if any(self._file.read(archive.offset, 512)):  # tarfile takes a damaged header for the end.
                raise tarfile.ReadError(f"what lies at byte {archive.offset} is no header")

    def _plain(self) -> str:
        with epath.Path(self._path).open("rb") as file:
            start = file.read(6)
            module = next((module for magic, module in _COMPRESSIONS.items() if start.startswith(magic)), None)
            if module is None:
                return self._path
            file.seek(0)
            try:
                unpacker = importlib.import_module(module)
            except ModuleNotFoundError as error:
                raise self._refused(
                    f"is compressed in a way that this Python cannot read (no module {module}); unpack it to a .tar file"
                ) from error
            staging = self._staging or tempfile.gettempdir()
            descriptor, plain = tempfile.mkstemp(".tar", "gan_jax-", staging)
            weakref.finalize(self, _remove, plain, os.getpid())
            limit = EXPANSION * epath.Path(self._path).stat().length
            free = shutil.disk_usage(staging).free - SPARE_BYTES
            with open(descriptor, "wb") as out, unpacker.open(file) as content:
                while chunk := content.read(_CHUNK):
                    if out.tell() + len(chunk) > limit:
                        raise self._refused(f"expands to more than {EXPANSION} times its size; unpack and check it")
                    if out.tell() + len(chunk) > free:
                        raise self._refused(
                            f"does not fit unpacked into {staging} ({free} bytes); free some space there"
                        )
                    out.write(chunk)
        return plain


def _remove(path: str, process: int) -> None:
    """Deletes the temporary file in the process that made it, not in those that were forked from it."""
    if os.getpid() == process and os.path.exists(path):
        os.unlink(path)
