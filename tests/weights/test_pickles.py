"""Pickles: data come through, and nothing else does anything."""

import collections
import io
import os
import pickle
import struct
import sys

import numpy as np
import pytest

from gan_jax.weights import pickles
from gan_jax.weights.pickles import Instance, Refused

PLAIN = {
    "numbers": [0, -1, 255, 65536, 2**31, 2**70, -(2**2100), 1.5, float("inf")],
    "text": ["", "plain", "späte Grüße", "x" * 300],
    "bytes": [b"", b"\x00\xff", b"y" * 300],
    "constants": (None, True, False),
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "sets": [set(), {1, 2}],
    "dicts": {"a": {}, 2: {"b": [1]}, None: 0},
    "ordered": collections.OrderedDict([("z", 1), ("a", [2])]),
}


def read(content: bytes, names=None, persistent=None):
    return pickles.load(io.BytesIO(content), names or {}, persistent)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_through_every_protocol(protocol):
    value = {**PLAIN, "again": PLAIN["dicts"]}
    found = read(pickle.dumps(value, protocol))
    assert found == value
    assert list(found["ordered"]) == ["z", "a"]


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_numbers_of_numpy_come_through(protocol):
    values = [np.float64(1.5), np.float32(-2.5), np.int64(-3), np.uint8(200), np.bool_(True)]
    assert read(pickle.dumps(values, protocol)) == [1.5, -2.5, -3, 200, True]


def test_arrays_of_numpy_are_descriptions():
    described = read(pickle.dumps({"a": np.arange(3)}, 4))["a"]
    assert isinstance(described, Instance)
    assert described.state[1] == (3,)


def test_frozen_sets_and_byte_arrays():
    assert read(pickle.dumps([frozenset({1}), frozenset()], 4)) == [frozenset({1}), frozenset()]
    assert read(pickle.dumps(bytearray(b"ab"), 5)) == b"ab"


def test_a_list_within_itself_stays_one():
    loop = []
    loop.append(loop)
    found = read(pickle.dumps(loop))
    assert found[0] is found


def test_reading_stops_where_the_pickle_ends():
    file = io.BytesIO(pickle.dumps(1) + pickle.dumps("two") + b"rest")
    assert (pickles.load(file, {}), pickles.load(file, {}), file.read()) == (1, "two", b"rest")


def test_names_are_stood_in_for():
    content = b"cnowhere\nmake\n(I1\nI2\ntR."
    assert read(content, {"nowhere.make": lambda a, b: a + b}) == 3
    made = read(b"cnowhere\nThing\n(I1\ntR}S'a'\nI5\nsb.", pickles.instances("nowhere.Thing"))
    assert made == Instance("nowhere.Thing", (1,), {"a": 5})


def test_persistent_ids_are_asked_for():
    assert read(b"Pseven\n.", persistent=lambda identity: identity.upper()) == "SEVEN"
    assert read(b"(S'a'\nI1\ntQ.", persistent=lambda identity: identity) == ("a", 1)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


class Nested:
    """Pickles as the call of an allowed function on the result of one that is not."""

    def __reduce__(self):
        return collections.OrderedDict, (Call(os.getcwd),)


MADE = {
    "os.system": lambda trap: Call(os.system, f"touch {trap}"),
    "open": lambda trap: Call(open, str(trap), "w"),
    "eval": lambda trap: Call(eval, f"open({str(trap)!r}, 'w')"),
    "exec": lambda trap: Call(exec, f"open({str(trap)!r}, 'w')"),
    "getattr": lambda trap: Call(getattr, "x", "upper"),
    "__import__": lambda trap: Call(__import__, "trap_module"),
    "type": lambda trap: Call(type, "X", (), {}),
    "an argument": lambda trap: Nested(),
    "within data": lambda trap: {"weights": [1, {"deep": (Call(os.system, f"touch {trap}"),)}]},
    "a state": lambda trap: Call(collections.OrderedDict, state=Call(os.system, f"touch {trap}")),
    "a class": lambda trap: os.PathLike,
    "an instance": lambda trap: Call(object.__new__, int),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("kind", MADE)
def test_calls_of_python_are_refused_and_not_made(kind, protocol, tmp_path):
    content = pickle.dumps(MADE[kind](tmp_path / "trap"), protocol)
    with pytest.raises(Refused, match="names '"):
        read(content)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"ctrap_module\nanything\n.",
        b"\x80\x04\x8c\x0btrap_module\x8c\x08anything\x93.",
        b"(S'x'\nitrap_module\nanything\n.",
        b"(ctrap_module\nanything\nS'x'\no.",
    ],
    ids=["GLOBAL", "STACK_GLOBAL", "INST", "OBJ"],
)
def test_no_module_is_imported(content, tmp_path, monkeypatch):
    (tmp_path / "trap_module.py").write_text(f"open({str(tmp_path / 'trap')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Refused):
        read(content)
    assert "trap_module" not in sys.modules
    assert not (tmp_path / "trap").exists()


# By hand: what the machine must refuse, and the reason. OrderedDict and set are names that it knows.
BY_HAND = {
    "a known name's attribute": (b"ccollections\nOrderedDict.fromkeys\n.", "names 'collections.OrderedDict.fromkeys'"),
    "a name of another module": (b"cos\nOrderedDict\n.", "names 'os.OrderedDict'"),
    "a call of text": (b"S'system'\n(S'ls'\ntR.", "calls a str"),
    "a call of a result": (b"ccollections\nOrderedDict\n(tR(tR.", "calls a dict"),
    "arguments that are no tuple": (b"ccollections\nOrderedDict\n]R.", "calls a Name"),
    "changing a name": (b"ccollections\nOrderedDict\n}S'x'\nI1\nsb.", "treats a Name"),
    "changing text": (b"S'a'\n}b.", "treats a str"),
    "filling a name": (b"ccollections\nOrderedDict\nI1\na.", "treats a Name as a list"),
    "an instance with keywords": (b"\x80\x04ccollections\nOrderedDict\n)}\x92.", "instruction NEWOBJ_EX"),
    "an extension": (b"\x80\x02\x82\x01.", "instruction EXT1"),
    "data outside": (b"\x80\x05\x97.", "instruction NEXT_BUFFER"),
    "a persistent id": (b"Pkey\n.", "refers to data outside"),
    "a tuple as a key": (b"}(I1\nI2\ntI3\ns.", "uses a tuple as a key"),
    "a name in a set": (b"\x80\x04\x8f(ccollections\nOrderedDict\n\x90.", "uses a Name as a key"),
    "text encoded by name": (b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.", "encodes text as 'rot13'"),
    "a number of objects": (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntR(I3\nS'|'\ntbS'x'\ntR.",
        "number of kind 'O8'",
    ),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_what_data_do_not_need_is_refused(kind):
    content, reason = BY_HAND[kind]
    with pytest.raises(Refused, match=reason):
        read(content)


def test_the_table_of_names_stays_as_it_was():
    before = dict(pickles.PLAIN)
    for content, _ in BY_HAND.values():
        with pytest.raises(Refused):
            read(content)
    assert before == pickles.PLAIN


def test_every_part_of_a_pickle_is_an_error():
    for protocol in (0, 2, 4):
        content = pickle.dumps(PLAIN, protocol)
        for length in range(len(content)):
            with pytest.raises((ValueError, IndexError, KeyError)):
                read(content[:length])


def test_sizes_that_a_file_claims_cost_nothing():
    claims = [
        b"I1\nr\xff\xff\xff\xff.",  # the 4,294,967,295th memo
        b"\x80\x04B\xff\xff\xff\xff" + b"x" * 20,  # bytes
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x" * 20,
        b"\x80\x02\x8b\xff\xff\xff\x7f" + b"x" * 20,  # a number
        b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",  # a frame
    ]
    assert read(claims[0]) == 1
    for claim in claims[1:-1]:
        with pytest.raises(ValueError, match="expected .* bytes|not enough data"):
            read(claim)
    assert read(claims[-1]) is None


def test_deep_nesting_is_no_recursion():
    found = read(b"(" * 100_000 + b"t" * 100_000 + b".")
    depth = 0
    while found:
        found, depth = found[0], depth + 1
    assert depth == 99_999


@pytest.mark.parametrize(
    "content", [b"", b".", b"garbage", b"\xff\xfe", b"]]]", b"I1\nI2\n.", b"t.", b"I1\n\x86.", b"h\x05."]
)
def test_garbage_is_an_error(content):
    with pytest.raises((ValueError, IndexError, KeyError)):
        read(content)
