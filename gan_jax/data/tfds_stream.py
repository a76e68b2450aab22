"""TFRecord sets of TensorFlow Datasets that are too large for memory: read from front to back through a shuffle buffer."""

import itertools
from collections.abc import Callable, Iterator

import jax
import numpy as np

from gan_jax.data.source import Batch, Source, decoders
from gan_jax.errors import UserError

BUFFER = 10_000  # records in the shuffle buffer, encoded


class StreamSource(Source):
    """A convenience with weaker promises than all other sources: the order is that of a shuffle buffer.

    `read` gives the next examples of an endless stream, whatever their indices. An epoch is a permutation only roughly,
    each process reads files of its own, and a run that is resumed goes on with another shuffle (chosen by the position)
    instead of the very next example. `gan-jax prepare` makes such a set exact.

    Args:
        builder: of tfds, prepared as TFRecord.
        split: of the builder, with `count` examples.
        image_shape: (height, width, channels).
        class_names: empty for an unlabelled set.
        example: turns a record of tfds into image and label.
    """

    exact = False

    def __init__(self, builder, split: str, count: int, image_shape, class_names, example: Callable[[dict], Batch]):
        self.name = f"tfds:{builder.info.full_name}:{split}"
        self.image_shape, self.class_names = image_shape, class_names
        self._builder, self._split, self._count, self._example = builder, split, count, example
        self._records: Iterator[dict] | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Batch:
        raise UserError(
            f"{self.name} is read as a stream, which has no numbered examples: make it so by `gan-jax prepare`"
        )

    def read(self, indices: np.ndarray) -> Batch:
        if self._records is None:
            self._records = self._stream(seed=int(indices[0]))
        records = itertools.islice(self._records, len(indices))
        try:
            examples = list(decoders().map(self._example, records))
        except Exception as error:  # TensorFlow has errors of its own for every fault of a file
            raise UserError(f"{self.name} cannot be read on ({error}): delete the set and prepare it again") from error
        return {leaf: np.stack([example[leaf] for example in examples]) for leaf in ("image", "label")}

    def _stream(self, seed: int) -> Iterator[dict]:
        """Endless records of this process's files; a larger seed in a resumed run gives another order."""
        try:
            import tensorflow as tf
            import tensorflow_datasets as tfds
        except ModuleNotFoundError as error:
            raise UserError(
                f"{self.name} is a TFRecord set, which needs TensorFlow: install it, or make it readable without by "
                "`gan-jax prepare`"
            ) from error
        share = tf.distribute.InputContext(jax.process_count(), jax.process_index())
        config = tfds.ReadConfig(shuffle_seed=seed, input_context=share if share.num_input_pipelines > 1 else None)
        data = self._builder.as_dataset(split=self._split, shuffle_files=True, read_config=config)
        data = data.shuffle(min(BUFFER, self._count), seed).repeat().prefetch(tf.data.AUTOTUNE)
        return iter(tfds.as_numpy(data))
