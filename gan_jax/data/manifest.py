"""What a prepared data set says about itself: `manifest.json`, written last, so that only whole sets have one."""

import dataclasses
import importlib.metadata
import json
import os
import platform

from gan_jax.data.whole import Place, put_json
from gan_jax.errors import ConfigError, UserError, explained

FORMAT = 1
NAME = "manifest.json"
PROGRESS = "preparing"  # the folder of options and finished shards, while the set is being prepared
OPTIONS = "options.json"  # in PROGRESS
_PACKAGES = ("gan-jax", "numpy", "pillow", "array-record", "tensorflow-datasets")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records.

    Attributes:
        file: its name in the folder.
        bytes: its size.
        examples: number of records.
        hash: blake2b of the file, 128 bits, hexadecimal.
    """

    file: str
    bytes: int
    examples: int
    hash: str


@dataclasses.dataclass(frozen=True)
class Split:
    """One split.

    Attributes:
        count: number of images.
        class_counts: images of each class; of label vectors, images in which the entry is not 0.
        hash: digest of pixels and labels of all images in whatever order, 128 bits, hexadecimal.
        shards: its files, in order.
        converted: (name, reason) of the images that were not plain 8-bit pictures.
        skipped: of those that were left out for it, or were too small for the crop.
        damaged: of those that could not be read and were left out.
    """

    count: int
    class_counts: list[int]
    hash: str
    shards: list[Shard]
    converted: list[tuple[str, str]]
    skipped: list[tuple[str, str]]
    damaged: list[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A prepared data set.

    Attributes:
        options: what the preparation was asked for, see `data.preparation.Options`.
        image_shape: (height, width, channels).
        class_names: one per class, or per entry of a label vector.
        label_dim: 0 where labels are class numbers, else the length of the label vectors.
        content_hash: of the digests of all splits.
        splits: by name.
        versions: of the packages that wrote it.
    """

    source: str
    options: dict
    image_shape: tuple[int, int, int]
    class_names: list[str]
    label_dim: int
    content_hash: str
    splits: dict[str, Split]
    versions: dict[str, str]

    @property
    def bytes(self) -> int:
        """Size of all shards."""
        return sum(shard.bytes for split in self.splits.values() for shard in split.shards)

    def write(self, folder: Place) -> None:
        """Writes it into the folder, whole or not at all."""
        put_json(folder / NAME, {"format": FORMAT, **dataclasses.asdict(self)})


def read(folder: str | os.PathLike) -> Manifest:
    """The manifest of a prepared set, which may lie in a bucket (gs://).

    Raises:
        ConfigError: the folder holds no prepared set, or one that is not finished.
        UserError: the manifest is damaged or was written by a newer version.
    """
    from etils import epath

    path = epath.Path(folder) / NAME
    with explained(path, "cannot be read", "expected a folder that `gan-jax prepare --out` has made", ConfigError):
        try:
            text = path.read_text()
        except OSError as error:
            if (path.parent / PROGRESS / OPTIONS).exists():
                raise ConfigError(
                    f"{folder} is a data set whose preparation has not finished: run the same `gan-jax prepare` command "
                    "again"
                ) from error
            raise ConfigError(
                f"{folder} holds no prepared data set ({NAME} is missing or unreadable): expected a folder that "
                "`gan-jax prepare --out` has made"
            ) from error
    try:
        fields = json.loads(text)
        version = fields.pop("format")
        if version == FORMAT:
            return _parsed(fields)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}: {error}): restore it or prepare the set again in another folder"
        ) from error
    raise UserError(
        f"{path} has format {version}; this version of gan_jax reads format {FORMAT}: install the one that wrote it, or "
        "prepare the set again in another folder"
    )


def _parsed(fields: dict) -> Manifest:
    splits = {
        name: Split(**{**split, "shards": [Shard(**shard) for shard in split["shards"]]})
        for name, split in fields.pop("splits").items()
    }
    return Manifest(splits=splits, **{**fields, "image_shape": tuple(fields["image_shape"])})


def versions() -> dict[str, str]:
    """Versions of what took part in a preparation."""
    found = {distribution: importlib.metadata.version(distribution) for distribution in _PACKAGES}
    return {"python": platform.python_version(), **found}
