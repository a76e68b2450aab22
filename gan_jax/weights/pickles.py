"""Reads pickles without running anything that they say.

A pickle is a program: Python's own reader imports and calls whatever the file names. This one knows the few
instructions that data need, imports nothing, and calls only the functions that its caller hands it for exact names;
any other name or instruction is refused. All that a file can bring about is a tree of plain Python values and of
what those functions return.
"""

import dataclasses
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT, _GET = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")
_IGNORED = ("PROTO", "FRAME")
_KEYS = (str, int, float, bytes, type(None))

StandIn = Callable[..., Any]


class Refused(ValueError):
    """A file holds what weights have no need of; the message is a clause such as "it names 'os.system', ..."."""


@dataclasses.dataclass(frozen=True)
class Name:
    """A function or class that a pickle names, and what stands in for it; it is never imported."""

    name: str
    stand_in: StandIn


@dataclasses.dataclass
class Instance:
    """An object as a pickle describes it: the name of its class, how it was made, and its state."""

    class_name: str
    arguments: tuple = ()
    state: Any = None


def instances(*class_names: str) -> dict[str, StandIn]:
    """Stand-ins for classes and functions that only describe what the file makes of them."""
    return {name: lambda *arguments, name=name: Instance(name, arguments) for name in class_names}


def load(file: BinaryIO, names: Mapping[str, StandIn], persistent: Callable[[Any], Any] | None = None) -> Any:
    """The value of one pickle, read from where the file stands up to where the pickle ends.

    Args:
        names: stand-ins by "module.name", beside those of `PLAIN`. They get the arguments of a call.
        persistent: what persistent ids mean; None where there are none.

    Raises:
        Refused: the pickle names something else, or uses an instruction that data do not need.
        ValueError, IndexError, KeyError, TypeError: it is damaged.
    """
    return _Machine(PLAIN | dict(names), persistent).run(file)


class _Machine:
    """The stack machine that a pickle is written for, less whatever data do not need."""

    def __init__(self, names, persistent):
        self._names, self._persistent = names, persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        stack = self._stack
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name in _LITERALS:
                stack.append(argument)
            elif name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            elif name in _EMPTY:
                stack.append(_EMPTY[name]())
            elif name in _TUPLES:
                stack.append(tuple(self._pop(_TUPLES[name])))
            elif name in _PUT:
                self._memo[argument] = stack[-1]
            elif name in _GET:
                stack.append(self._memo[argument])
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            elif name == "STOP":
                (value,) = stack
                return value
            elif name not in _IGNORED:
                raise Refused(f"it uses the pickle instruction {name}, which weights have no need of")
        raise ValueError("it does not end")

    def _pop(self, count: int) -> list[Any]:
        values = self._stack[-count:]
        if len(values) < count:
            raise ValueError("an instruction finds too few values")
        del self._stack[-count:]
        return values

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise Refused(f"it treats a {type(self._stack[-1]).__name__} as a {kind.__name__}")
        return self._stack[-1]

    def _mark(self, _):
        self._marks.append(len(self._stack))

    def _discard(self, _):
        self._pop(1)

    def _discard_to_mark(self, _):
        self._pop_to_mark()

    def _memoize(self, _):
        self._memo[len(self._memo)] = self._stack[-1]

    def _list(self, _):
        self._stack.append(self._pop_to_mark())

    def _tuple(self, _):
        self._stack.append(tuple(self._pop_to_mark()))

    def _dict(self, _):
        self._stack.append(_pairs(self._pop_to_mark()))

    def _frozenset(self, _):
        self._stack.append(frozenset(map(_key, self._pop_to_mark())))

    def _append(self, _):
        values = self._pop(1)
        self._top(list).extend(values)

    def _extend(self, _):
        values = self._pop_to_mark()
        self._top(list).extend(values)

    def _add(self, _):
        values = self._pop_to_mark()
        self._top(set).update(map(_key, values))

    def _set_item(self, _):
        values = self._pop(2)
        self._top(dict).update(_pairs(values))

    def _set_items(self, _):
        values = self._pop_to_mark()
        self._top(dict).update(_pairs(values))

    def _global(self, argument: str) -> None:
        self._look_up(argument.replace(" ", ".", 1))

    def _stack_global(self, _):
        self._look_up("{}.{}".format(*self._pop(2)))

    def _look_up(self, name: str) -> None:
        if name not in self._names:
            raise Refused(f"it names {name[:100]!r}, which weights have no need of")
        self._stack.append(Name(name, self._names[name]))

    def _call(self, _):
        function, arguments = self._pop(2)
        if not (isinstance(function, Name) and isinstance(arguments, tuple)):
            raise Refused(f"it calls a {type(function).__name__}")
        self._stack.append(function.stand_in(*arguments))

    def _set_state(self, _):
        (state,) = self._pop(1)
        if not isinstance(self._stack[-1], dict):  # a dict's are beside its items, such as a state_dict's versions
            self._top(Instance).state = state

    def _refer(self, argument: Any) -> None:
        identity = self._pop(1)[0] if argument is None else argument
        if self._persistent is None:
            raise Refused("it refers to data outside of it")
        self._stack.append(self._persistent(identity))


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine._mark,
    "POP": _Machine._discard,
    "POP_MARK": _Machine._discard_to_mark,
    "MEMOIZE": _Machine._memoize,
    "LIST": _Machine._list,
    "TUPLE": _Machine._tuple,
    "DICT": _Machine._dict,
    "FROZENSET": _Machine._frozenset,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._extend,
    "ADDITEMS": _Machine._add,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._call,
    "NEWOBJ": _Machine._call,
    "BUILD": _Machine._set_state,
    "PERSID": _Machine._refer,
    "BINPERSID": _Machine._refer,
}


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return {_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _key(value: Any) -> Any:
    """A key of a dict or an element of a set: of a kind whose hash is Python's own and does not recurse."""
    if not isinstance(value, _KEYS):
        raise Refused(f"it uses a {type(value).__name__} as a key")
    return value


def _ordered_dict(pairs=()):
    return {_key(key): value for key, value in pairs}


def _set(values=()):
    return set(map(_key, values))


def _bytes(text="", encoding="latin1"):
    if encoding != "latin1":
        raise Refused(f"it encodes text as {encoding!r}")
    return text.encode("latin1")


def _scalar(dtype: Instance, content: bytes) -> Any:
    """A number that numpy pickled."""
    (code, *_), (_, order, *_) = dtype.arguments, dtype.state
    kind = np.dtype(order.replace("|", "=") + code) if code[:1] in ("f", "i", "u", "b") else None
    if kind is None or len(content) != kind.itemsize:
        raise Refused(f"it holds a number of kind {code!r}")
    return np.frombuffer(content, kind)[0].item()


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")  # of numpy 1 and of numpy 2
PLAIN: dict[str, StandIn] = {
    "collections.OrderedDict": _ordered_dict,
    **{f"{builtins}.set": _set for builtins in ("builtins", "__builtin__")},
    **{f"{builtins}.bytes": _bytes for builtins in ("builtins", "__builtin__")},
    "_codecs.encode": _bytes,
    **instances("numpy.dtype", "numpy.ndarray", *(f"{module}._reconstruct" for module in _NUMPY)),
    **{f"{module}.scalar": _scalar for module in _NUMPY},
}
