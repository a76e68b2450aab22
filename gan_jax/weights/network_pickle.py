"""Reads the network pickles of NVIDIA's StyleGAN2-ADA and StyleGAN3 and of R3GAN, without running anything.

They are plain pickles of a dict with the networks G, D and G_ema. A module of NVIDIA's carries its class's name, its
constructor's arguments, its state and the source code of its file (torch_utils/persistence.py); their reader executes
that code, this one drops it. Tensors lie in storages that are files of torch.save themselves.
"""

import dataclasses
import io
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from etils import epath

from gan_jax.errors import UserError
from gan_jax.weights import pickles, torch_file
from gan_jax.weights.pickles import Instance, Refused

# R3GAN's modules are pickled by name alone.
_R3GAN = {
    "training.networks": ("Generator", "Discriminator"),
    "training.augment": ("AugmentPipe",),
    "R3GAN.Networks": (
        *("Generator", "Discriminator", "GeneratorStage", "DiscriminatorStage", "GenerativeBasis"),
        *("DiscriminativeBasis", "UpsampleLayer", "DownsampleLayer", "ResidualBlock", "Convolution"),
    ),
    "R3GAN.FusedOperators": ("BiasedActivationCUDA", "BiasedActivationReference"),
    "R3GAN.Resamplers": tuple(
        map(
            "".join,
            itertools.product(("Interpolative", "Inplace"), ("Up", "Down"), ("sampler",), ("CUDA", "Reference")),
        )
    ),
    "torch.nn.modules.container": ("ModuleList",),
    "torch.nn.modules.conv": ("Conv2d",),
    "torch.nn.modules.linear": ("Linear",),
}


@dataclasses.dataclass(frozen=True)
class Network:
    """A network as its pickle describes it.

    Attributes:
        class_name: of the outermost module, such as "Generator".
        arguments: keyword arguments of its constructor; {} where the pickle does not keep them.
        tensors: parameters and buffers by their PyTorch names, such as "synthesis.b4.conv1.weight".
    """

    class_name: str
    arguments: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]


def read(path: epath.Path) -> dict[str, Network]:
    """The networks of a pickle by the names they have in it: G, D, G_ema; some may be missing.

    Raises:
        UserError: the file cannot be read, is damaged, holds no networks, or something that weights do not need.
    """
    with torch_file.reading(path), path.open("rb") as file:
        content = pickles.load(file, _names(file))
        found = content if isinstance(content, dict) else {}
        networks = {
            name: _network(found[name]) for name in ("G", "D", "G_ema") if isinstance(found.get(name), Instance)
        }
        if not networks:
            raise UserError(f"{path} holds none of the networks G, D and G_ema: expected a network pickle of PyTorch")
        return networks


def _names(file: BinaryIO) -> dict[str, pickles.StandIn]:
    """Stand-ins for what network pickles name. All tensors together may not be larger than the file."""
    left = torch_file.size(file)

    def storage(content: bytes) -> Any:
        nonlocal left
        left -= len(content)
        if left < 0:
            raise Refused("it reads the same data again and again")
        return torch_file.parse(io.BytesIO(content))

    return {
        **torch_file.NAMES,
        **pickles.instances(*(f"{module}.{name}" for module, names in _R3GAN.items() for name in names)),
        "torch.storage._load_from_bytes": storage,
        "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
        "dnnlib.util.EasyDict": dict,
    }


def _persistent(meta: dict) -> Instance:
    """A persistent object, without its source code."""
    return Instance(meta["class_name"], state=meta["state"])


def _network(module: Instance) -> Network:
    arguments = module.state.get("_init_kwargs", {})
    return Network(module.class_name.rpartition(".")[2], arguments, dict(_tensors(module, "", set())))


def _tensors(module: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Names and values of the parameters and buffers of a module and of those within it."""
    if not isinstance(module, Instance) or id(module) in seen:
        raise Refused(f"{prefix or 'a network'} is no module, or one of two places")
    seen.add(id(module))
    for name, tensor in [*module.state["_parameters"].items(), *module.state["_buffers"].items()]:
        if tensor is not None:
            yield f"{prefix}{name}", np.asarray(tensor, np.float32)
    for name, inner in module.state["_modules"].items():
        if inner is not None:
            yield from _tensors(inner, f"{prefix}{name}.", seen)
