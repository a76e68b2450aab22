"""Files as torch.save and NVIDIA's persistence would write them, made without either.

Stand-ins bear the names that the real ones have, in modules that exist only while something is written.
"""

import collections
import io
import pickle
import sys
import types
import zipfile
from collections.abc import Mapping
from unittest import mock

import numpy as np

KINDS = {"float32": "Float", "float16": "Half", "bfloat16": "BFloat16", "float64": "Double", "int64": "Long"}


def _named(module: str, name: str):
    """A function that pickles as module.name."""

    def function(*_):
        raise AssertionError(f"{module}.{name} was called")

    function.__module__, function.__qualname__ = module, name
    return function


def _class(module: str, name: str, *bases: type) -> type:
    return type(name, bases, {"__module__": module})


TENSOR = _named("torch._utils", "_rebuild_tensor_v2")
PARAMETER = _named("torch._utils", "_rebuild_parameter")
NESTED = _named("torch.storage", "_load_from_bytes")
PERSISTENT = _named("torch_utils.persistence", "_reconstruct_persistent_obj")
EASY_DICT = _class("dnnlib.util", "EasyDict", dict)
STORAGES = {kind: _class("torch", f"{kind}Storage") for kind in KINDS.values()}
MODULE_LIST = _class("torch.nn.modules.container", "ModuleList")
R3GAN_GENERATOR = _class("training.networks", "Generator")


def _modules() -> dict[str, types.ModuleType]:
    modules = {}
    for member in (TENSOR, PARAMETER, NESTED, PERSISTENT, EASY_DICT, *STORAGES.values(), MODULE_LIST, R3GAN_GENERATOR):
        *packages, last = member.__module__.split(".")
        for name in [".".join([*packages, last][:depth]) for depth in range(1, len(packages) + 2)]:
            modules.setdefault(name, types.ModuleType(name))
        setattr(modules[member.__module__], member.__qualname__, member)
    return modules


def dumps(value, protocol: int = 4) -> bytes:
    """pickle.dumps with the stand-ins in place."""
    with mock.patch.dict(sys.modules, _modules()):
        return pickle.dumps(value, protocol)


class Storage:
    """Numbers in one row."""

    def __init__(self, array: np.ndarray):
        self.array = np.ascontiguousarray(array).reshape(-1)
        self.kind = STORAGES[KINDS[array.dtype.name]]

    def __reduce__(self):
        return NESTED, (legacy(self),)


class Tensor:
    """A tensor that is a view of a storage; by default it has one of its own."""

    def __init__(self, array, offset=0, shape=None, strides=None, storage=None):
        array = np.asarray(array)
        self.storage = storage or Storage(array)
        self.offset, self.shape = offset, array.shape if shape is None else shape
        steps = np.cumprod([1, *self.shape[:0:-1]])[::-1] if self.shape else ()
        self.strides = tuple(map(int, steps)) if strides is None else strides

    def __reduce__(self):
        parts = (self.storage, self.offset, tuple(self.shape), self.strides, False, collections.OrderedDict())
        return TENSOR, parts


class Parameter(Tensor):
    """The same, learned."""

    def __reduce__(self):
        plain = Tensor(self.storage.array, self.offset, self.shape, self.strides, self.storage)
        return PARAMETER, (plain, True, collections.OrderedDict())


class _Pickler(pickle.Pickler):
    def __init__(self, file, described):
        super().__init__(file, 2)
        self.described, self.storages = described, []

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        if value not in self.storages:
            self.storages.append(value)
        key = str(self.storages.index(value))
        return self.described(("storage", value.kind, key, "cpu", len(value.array)))


def _pickled(value, described) -> tuple[bytes, list[Storage]]:
    file = io.BytesIO()
    with mock.patch.dict(sys.modules, _modules()):
        pickler = _Pickler(file, described)
        pickler.dump(value)
    return file.getvalue(), pickler.storages


def state_dict(arrays: Mapping[str, np.ndarray]) -> collections.OrderedDict:
    """Tensors by name."""
    return collections.OrderedDict((name, Tensor(array)) for name, array in arrays.items())


def zipped(
    value, byteorder: str = "little", compression: int = zipfile.ZIP_STORED, described=lambda identity: identity
):
    """What torch.save writes; `described` may change the persistent ids."""
    content, storages = _pickled(value, described)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/byteorder", byteorder)
        for key, storage in enumerate(storages):
            archive.writestr(f"archive/data/{key}", storage.array.tobytes())
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def legacy(value, described=lambda identity: identity, **facts) -> bytes:
    """The same in the format before the zip; `facts` may change those of the machine."""
    content, storages = _pickled(value, lambda identity: described((*identity, None)))
    parts = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}, **facts}]
    head = b"".join(pickle.dumps(part, 2) for part in parts)
    keys = pickle.dumps([str(key) for key in range(len(storages))], 2)
    rows = b"".join(len(s.array).to_bytes(8, "little") + s.array.tobytes() for s in storages)
    return head + content + keys + rows


class Module:
    """A persistent module: its state, and source code that must never run."""

    def __init__(self, class_name: str, arguments: Mapping, tensors: Mapping[str, np.ndarray]):
        self.class_name, self.source = class_name, "raise SystemExit('the source code of a pickle ran')"
        self.state = {
            "_init_args": (),
            "_init_kwargs": EASY_DICT(arguments),
            "training": False,
            "gain": np.float64(0.5),
        }
        self.state |= {"_parameters": {}, "_buffers": {}, "_modules": {}}
        inside = collections.defaultdict(dict)
        for name, array in tensors.items():
            first, _, rest = name.partition(".")
            if rest:
                inside[first][rest] = array
            else:
                self.state["_parameters"][first] = Parameter(np.asarray(array, np.float32))
        for name, part in inside.items():
            self.state["_modules"][name] = Module(name.title(), {}, part)
        self.state["_parameters"]["nothing"] = None

    def __reduce__(self):
        meta = {"type": "class", "version": 6, "module_src": self.source, "class_name": self.class_name}
        return PERSISTENT, ({**meta, "state": self.state},)


def network_pickle(**networks: tuple[Mapping, Mapping[str, np.ndarray]]) -> bytes:
    """A pickle of networks by name, each of (constructor's arguments, tensors)."""
    modules = {name: Module(name, arguments, tensors) for name, (arguments, tensors) in networks.items()}
    return dumps({**modules, "augment_pipe": None, "training_set_kwargs": EASY_DICT(class_name="x", max_size=3)})
