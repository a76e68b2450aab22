"""Constants of TensorFlow graphs: as TensorFlow writes them, damaged ones and hostile ones."""

import numpy as np
import pytest
from etils import epath

from gan_jax.errors import UserError
from gan_jax.weights import frozen_graph
from tests.weights.graph_writer import constant, field, graph, node, tensor, varint

ARRAYS = {
    "conv/conv2d_params": np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4),
    "scalar": np.float32(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "mixed/conv/batchnorm/gamma": np.linspace(-1, 1, 300, dtype=np.float32),
}


@pytest.fixture
def read(tmp_path):
    """Reads the content of a file."""

    def written(content: bytes):
        (tmp_path / "graph.pb").write_bytes(content)
        return frozen_graph.read(epath.Path(tmp_path / "graph.pb"))

    return written


def test_constants_come_through(read):
    found = read(graph(ARRAYS | {"size": np.int32([299, 299])}))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (np.float32, array.shape)
        np.testing.assert_array_equal(found[name], array)


def listed(array, numbers: bytes) -> bytes:
    return field(1, constant("c", tensor(array, numbers)))


def test_numbers_may_come_as_a_list(read):
    """Packed, one by one, or a single one for all."""
    array = np.float32([[1, 2, 3], [4, 5, 6]])
    packed = field(5, array.tobytes())
    single = b"".join(varint(5 << 3 | 5) + number.tobytes() for number in array.ravel())
    np.testing.assert_array_equal(read(listed(array, packed))["c"], array)
    np.testing.assert_array_equal(read(listed(array, single))["c"], array)
    seven = field(5, np.float32(7).tobytes())
    np.testing.assert_array_equal(read(listed(array, seven))["c"], np.full((2, 3), 7))
    scalar = read(listed(np.float32(0), seven))["c"]
    assert (scalar.shape, float(scalar)) == ((), 7)


def test_unknown_fields_are_passed_over(read):
    """Of all wire types, in the graph, in a node and in a tensor."""
    more = field(99, 5) + field(98, b"abc") + varint(97 << 3 | 1) + bytes(8) + varint(96 << 3 | 5) + bytes(4)
    content = more + field(1, more + constant("c", more + tensor(np.float32([1, 2])))) + more
    np.testing.assert_array_equal(read(content)["c"], [1, 2])


@pytest.mark.parametrize("kept", [1, 5, 20, 60, -1, -400, -1200])
def test_a_graph_that_is_cut_off_is_a_sentence(read, kept, tmp_path):
    content = graph({"c": np.arange(400, dtype=np.float32)})
    with pytest.raises(
        UserError, match=f"^{tmp_path}/graph.pb is damaged, cut off or no file of weights .*: get it again$"
    ):
        read(content[:kept])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a graph at all",
        bytes(200),
        b"\xff" * 50,  # a number without an end
        varint(1 << 3 | 3),  # a group, which nobody writes any more
        field(1, 7),  # a node that is a number
        field(1, field(1, 2**62) + field(2, b"Const")),  # a name that is a number
        graph({}),
        listed(np.zeros((2, 3), np.float32), field(4, bytes(20))),
        listed(np.zeros((2, 3), np.float32), field(5, bytes(20))),
        field(1, constant("c", field(1, 1) + field(2, field(2, field(1, 2**40))) + field(4, bytes(4)))),
        field(1, constant("c", field(1, 1) + field(2, field(2, field(1, 2**64 - 1))) + field(5, bytes(4)))),
        field(1, constant("c", field(1, 1) + field(2, field(2, field(1, 2**62)) * 2) + field(5, bytes(4)))),
        field(1, node("c", "Const", {"value": field(8, field(1, 1) + field(2, 5) + field(4, bytes(4)))})),
    ],
)
def test_damage_is_a_sentence(read, content):
    with pytest.raises(UserError, match=r"graph.pb is damaged, cut off or no file of weights \(.*\): get it again$"):
        read(content)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="absent.pb cannot be read"):
        frozen_graph.read(epath.Path(tmp_path / "absent.pb"))
