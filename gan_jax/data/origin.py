"""What a data set is before it is prepared: named images with labels in splits, each opened only when its turn comes."""

import abc
import dataclasses
from collections.abc import Callable, Iterator

from PIL import Image


@dataclasses.dataclass(frozen=True)
class Item:
    """One image with its label.

    Attributes:
        name: unique within its split, such as the path of a file below the folder; shown when the image is damaged.
        label: class number (-1 without classes), or a tuple of numbers where the set has several labels per image.
        open: opens the image; raises one of `data.image.DAMAGE` if it cannot. Called in the process that prepares it.
    """

    name: str
    label: int | tuple[float, ...]
    open: Callable[[], Image.Image]


class Origin(abc.ABC):
    """Images to prepare. Picklable: every process of a preparation has its own copy.

    Attributes:
        name: the words that name it, such as "folder:photos".
        class_names: one name per class, or per entry of a label vector; empty without labels.
        label_dim: 0 where labels are class numbers, else the length of the label vectors.
        splits: number of images of each split; a set without splits has "train" alone.
    """

    name: str
    class_names: tuple[str, ...]
    label_dim: int
    splits: dict[str, int]

    @property
    def identity(self) -> str:
        """What tells these images from others under the same name, as far as it can be known without reading them."""
        return self.name

    @abc.abstractmethod
    def items(self, split: str, start: int, stop: int) -> Iterator[Item]:
        """Items start .. stop - 1 of a split, always the same, in an order that does not sort by class."""
