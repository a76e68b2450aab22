"""Data sets prepared by TensorFlow Datasets.

Sets in the array_record format are read at random and without TensorFlow. Sets in the older TFRecord format can only be
read from front to back, with TensorFlow, so they are taken into memory if they fit, and streamed if not.
"""

import functools
import logging

import numpy as np
from PIL import Image

from gan_jax.data.image import DAMAGE, fit
from gan_jax.data.source import ArraySource, Batch, Source, fits_memory
from gan_jax.data.tfds_stream import StreamSource
from gan_jax.errors import ConfigError, UserError


def open_section(argument: str, section) -> Source:
    """Opens NAME[:SPLIT] (split "train" by default) below `section.tfds_dir`, by default tfds' own folder.

    Raises:
        ConfigError: name or split are unknown, or the set has no images.
        UserError: the set is not prepared.
    """
    name, _, split = argument.partition(":")
    split = split or "train"
    builder = _builder(name, section.get("tfds_dir"))
    try:
        count = builder.info.splits[split].num_examples
    except ValueError as error:
        raise ConfigError(
            f"config.data.source is 'tfds:{argument}', but {name} has no split {split!r}: "
            f"expected one of {sorted(builder.info.splits)} or a part such as train[:50%]"
        ) from error
    shape = (section.resolution, section.resolution, section.channels)
    if builder.info.file_format.value == "array_record":
        return RecordSource(builder, split, shape)
    if fits_memory(count, shape, section):
        return _load(builder, split, shape, count)
    class_names = _class_names(builder)
    decode = functools.partial(_example, image_shape=shape, class_names=class_names)
    return StreamSource(builder, split, count, shape, class_names, decode)


class RecordSource(Source):
    """One split of a tfds set in the array_record format, decoded when asked for. Picklable.

    Raises:
        ConfigError: the set has no images.
    """

    decodes = True

    def __init__(self, builder, split: str, image_shape: tuple[int, int, int]):
        self.name = f"tfds:{builder.info.full_name}:{split}"
        self.image_shape = image_shape
        self.class_names = _class_names(builder)
        self._records = builder.as_data_source(split=split)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Batch:
        try:
            return _example(self._records[int(index)], self.image_shape, self.class_names)
        except (RuntimeError, *DAMAGE) as error:
            raise UserError(
                f"{self.name}: record {index} is damaged ({error}); delete the prepared set and prepare it again"
            ) from error


def _load(builder, split: str, image_shape: tuple[int, int, int], count: int) -> ArraySource:
    """One split of a TFRecord set, read into memory in the order of its files."""
    import tensorflow_datasets as tfds

    name, folder = builder.info.full_name, builder.data_dir
    class_names = _class_names(builder)
    images, labels = np.empty((count, *image_shape), np.uint8), np.empty(count, np.int32)
    try:
        in_order = tfds.ReadConfig(interleave_cycle_length=1)
        records = tfds.as_numpy(builder.as_dataset(split=split, read_config=in_order))
    except ModuleNotFoundError as error:
        raise UserError(
            f"{name} in {folder} is a TFRecord set, which needs TensorFlow: install it, or prepare the set again in another "
            f"folder with {_command(builder, 'FOLDER')} and set config.data.tfds_dir to it"
        ) from error
    for index, record in enumerate(records):
        example = _example(record, image_shape, class_names)
        images[index], labels[index] = example["image"], example["label"]
    return ArraySource(f"tfds:{name}:{split}", images, labels, class_names)


def find_builder(name: str, folder: str | None, option: str):
    """The tfds builder of a set, prepared or not, below a folder (None: tfds' own).

    Raises:
        ConfigError: there is no such set; `option` is what the sentence says was wrong.
    """
    import tensorflow_datasets as tfds

    logging.getLogger("absl").setLevel(logging.ERROR)  # tfds warns of what the sentences below say
    try:
        return tfds.builder(name, data_dir=folder or None)
    except (ValueError, AssertionError) as error:  # tfds' message may list all of its thousand sets.
        raise ConfigError(
            f"{option} is 'tfds:{name}', but tensorflow_datasets knows no such set"
            f"{f' and {folder} holds none' if folder else ''}: expected a name or name/config of its catalogue"
        ) from error


def _builder(name: str, folder: str | None):
    """The tfds builder of a prepared set."""
    builder = find_builder(name, folder, "config.data.source")
    if not builder.is_prepared():
        root = folder or "~/tensorflow_datasets"
        raise UserError(f"{name} is not prepared in {root}: run {_command(builder, folder)}, which downloads it")
    return builder


def _command(builder, folder: str | None) -> str:
    """The shell command that prepares a set. (The `tfds build` command would need Apache Beam as well.)"""
    name = builder.name if builder.builder_config is None else f"{builder.name}/{builder.builder_config.name}"
    arguments = f"'{name}', file_format='array_record'" + (f", data_dir='{folder}'" if folder else "")
    return f'`python -c "import tensorflow_datasets as t; t.builder({arguments}).download_and_prepare()"`'


def _class_names(builder) -> tuple[str, ...]:
    """Names of the classes if the examples have a class label, else none."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    if "image" not in features or not isinstance(features["image"], tfds.features.Image):
        raise ConfigError(
            f"config.data.source is 'tfds:{builder.name}', a set with the features {sorted(features)}: "
            "expected images as the feature 'image'; choose another set"
        )
    labelled = "label" in features and isinstance(features["label"], tfds.features.ClassLabel)
    return tuple(features["label"].names) if labelled else ()


def _example(record: dict, image_shape: tuple[int, int, int], class_names: tuple[str, ...]) -> Batch:
    resolution, _, channels = image_shape
    pixels = record["image"]
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return {"image": fit(image, resolution, channels), "label": np.int32(record["label"] if class_names else -1)}
