"""A source, which needs no preparation, seen as what could be prepared: for looking at its images."""

import functools
from collections.abc import Iterator, Mapping

from PIL import Image

from gan_jax.data.origin import Item, Origin
from gan_jax.data.source import Source
from gan_jax.errors import UserError


class SourceOrigin(Origin):
    """The splits of a data set, each a source; items are named by their numbers.

    Args:
        name: the words that name the set.
        sources: split -> source, all with the same classes.
    """

    def __init__(self, name: str, sources: Mapping[str, Source]):
        self.name, self._sources = name, sources
        first = next(iter(sources.values()))
        self.class_names, self.label_dim = first.class_names, first.label_dim
        self.splits = {split: len(source) for split, source in sources.items()}

    def items(self, split: str, start: int, stop: int) -> Iterator[Item]:
        source = self._sources[split]
        for index in range(start, stop):
            try:
                example = source[index]
            except UserError as error:
                yield Item(f"number {index}", -1, functools.partial(_fail, error))
                continue
            label = tuple(example["label"].tolist()) if self.label_dim else int(example["label"])
            yield Item(f"number {index}", label, functools.partial(_image, example["image"]))


def _image(pixels) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _fail(error: UserError) -> Image.Image:
    raise OSError(str(error))
