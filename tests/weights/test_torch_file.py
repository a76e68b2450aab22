"""Files of torch.save: real ones, ones made here, damaged ones and hostile ones."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from etils import epath

from gan_jax.errors import UserError
from gan_jax.weights import torch_file
from gan_jax.weights.pickles import Instance
from tests.weights import torch_writer
from tests.weights.torch_writer import Parameter, Storage, Tensor

REAL = Path(__file__).parent / "files"
ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "scalar": np.float32(2.5),
    "half": np.arange(3).astype(np.float16),
    "brain": np.arange(3).astype(ml_dtypes.bfloat16),
    "double": np.arange(2.0),
    "long": np.arange(4).reshape(2, 2, 1),
    "empty": np.zeros((0, 3), np.float32),
}


@pytest.fixture
def read(tmp_path):
    """Reads the content of a file."""

    def written(content: bytes):
        (tmp_path / "weights.pth").write_bytes(content)
        return torch_file.read(epath.Path(tmp_path / "weights.pth"))

    return written


@pytest.fixture(params=["zipped", "legacy"])
def write(request):
    """One of the two formats."""
    return getattr(torch_writer, request.param)


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
def test_files_of_pytorch_are_read(name):
    """Written by PyTorch itself, see files/README.md."""
    found = torch_file.read(epath.Path(REAL / name))
    expected = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(found["conv.weight"], expected)
    np.testing.assert_array_equal(found["channels_last"], expected)
    np.testing.assert_array_equal(found["transposed"], np.arange(6, dtype=np.float32).reshape(2, 3).T)
    np.testing.assert_array_equal(found["slice"], [4, 5, 6])
    assert found["parameter"].tolist() == [1.0, 1.0]
    assert (found["scalar"].shape, float(found["scalar"])) == ((), 2.5)
    for dtype in ("float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"):
        assert (found[dtype].dtype.name, found[dtype].astype(int).tolist()) == (dtype, [0, 1, 1])
    assert found["config"]["best"] == 3.5
    assert found["itr"] == 7


def test_tensors_come_through(read, write):
    found = read(write(torch_writer.state_dict(ARRAYS)))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (np.asarray(array).dtype, np.shape(array))
        np.testing.assert_array_equal(found[name], array)


def test_a_class_may_come_with_its_source_code(read):
    """The older format describes the class of a module by name, file and text, of which the name is kept."""
    identity = b"(S'module'\nctorch.nn.modules.activation\nReLU\nS'a.py'\nS'raise SystemExit()'\ntQ"
    content = torch_writer.legacy("PLACE").replace(pickle.dumps("PLACE", 2), b"\x80\x02" + identity + b")\x81}b.")
    assert read(content) == Instance("torch.nn.modules.activation.ReLU", state={})


def test_views_share_a_storage(read, write):
    storage = Storage(np.arange(12, dtype=np.float32))
    value = {
        "columns": Tensor(0, 1, (3, 2), (1, 3), storage),
        "learned": Parameter(0, 6, (2, 3), (3, 1), storage),
    }
    found = read(write(value))
    assert found["columns"].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert found["learned"].tolist() == [[6, 7, 8], [9, 10, 11]]


SIX = np.arange(6, dtype=np.float32)
IMPOSSIBLE = {
    "offset": (Tensor(SIX, 1, (6,), (1,)), "does not fit its storage"),
    "shape": (Tensor(SIX, 0, (7,), (1,)), "does not fit its storage"),
    "stride": (Tensor(SIX, 0, (2, 3), (4, 1)), "does not fit its storage"),
    "the same number again and again": (Tensor(SIX, 0, (10**12,), (0,)), "does not fit its storage"),
    "negative offset": (Tensor(SIX, -1, (2,), (1,)), "a tensor of shape"),
    "negative stride": (Tensor(SIX, 5, (6,), (-1,)), "a tensor of shape"),
    "negative shape": (Tensor(SIX, 0, (-6,), (1,)), "a tensor of shape"),
    "shape of text": (Tensor(SIX, 0, ("6",), (1,)), "a tensor of shape"),
    "too few strides": (Tensor(SIX, 0, (2, 3), (1,)), "zip"),
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_a_tensor_never_reaches_beyond_its_storage(read, write, kind):
    tensor, reason = IMPOSSIBLE[kind]
    with pytest.raises(UserError, match=f"weights.pth is damaged.*{reason}"):
        read(write({"weight": tensor}))


def test_a_storage_that_is_larger_than_the_file_costs_nothing(read, write):
    def larger(identity):
        return (*identity[:4], 2**16, *identity[5:])

    with pytest.raises(UserError, match="larger than the file|has 24 bytes, not 262144"):
        read(write({"weight": Tensor(SIX)}, described=larger))


def test_a_storage_of_something_else_is_refused(read, write):
    with pytest.raises(UserError, match="is refused, and nothing of it was run: it refers to a 'FloatStorage'"):
        read(write({"weight": Tensor(SIX)}, described=lambda identity: ("storage", "FloatStorage", *identity[2:])))


def test_every_part_of_a_file_is_one_sentence(read, write):
    content = write(torch_writer.state_dict({"a": SIX, "b": SIX.astype(np.float64)}))
    for length in range(0, len(content), 7):
        with pytest.raises(
            UserError, match=r"weights.pth is (damaged, cut off or no file of weights|refused)"
        ) as error:
            read(content[:length])
        assert "\n" not in str(error.value)


def test_calls_are_refused_in_either_format(read, write, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'trap'}",)

    with pytest.raises(
        UserError, match="weights.pth is refused, and nothing of it was run: it names '.*system', which"
    ):
        read(write({"weight": Tensor(SIX), "trap": Trap()}))
    assert not (tmp_path / "trap").exists()


def test_big_endian_numbers_are_refused(read):
    for content in (torch_writer.zipped({}, byteorder="big"), torch_writer.legacy({}, little_endian=False)):
        with pytest.raises(UserError, match="big-endian"):
            read(content)


def test_a_compressed_zip_is_refused(read):
    with pytest.raises(UserError, match="refused.*compressed zip"):
        read(torch_writer.zipped({"weight": Tensor(SIX)}, compression=zipfile.ZIP_DEFLATED))


def test_a_zip_of_something_else_is_one_sentence(read):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "no weights")
    with pytest.raises(UserError, match="no file of weights"):
        read(file.getvalue())


def test_what_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="none.pth cannot be read: No such file"):
        torch_file.read(epath.Path(tmp_path / "none.pth"))
