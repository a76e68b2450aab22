"""Named tensors in files: state_dicts of PyTorch, and safetensors."""

from collections.abc import Mapping

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy
from etils import epath

from gan_jax.errors import UserError
from gan_jax.weights import torch_file

_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "BOOL": np.bool_,
    **{f"{kind}{bits}": np.dtype(f"{kind.lower()}{bits // 8}") for kind in "IU" for bits in (8, 16, 32, 64)},
}


def read(path: epath.Path) -> dict[str, np.ndarray]:
    """`{name: float32 array}` of a .safetensors file, or of a state_dict by torch.save, whatever its name ends in.

    Raises:
        UserError: the file cannot be read, is damaged, or holds something else.
    """
    with torch_file.reading(path):
        if path.suffix == ".safetensors":
            entries = safetensors.deserialize(path.read_bytes())
            tensors = {name: _array(entry) for name, entry in entries}
        else:
            with path.open("rb") as file:
                tensors = torch_file.parse(file)
                size = torch_file.size(file)
            if not (isinstance(tensors, dict) and all(isinstance(value, np.ndarray) for value in tensors.values())):
                raise UserError(f"{path} holds no tensors by name: expected a state_dict as torch.save writes it")
            if sum(tensor.nbytes for tensor in tensors.values()) > 2 * size:
                raise UserError(f"{path} is refused: it uses the same data again and again")
        return {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}


def to_safetensors(tensors: Mapping[str, np.ndarray]) -> bytes:
    """The content of a .safetensors file."""
    return safetensors.numpy.save({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()})


def _array(entry: Mapping) -> np.ndarray:
    return np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
