"""Sets of TensorFlow Datasets as something to prepare, downloaded first where they are not on disk yet."""

import functools
import io
import logging
from collections.abc import Iterator

import numpy as np
from PIL import Image

from gan_jax.data.image import open_image
from gan_jax.data.origin import Item, Origin
from gan_jax.data.tfds_source import find_builder
from gan_jax.errors import ConfigError, UserError

# tfds tries a download ten times, which takes four minutes without a network; three times take seconds.
DOWNLOAD_RETRIES = 3


class TfdsOrigin(Origin):
    """All splits of `tfds:NAME[/CONFIG][:VERSION]`.

    Args:
        words: these words.
        folder: where tfds keeps its sets; None for its own default.

    Raises:
        ConfigError: the set is unknown, or has no images of 8 or 16 bits.
        UserError: it is not on disk and cannot be downloaded.
    """

    def __init__(self, words: str, folder: str | None = None):
        self.name, self.label_dim = words, 0
        builder = _builder(words.partition(":")[2], folder)
        if not builder.is_prepared():
            _download(builder)
        self._folder = str(builder.data_dir)
        self.class_names = _class_names(builder)
        self.splits = {name: split.num_examples for name, split in builder.info.splits.items()}

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def items(self, split: str, start: int, stop: int) -> Iterator[Item]:
        records = self._records if self._opened.info.file_format.value == "array_record" else self._records_in_order
        for index, record in enumerate(records(split, start, stop), start):
            label = int(record["label"]) if self.class_names else -1
            yield Item(f"record {index}", label, functools.partial(_open, record["image"]))

    @functools.cached_property
    def _opened(self):
        import tensorflow_datasets as tfds

        return tfds.builder_from_directory(self._folder)

    def _records(self, split: str, start: int, stop: int) -> Iterator[dict]:
        source = self._opened.as_data_source(split, decoders=_encoded())
        for index in range(start, stop):
            try:
                yield source[index]
            except RuntimeError as error:
                raise UserError(
                    f"record {index} of {split} in {self._folder} is damaged ({error}): delete that folder; the same "
                    "command then downloads the set again"
                ) from error

    def _records_in_order(self, split: str, start: int, stop: int) -> Iterator[dict]:
        import tensorflow_datasets as tfds

        in_order = tfds.ReadConfig(interleave_cycle_length=1)
        part = f"{split}[{start}:{stop}]"
        try:
            records = self._opened.as_dataset(split=part, read_config=in_order, decoders=_encoded())
        except ModuleNotFoundError as error:
            raise UserError(
                f"{self._folder} holds a TFRecord set, which needs TensorFlow: install it, or give another --tfds-dir to "
                "download the set anew"
            ) from error
        yield from tfds.as_numpy(records)


def _open(content: bytes) -> Image.Image:
    return open_image(io.BytesIO(content))


def _encoded() -> dict:
    """Leaves images as the files they are, as their own mode tells whether they are unusual."""
    import tensorflow_datasets as tfds

    return {"image": tfds.decode.SkipDecoding()}


def _builder(name: str, folder: str | None):
    """The builder of a set: as it is on disk, else to be prepared in the array_record format."""
    import tensorflow_datasets as tfds

    builder = find_builder(name, folder, "--source")
    return builder if builder.is_prepared() else tfds.builder(name, data_dir=folder, file_format="array_record")


def _class_names(builder) -> tuple[str, ...]:
    import tensorflow_datasets as tfds

    features = dict(builder.info.features.items())
    image, label = features.get("image"), features.get("label")
    if not isinstance(image, tfds.features.Image) or np.dtype(image.np_dtype).kind != "u":
        raise ConfigError(
            f"--source is 'tfds:{builder.name}', a set with the features {sorted(features)}: "
            "expected images of 8 or 16 bits as the feature 'image'; choose another set"
        )
    return tuple(label.names) if isinstance(label, tfds.features.ClassLabel) else ()


def _download(builder) -> None:
    """Downloads and prepares a set by its own tfds code.

    Raises:
        UserError: what must be done by hand first, or why it fails.
    """
    from tensorflow_datasets.core.download import downloader

    manual, archives = builder.MANUAL_DOWNLOAD_INSTRUCTIONS, builder.data_dir_root / "downloads" / "manual"
    by_hand = " ".join((manual or "").split())
    if manual and not (archives.exists() and any(archives.iterdir())):
        raise UserError(
            f"{builder.name} cannot be downloaded automatically: put its archives into {archives} and run the same command "
            f"again; what tensorflow_datasets says of them: {by_hand}"
        )
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    before, downloader.MAX_RETRIES = downloader.MAX_RETRIES, DOWNLOAD_RETRIES
    try:
        builder.download_and_prepare()
    except ModuleNotFoundError as error:
        raise UserError(
            f"tensorflow_datasets needs the package {error.name} to prepare {builder.name}: install it and run the same "
            "command again"
        ) from error
    except Exception as error:  # whatever the code of a thousand sets may raise
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{builder.name} could not be downloaded to {builder.data_dir_root} and prepared ({type(error).__name__}: "
            f"{reason}): see to the network"
            + (f" and to the archives in {archives} ({by_hand})" if manual else "")
            + " and run the same command again"
        ) from error
    finally:
        downloader.MAX_RETRIES = before
