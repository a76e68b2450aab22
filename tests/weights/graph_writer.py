"""Files as TensorFlow would write a GraphDef, made without it."""

from collections.abc import Mapping

import numpy as np

DTYPES = {"float32": 1, "int32": 3}


def varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(array: np.ndarray, numbers: bytes | None = None) -> bytes:
    """A TensorProto with its content, or with the fields `numbers` instead."""
    array = np.asarray(array)
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    content = field(4, array.tobytes()) if numbers is None else numbers
    return field(1, DTYPES[array.dtype.name]) + field(2, shape) + content


def node(name: str, op: str, attributes: Mapping[str, bytes] = {}) -> bytes:
    """A NodeDef; attributes are AttrValues."""
    entries = (field(5, field(1, key.encode()) + field(2, value)) for key, value in attributes.items())
    return field(1, name.encode()) + field(2, op.encode()) + b"".join(entries)


def constant(name: str, content: bytes, dtype: int = 1) -> bytes:
    """A node of op Const; content is a TensorProto."""
    return node(name, "Const", {"dtype": field(6, dtype), "value": field(8, content)})


def graph(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A GraphDef of constants, with an input before and versions behind."""
    nodes = [node("input", "Placeholder", {"dtype": field(6, 1)})]
    nodes += [constant(name, tensor(array), DTYPES[np.asarray(array).dtype.name]) for name, array in arrays.items()]
    return b"".join(field(1, n) for n in nodes) + field(4, field(1, 21))
