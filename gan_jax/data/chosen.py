"""A part of a data set: the images whose numbers a file holds, as `gan-jax select` writes it."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath
from ml_collections import ConfigDict

from gan_jax.data.source import Batch, Source, open_source
from gan_jax.data.whole import put_json
from gan_jax.errors import ConfigError, UserError, explained

FORMAT = 1


def open_section(argument: str, section) -> Source:
    """Opens "chosen:FILE" for `data.source.open_source`: the data set that the file names, but for what it leaves out.

    Raises:
        ConfigError: there is no such file, it is none of ours, or the data set is another than it was made of.
        UserError: the data are absent or damaged.
    """
    path = epath.Path(argument).expanduser()
    with explained(path, "cannot be read", "make it with gan-jax select", ConfigError):
        content = path.read_text()
    try:
        about = json.loads(content)
        words, identity, indices = about["data"], about["identity"], np.asarray(about["indices"], np.int64)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path} is no file of gan-jax select ({type(error).__name__}: {error}): make it anew"
        ) from error
    source = open_source(ConfigDict({**section, "source": words}))
    if source.identity != identity:
        raise ConfigError(
            f"config.data.source is 'chosen:{argument}', which was made of {words} with {identity}, but it has "
            f"{source.identity} now: see that the data, config.data.resolution and config.data.channels are the same, or "
            "run gan-jax select again"
        )
    return Chosen(source, indices)


def write(path: os.PathLike, words: str, source: Source, indices: np.ndarray, about: Mapping[str, Any]) -> None:
    """Writes which images [m] of the data set `words` are chosen, and what more there is to know."""
    content = {"format": FORMAT, "data": words, "identity": source.identity, **about, "indices": indices.tolist()}
    with explained(path):
        put_json(epath.Path(path), content)


class Chosen(Source):
    """Some examples of another source, by their numbers [n]."""

    def __init__(self, source: Source, indices: np.ndarray):
        if not source.exact:
            raise UserError(
                f"{source.name} is read as a stream, in which no image is known by its number: make the set exact by "
                "`gan-jax prepare`"
            )
        self.name = f"{len(indices)} of {source.name}"
        self.image_shape, self.class_names, self.label_dim = source.image_shape, source.class_names, source.label_dim
        self.decodes, self.threaded = source.decodes, source.threaded
        self._source, self._indices = source, indices

    @property
    def identity(self) -> str:
        digest = hashlib.sha256(self._indices.tobytes()).hexdigest()[:16]
        return f"{len(self)} examples, {digest}, of {self._source.identity}"

    @property
    def damaged(self) -> dict[int, str]:
        return self._source.damaged

    def load(self) -> None:
        self._source.load()

    def all_labels(self) -> np.ndarray:
        return self._source.all_labels()[self._indices]

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Batch:
        return self._source[self._indices[index]]

    def read(self, indices: np.ndarray) -> Batch:
        return self._source.read(self._indices[indices])
