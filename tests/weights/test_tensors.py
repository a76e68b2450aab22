"""Named tensors in files of both kinds."""

import json
import struct

import numpy as np
import pytest
from etils import epath

from gan_jax.errors import UserError
from gan_jax.weights import tensors
from tests.weights import torch_writer

ARRAYS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32(2.5), "empty": np.zeros((0, 2))}


@pytest.fixture
def read(tmp_path):
    """Reads the content of a file of a kind."""

    def of(content: bytes, suffix: str):
        (tmp_path / f"weights{suffix}").write_bytes(content)
        return tensors.read(epath.Path(tmp_path / f"weights{suffix}"))

    return of


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_tensors_come_through_as_float32(read, suffix):
    content = (
        tensors.to_safetensors(ARRAYS)
        if suffix == ".safetensors"
        else torch_writer.zipped(torch_writer.state_dict(ARRAYS))
    )
    found = read(content, suffix)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (np.float32, np.shape(array))
        np.testing.assert_array_equal(found[name], array)


def test_a_transposed_array_is_written_as_it_is_seen(read):
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(read(tensors.to_safetensors({"a": array}), ".safetensors")["a"], array)


def test_bfloat16_of_safetensors_is_read(read):
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    content = struct.pack("<Q", len(header)) + header + struct.pack("<HH", 0x3F80, 0xC000)
    assert read(content, ".safetensors")["a"].tolist() == [1.0, -2.0]


def test_every_part_of_a_safetensors_file_is_one_sentence(read):
    content = tensors.to_safetensors(ARRAYS)
    for length in range(0, len(content), 11):
        with pytest.raises(UserError, match=r"weights.safetensors is damaged, cut off or no file of weights"):
            read(content[:length], ".safetensors")


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {"model": {"a": 2.0}}, None])
def test_something_else_than_tensors_by_name_is_one_sentence(read, content):
    with pytest.raises(UserError, match="weights.pth holds no tensors by name: expected a state_dict"):
        read(torch_writer.zipped(content), ".pth")


def test_the_same_data_again_and_again_are_refused(read):
    storage = torch_writer.Storage(np.ones(5000, np.float32))
    value = {str(i): torch_writer.Tensor(0, 0, (5000,), (1,), storage) for i in range(10)}
    with pytest.raises(UserError, match="refused.*again and again"):
        read(torch_writer.zipped(value), ".pth")
