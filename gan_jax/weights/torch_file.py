"""Reads what torch.save wrote, in its zip format and in the one before, without PyTorch and without running anything.

A zip holds `PREFIX/data.pkl`, a pickle in which persistent ids stand for storages, and every storage as
`PREFIX/data/KEY`. The older format is a row of pickles (a magic number, the version of the format, facts about the
machine, the object, the keys of the storages), then every storage behind its length. A tensor is a view of a storage
by offset, shape and strides, all of which are checked before anything is looked at.
"""

import contextlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np
from etils import epath

from gan_jax.errors import UserError, explained
from gan_jax.weights import pickles
from gan_jax.weights.pickles import Name, Refused

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {
    "Double": np.float64,
    "Float": np.float32,
    "Half": np.float16,
    "BFloat16": ml_dtypes.bfloat16,
    "Long": np.int64,
    "Int": np.int32,
    "Short": np.int16,
    "Char": np.int8,
    "Byte": np.uint8,
    "Bool": np.bool_,
}
_STORAGES = {f"torch.{kind}Storage": np.dtype(dtype).newbyteorder("<") for kind, dtype in _DTYPES.items()}


def read(path: epath.Path) -> Any:
    """What was saved: Python values, and numpy arrays for tensors and parameters; see `pickles.load`.

    Raises:
        UserError: the file cannot be read, is damaged, or holds what weights have no need of.
    """
    with reading(path), path.open("rb") as file:
        return parse(file)


@contextlib.contextmanager
def reading(path: os.PathLike) -> Iterator[None]:
    """Makes one sentence of whatever goes wrong while a file of weights is read in the block.

    Raises:
        UserError: always instead of another exception.
    """
    with explained(path, "cannot be read", "see that it is there and may be read"):
        try:
            yield
        except Refused as error:
            raise UserError(f"{path} is refused, and nothing of it was run: {error}") from error
        except (OSError, UserError):
            raise
        except Exception as error:  # damage shows itself in many ways
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UserError(f"{path} is damaged, cut off or no file of weights ({reason}): get it again") from error


def parse(file: BinaryIO) -> Any:
    """What torch.save wrote into an open file; errors as of `pickles.load`."""
    start = file.read(4)
    file.seek(0)
    return _parse_zip(file) if start == b"PK\3\4" else _parse_legacy(file)


def _parse_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
            raise Refused("it is a compressed zip, which torch.save never writes")
        if sum(info.file_size for info in infos.values()) > size(file):
            raise ValueError("its parts are larger than the whole")
        (prefix,) = [
            name.removesuffix("data.pkl") for name in infos if name.count("/") == 1 and name.endswith("/data.pkl")
        ]
        if (order := f"{prefix}byteorder") in infos and archive.read(order) != b"little":
            raise Refused("its numbers are big-endian: save it again on a common machine")
        storages: dict[str, np.ndarray] = {}

        def storage(identity):
            key, dtype, count, _ = _described(identity)
            if key not in storages:
                storages[key] = np.frombuffer(archive.read(f"{prefix}data/{key}"), np.uint8)
            if storages[key].size != count * dtype.itemsize:
                raise ValueError(f"storage {key} has {storages[key].size} bytes, not {count * dtype.itemsize}")
            return storages[key].view(dtype)

        return pickles.load(io.BytesIO(archive.read(f"{prefix}data.pkl")), NAMES, storage)


def _parse_legacy(file: BinaryIO) -> Any:
    if pickles.load(file, {}) != _MAGIC:
        raise ValueError("the magic number of torch.save is missing")
    if (version := pickles.load(file, {})) != _VERSION:
        raise Refused(f"it has version {version} of the older format of torch.save, not {_VERSION}")
    if pickles.load(file, {})["little_endian"] is not True:
        raise Refused("its numbers are big-endian: save it again on a common machine")
    storages: dict[str, np.ndarray] = {}
    left = size(file)

    def storage(identity):
        nonlocal left
        if identity[0] == "module":  # a class, whose source code comes with it
            return identity[1]
        key, dtype, count, view = _described(identity)
        if view is not None:
            raise Refused("it holds views of storages, as torch before 0.4 wrote them: save it again with a newer one")
        if key not in storages:
            left -= count * dtype.itemsize
            if left < 0:
                raise ValueError("its storages are larger than the file")
            storages[key] = np.empty(count, dtype)
        if (storages[key].size, storages[key].dtype) != (count, dtype):
            raise ValueError(f"storage {key} is described in two ways")
        return storages[key]

    value = pickles.load(file, NAMES, storage)
    for key in pickles.load(file, {}):
        target = storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        if count != target.size or file.readinto(target.view(np.uint8)) != target.nbytes:
            raise ValueError(f"storage {key} is cut off")
        del storages[key]
    if storages:
        raise ValueError(f"{len(storages)} storages are missing")
    return value


def size(file: BinaryIO) -> int:
    here, end = file.tell(), file.seek(0, os.SEEK_END)
    file.seek(here)
    return end


def _described(identity: Any) -> tuple[str, np.dtype, int, Any]:
    """The key, dtype, number of elements and view of a storage, by its persistent id."""
    what, kind, key, _, count, *view = identity
    if what != "storage" or not isinstance(kind, Name) or kind.name not in _STORAGES:
        raise Refused(f"it refers to a {getattr(kind, 'name', kind)!r:.100} instead of a storage")
    if type(count) is not int or count < 0 or not isinstance(key, str):
        raise ValueError(f"storage {key!r:.100} has {count!r:.100} elements")
    return key, _STORAGES[kind.name], count, (view or [None])[0]


def _tensor(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *_) -> np.ndarray:
    """A view of a storage."""
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, np.ndarray) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError(f"a tensor of shape {shape!r:.100} and strides {strides!r:.100}")
    count, last = 1, offset
    for size, stride in zip(shape, strides, strict=True):
        count, last = count * size, last + (size - 1) * stride
    if count and (last >= storage.size or count > storage.size):
        raise ValueError(f"a tensor of shape {shape} does not fit its storage of {storage.size}")
    if not count:
        return np.empty(shape, storage.dtype)
    bytes_apart = tuple(stride * storage.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, bytes_apart, writeable=False)


def _parameter(data: np.ndarray, *_) -> np.ndarray:
    return data


NAMES: dict[str, pickles.StandIn] = {
    **pickles.instances(*_STORAGES, "torch.Size", "torch.device", "torch.nn.modules.activation.ReLU"),
    **pickles.instances(*(f"torch.{np.dtype(dtype).name}" for dtype in _DTYPES.values())),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}
