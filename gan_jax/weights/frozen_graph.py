"""Reads the constants of a TensorFlow GraphDef, without TensorFlow and without running anything.

A GraphDef is a protocol buffer: a row of fields, each a key (number and wire type) and a value; a value may be a
message, that is such a row again. Of the graph only its nodes are read, of the nodes only constants of float32.
Source: tensorflow/core/framework, graph.proto, node_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto.
"""

from collections.abc import Iterator

import numpy as np
from etils import epath

from gan_jax.weights import torch_file

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
_FLOAT32 = 1  # of DataType

Value = int | memoryview


def read(path: epath.Path) -> dict[str, np.ndarray]:
    """`{name of the node: float32 array}` of all float32 constants of a GraphDef in its binary form.

    Raises:
        UserError: the file cannot be read, is damaged, cut off or something else.
    """
    with torch_file.reading(path):
        return constants(path.read_bytes())


def constants(content: bytes) -> dict[str, np.ndarray]:
    """The same of a file's content; raises ValueError where that is no GraphDef."""
    found = {}
    for node in _all(memoryview(content), 1):
        if _text(node, 2) == "Const":
            values = {_text(entry, 1): entry for entry in _all(node, 5)}
            tensor = _last(_last(values.get("value"), 2), 8)
            if tensor is not None and _last(tensor, 1) == _FLOAT32:
                found[_text(node, 1)] = _array(tensor)
    if not found:
        raise ValueError("it holds no float32 constants")
    return found


def _array(tensor):
    """A TensorProto: its numbers as bytes, or as a list, of which a single one counts for all."""
    shape = tuple(_size(dimension) for dimension in _all(_last(tensor, 2), 2))
    content = _last(tensor, 4)
    if content is not None:
        return np.frombuffer(content, "<f4").reshape(shape)
    numbers = np.frombuffer(b"".join(_all(tensor, 5)), "<f4")
    return np.broadcast_to(numbers[0], shape) if numbers.size == 1 else numbers.reshape(shape)


def _size(dimension):
    size = _last(dimension, 1) or 0
    if not isinstance(size, int) or size >= 2**63:
        raise ValueError("a tensor's shape is unknown")
    return size


def _text(message, number):
    value = _last(message, number)
    return "" if value is None else value.tobytes().decode()


def _last(message, number):
    """The value of a field that occurs once, by the rules the last one counts; None where it is missing."""
    return ([None] if message is None else [None, *_all(message, number)])[-1]


def _all(message, number) -> Iterator[Value]:
    """The values of all fields of a number in a message, in order."""
    place = 0
    while message is not None and place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
        elif kind in (_BYTES, _FIXED64, _FIXED32):
            size, place = _varint(message, place) if kind == _BYTES else (_WIDTHS[kind], place)
            value, place = message[place : place + size], place + size
            if place > len(message):
                raise ValueError("a field is cut off")
        else:
            raise ValueError(f"a field has wire type {kind}")
        if key >> 3 == number:
            yield value


def _varint(message, place):
    """A whole number in groups of seven bits, the lowest first: it, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError("a number is cut off")
        byte, place = message[place], place + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number does not end")
