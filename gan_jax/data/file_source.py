"""Training straight from a folder, zip or tar archive of images, without preparing them."""

import io

import numpy as np
from etils import epath

from gan_jax.data.collection import SPLITS, Collection, open_collection
from gan_jax.data.image import CROPS, decode
from gan_jax.data.source import Batch, Source
from gan_jax.errors import ConfigError, UserError, explained


def open_section(argument: str, section) -> Source:
    """Opens PATH[:SPLIT] (split "train" by default) for `data.source.open_source`.

    Args:
        argument: a path that exists as it stands has no split, so paths may hold colons.
        section: the config's `data`, of which this reads `source`, `resolution`, `channels` and `crop`.

    Raises:
        ConfigError: the path is missing, there is no such split, or the crop is unknown.
        UserError: the data cannot be used; see `data.collection.Collection`.
    """
    crop = section.get("crop") or CROPS[0]
    if crop not in CROPS:
        raise ConfigError(f"config.data.crop is {crop!r}: expected one of {', '.join(CROPS)}")
    path, split = _path_and_split(argument)
    try:
        collection = open_collection(section.source.partition(":")[0], path)
        if split not in collection.splits:
            raise ConfigError(f"{path} has no split {split!r}: expected one of {', '.join(collection.splits)}")
    except ConfigError as error:
        raise ConfigError(f"config.data.source is {section.source!r}, but {error}") from error
    return FileSource(collection, split, section.resolution, section.channels, crop)


class FileSource(Source):
    """One split of a collection, decoded when asked for and numbered by class and sorted name. Picklable.

    Args:
        collection, split: which images.
        resolution, channels: their shape.
        crop: one of `data.image.CROPS`.
    """

    decodes = True

    def __init__(self, collection: Collection, split: str, resolution: int, channels: int, crop: str = "center"):
        self.name = f"{collection.name}:{split}"
        self.image_shape = (resolution, resolution, channels)
        self._collection, self._split, self._crop = collection, split, crop
        self._names, self._labels = collection.members[split]
        self.label_dim = collection.label_dim
        # A split may lack the labels that others have, as tests often do.
        self.class_names = collection.class_names if self.label_dim or self._labels.max() >= 0 else ()

    @property
    def identity(self) -> str:
        return f"{len(self)} examples, {self._split} of {self._collection.identity}"

    def all_labels(self) -> np.ndarray:
        return self._labels

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Batch:
        name, (resolution, _, channels) = self._names[index], self.image_shape
        known_as = f"{self._collection.name}/{name}"
        try:
            content = self._collection.files.read(name)
        except OSError as error:
            raise UserError(f"{known_as} cannot be read ({error}): see that it is there and whole") from error
        image = decode(io.BytesIO(content), resolution, channels, known_as, self._crop)
        return {"image": image, "label": self._labels[index]}


def _path_and_split(argument: str) -> tuple[str, str]:
    path, colon, split = argument.rpartition(":")
    with explained(argument, "cannot be read", "see that it is in reach"):
        if not colon or "/" in split or epath.Path(argument).expanduser().exists():
            return argument, "train"
    return path, SPLITS.get(split.lower(), split)
