"""Encoders that `gan-jax encoder` has trained on a data set of its own: the extractor where published weights do not fit.

A folder holds `encoder.safetensors`, the weights as float16, and `encoder.json`, all that is known of them. Those of the
digits and the polygons come with the project, so that figures compare from machine to machine. Distances in an
encoder's features are no FID: name the encoder, and its hash, beside each.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import traverse_util

from gan_jax.errors import ConfigError, UserError, explained
from gan_jax.metrics import resize
from gan_jax.metrics.classifier import NETWORKS, TASKS, judge
from gan_jax.metrics.extractor import Extractor
from gan_jax.weights import tensors, torch_file

BUILT_IN = Path(__file__).parent / "built_in"
TENSORS, DESCRIPTION = "encoder.safetensors", "encoder.json"
FORMAT = 1
Tree = Any


@dataclasses.dataclass(frozen=True)
class Description:
    """What is known of an encoder.

    Attributes:
        name: what metrics call it.
        network: one of `classifier.NETWORKS`.
        task: one of `classifier.TASKS`, what its outputs mean.
        outputs: their names, of classes, labels or numbers.
        image_shape: (height, width, channels) of the images that the network sees.
        data, identity: the words that name the data set, and what tells it from others under the same name.
        trained, held_out: number of images that it was trained on, and that it was judged by.
        settings: of the training, a `classifier.Settings` as a mapping.
        scores: what it achieves on the images held out, by name: "accuracy" (share of the images, or of labels), or
            "error" (root of the mean square, in the unit of the numbers).
        sha256: of the file of weights, in hexadecimal; "" before it is written.
    """

    name: str
    network: str
    task: str
    outputs: tuple[str, ...]
    image_shape: tuple[int, int, int]
    data: str
    identity: str
    trained: int
    held_out: int
    settings: Mapping[str, Any]
    scores: Mapping[str, float]
    sha256: str = ""

    def module(self) -> nn.Module:
        """The network without its weights."""
        return NETWORKS[self.network](len(self.outputs))


def open_encoder(name: str | os.PathLike) -> Extractor:
    """The encoder that comes with the project under a name, or that lies in a folder.

    Raises:
        ConfigError: there is none.
        UserError: it cannot be read or is damaged.
    """
    folder = epath.Path(name).expanduser()
    if name in built_in():
        folder = epath.Path(BUILT_IN / name)
    else:
        with explained(folder, "cannot be read", "see that it is in reach"):
            missing = not (folder / DESCRIPTION).exists()
        if missing:
            raise ConfigError(
                f"the encoder {str(name)!r} is missing: expected {', '.join(built_in())} or a folder that "
                "`gan-jax encoder` has written"
            )
    return as_extractor(*read(folder))


def built_in() -> tuple[str, ...]:
    """The names of the encoders that come with the project."""
    return tuple(sorted(path.name for path in BUILT_IN.iterdir()))


def as_extractor(description: Description, variables: Tree) -> Extractor:
    """An encoder as metrics use it: outputs "features" and, by its task, "logits" (of classes) or "answers".

    Images of another size are resized by the rule "clean"; of colour images a grey encoder sees the mean of the channels,
    and a colour one sees grey images three times.
    """
    network, (height, width, channels) = description.module(), description.image_shape
    logits = "logits" if description.task == "classes" else None

    def apply(variables: Tree, images: jax.Array) -> dict[str, jax.Array]:
        x = images.astype(jnp.float32)
        x = x.mean(axis=-1, keepdims=True) if channels == 1 else x
        x = resize.clean(x, (height, width))
        x = jnp.broadcast_to(x, (*x.shape[:-1], channels))
        features, outputs = judge(network, variables, x / 127.5 - 1)
        return {"features": features, logits or "answers": outputs}

    return Extractor(description.name, description.sha256, "clean", variables, apply, "features", logits)


def stored(variables: Tree) -> Tree:
    """Variables as they come back from a file: float32 numbers that float16 holds."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float16).astype(np.float32), variables)


def save(folder: epath.Path, description: Description, variables: Tree) -> Description:
    """Writes both files of an encoder, the description last; returns it with the hash of the weights.

    Raises:
        UserError: the folder cannot be written.
    """
    flat = traverse_util.flatten_dict(variables, sep="/")
    content = tensors.to_safetensors({path: np.asarray(leaf, np.float16) for path, leaf in flat.items()})
    description = dataclasses.replace(description, sha256=hashlib.sha256(content).hexdigest())
    about = {"format": FORMAT, **dataclasses.asdict(description)}
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TENSORS).write_bytes(content)
        (folder / DESCRIPTION).write_text(json.dumps(about, indent=2) + "\n")
    return description


def read(folder: os.PathLike) -> tuple[Description, Tree]:
    """What `save` wrote.

    Raises:
        UserError: the files cannot be read, do not belong together, or are none of ours.
    """
    folder = epath.Path(folder)
    with torch_file.reading(folder / DESCRIPTION):
        about = json.loads((folder / DESCRIPTION).read_text())
        number = about.pop("format")
        if number > FORMAT:
            raise UserError(
                f"{folder} has format {number}: expected up to {FORMAT}; install a newer version of gan_jax"
            )
        description = Description(**about | {name: tuple(about[name]) for name in ("outputs", "image_shape")})
        if description.network not in NETWORKS or description.task not in TASKS:
            raise ValueError(f"it names the network {description.network!r} and the task {description.task!r}")
    with torch_file.reading(folder / TENSORS):
        found = hashlib.sha256((folder / TENSORS).read_bytes()).hexdigest()
        if found != description.sha256:
            raise UserError(
                f"{folder / TENSORS} has SHA-256 {found[:16]}..., but {DESCRIPTION} beside it says "
                f"{description.sha256[:16]}...: one of them was changed, train the encoder again"
            )
        flat = tensors.read(folder / TENSORS)
    return description, traverse_util.unflatten_dict(flat, sep="/")
