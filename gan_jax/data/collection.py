"""What the names in a folder or archive of images say: splits, classes and labels."""

import functools
import hashlib
import io
import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from gan_jax.data.archives import Tar, Zip
from gan_jax.data.files import LABELS, Files, Folder
from gan_jax.data.image import open_image
from gan_jax.data.origin import Item, Origin
from gan_jax.data.source import decoders
from gan_jax.errors import UserError, explained

MAX_CLASSES = 1_000_000

# Name of a top-level folder in lower case -> split.
SPLITS = {"train": "train", "test": "test", "val": "validation", "validation": "validation"}

# A folder for every thousand images, as StyleGAN's dataset_tool.py ("00012/img00012345.png") and FFHQ
# ("12000/12345.png") have them: parts of one set, not classes.
_THOUSANDS = re.compile(r"(\d{5})/img\1\d{3}\.\w+|(\d\d)000/\2\d{3}\.\w+")

# So many file sizes at most go into the identity: for a folder, each is a call to a file system that may be far.
_SIZES = 4096


class Members(NamedTuple):
    """The images of one split.

    Attributes:
        names: of the files, sorted by class and name.
        labels: int32 [n], -1 for unlabelled, or float32 [n, label_dim].
    """

    names: list[str]
    labels: np.ndarray


class Collection(Origin):
    """Image files, sorted into splits and classes by their names.

    One folder around all others is passed through, as archives often have it. If the top-level folders are called train,
    test, val or validation (in any case), they are splits; else there is the split "train" alone. Labels are found in
    this order:
    - `dataset.json` as StyleGAN's dataset_tool.py writes it, {"labels": [[file, label], ...]} or {"labels": null}:
      labels are class numbers from 0 on, or lists of numbers of one length; each image has one.
    - Subfolders are classes in sorted order, the same in every split. Images of one class lie in one folder, the
      class folder or one below it. A split but "train" may lack classes, or class folders at all.
    - Images in one place, or in a folder for every thousand of them (StyleGAN, FFHQ), are unlabelled.

    Attributes:
        files: where the images are read.
        members: split -> its images.

    Raises:
        UserError: there are no images, or splits, folders or labels contradict each other.
    """

    def __init__(self, files: Files):
        self.name, self.files = files.name, files
        if not files.names:
            raise UserError(
                f"{files.name} holds no PNG, JPEG, WebP, GIF, BMP or TIFF images: "
                "expected images, or one subfolder per class"
            )
        top, listed = "", files.text(LABELS)
        if listed is None and (top := _common_folder(files)):
            listed = files.text(top + LABELS)
        roots = self._roots(top)
        names = {split: [name for name in files.names if name.startswith(root)] for split, root in roots.items()}
        if listed is None:
            self.class_names, labels = self._labels_by_folder(names, roots)
        else:
            self.class_names, labels = self._labels_by_list(names, top, listed)
        self.members = {split: _sorted(names[split], labels[split]) for split in names}
        self.splits = {split: len(members.names) for split, members in self.members.items()}
        vectors = any(values.ndim == 2 for values in labels.values())
        self.label_dim = len(self.class_names) if vectors else 0

    @functools.cached_property
    def identity(self) -> str:
        """16 hexadecimal digits that depend on all names and labels and on up to 4096 file sizes, spread evenly.

        Raises:
            UserError: a file has vanished.
        """
        digest = hashlib.sha256()
        for split, (names, labels) in sorted(self.members.items()):
            sample = names[:: -(-len(self.files.names) // _SIZES)]
            try:
                sizes = list(decoders().map(self.files.size, sample))
            except OSError as error:
                raise UserError(f"{self.name}: a file has vanished ({error}): run the same command again") from error
            for part in (split, *names, *self.class_names):
                digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
            digest.update(labels.tobytes() + np.array(sizes, np.int64).tobytes())
        return digest.hexdigest()[:16]

    def items(self, split: str, start: int, stop: int) -> Iterator[Item]:
        """As `Origin.items`, in the order of a permutation that depends on the number of images alone."""
        names, labels = self.members[split]
        for index in np.random.RandomState(0).permutation(len(names))[start:stop]:
            label = tuple(labels[index].tolist()) if self.label_dim else int(labels[index])
            yield Item(names[index], label, functools.partial(_open, self.files, names[index]))

    def _refused(self, folder: str, what: str) -> UserError:
        return UserError(f"{self.name}{'/' if folder else ''}{folder} {what}")

    def _roots(self, top: str) -> dict[str, str]:
        """Split -> the beginning that its names have in common."""
        tops = sorted({name[len(top) :].partition("/")[0] for name in self.files.names})
        if not all(name.lower() in SPLITS for name in tops):
            return {"train": top}
        roots = {SPLITS[name.lower()]: f"{top}{name}/" for name in tops}
        if len(roots) < len(tops):
            raise self._refused(top[:-1], f"holds the folders {', '.join(tops)}: expected one for each split")
        return roots

    def _labels_by_folder(self, names, roots) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
        """Class names, and split -> int32 [n] by the first folder below the split's."""
        folders = {split: self._class_folders(names[split], root) for split, root in roots.items()}
        found = {split: set(filter(None, folders[split])) for split in roots}
        classes = found["train"] if "train" in found else set().union(*found.values())
        if classes and "train" in found:
            self._check_no_class_is_empty(classes, roots["train"])
        for split, root in roots.items():
            for folder in sorted(found[split] - classes):
                raise self._refused(
                    root + folder,
                    f"is a class folder of the split {split}, but train has no such class: "
                    "give all splits the same class folders, or rename the split's folder",
                )
        number = {name: index for index, name in enumerate(sorted(classes))} | {"": -1}
        labels = {split: np.array([number[name] for name in folders[split]], np.int32) for split in roots}
        return tuple(sorted(classes)), labels

    def _class_folders(self, names: list[str], root: str) -> list[str]:
        """The class folder of each name, "" for those of an unlabelled split."""
        below = [name[len(root) :] for name in names]
        if all(_THOUSANDS.fullmatch(name) for name in below):
            return [""] * len(below)
        parents = sorted({name.rpartition("/")[0] for name in below})
        if parents[0] == "" and len(parents) > 1:
            stray = next(name for name in below if "/" not in name)
            raise self._refused(
                root[:-1],
                f"holds images ({stray}) beside folders ({parents[1]}): "
                "expected either one subfolder per class or images only",
            )
        first: dict[str, str] = {}
        for parent in parents:
            folder = parent.partition("/")[0]
            if first.setdefault(folder, parent) != parent:
                raise self._refused(
                    root + folder,
                    f"holds images in several folders ({first[folder]}, {parent}): expected the images of one class in "
                    f"one folder; is {folder} itself the data set?",
                )
        return [name.partition("/")[0] if "/" in name else "" for name in below]

    def _check_no_class_is_empty(self, classes: set[str], root: str) -> None:
        for folder in self.files.folders:
            name = folder[len(root) :]
            if folder.startswith(root) and name and "/" not in name and name not in classes:
                raise UserError(
                    f"the class folder {self.name}/{folder} holds no PNG, JPEG or other images: add some or remove it"
                )

    def _labels_by_list(self, names, top: str, text: str) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
        """Class names, and split -> int32 [n] or float32 [n, label_dim] by the list in `dataset.json`."""
        file = top + LABELS
        try:
            pairs = json.loads(text)["labels"]
            listed = None if pairs is None else dict(pairs)
        except (ValueError, KeyError, TypeError) as error:
            raise self._refused(
                file, f'cannot be read ({error!r}): expected {{"labels": [["file.png", 3], ...]}} or {{"labels": null}}'
            ) from error
        if listed is None:
            return (), {split: np.full(len(names[split]), -1, np.int32) for split in names}
        labels = {split: [listed.pop(name[len(top) :], None) for name in names[split]] for split in names}
        for split in names:
            if None in labels[split]:
                name = names[split][labels[split].index(None)]
                raise self._refused(file, f"has no label for {name}: expected one for each image; add it")
        for name in listed:
            raise self._refused(file, f"has a label for {name}, which is no image here: remove it or add the image")
        return self._checked(file, names, labels)

    def _checked(self, file: str, names, labels: dict[str, list[Any]]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
        first = next(label for values in labels.values() for label in values)
        is_label = _is_class if _is_class(first) else functools.partial(_is_vector, first)
        for split, values in labels.items():
            for name, label in zip(names[split], values, strict=True):
                if not is_label(label):
                    raise self._refused(
                        file,
                        f"gives {name} the label {str(label)[:80]}: expected class numbers below {MAX_CLASSES} for all "
                        "images, or for all images a list of numbers of one length",
                    )
        vectors = is_label is not _is_class
        arrays = {split: np.array(values, np.float32 if vectors else np.int32) for split, values in labels.items()}
        count = len(first) if vectors else 1 + max(values.max() for values in arrays.values())
        return tuple(str(number) for number in range(count)), arrays


def open_collection(word: str, path: str, staging: str | None = None) -> Collection:
    """Opens a folder or archive of images.

    Args:
        word: "folder", "zip" or "tar".
        path: where it lies; `~` and remote places ("gs://...") are understood.
        staging: existing folder in which compressed tar archives are unpacked; by default that for temporary files.

    Raises:
        ConfigError: there is no such folder or file; the sentence begins with "there is no".
        UserError: as `Collection`, `Folder`, `Zip` and `Tar`.
    """
    with explained(path, "cannot be read", "see that it is in reach"):
        return Collection(Tar(path, staging) if word == "tar" else {"folder": Folder, "zip": Zip}[word](path))


def _common_folder(files: Files) -> str:
    """The only top-level folder with a slash, or "" if there are others, images beside it, or it is a split."""
    tops = {name.partition("/")[0] for name in (*files.folders, *files.names)}
    only = tops.pop()
    return "" if tops or only in files.names or only.lower() in SPLITS else f"{only}/"


def _sorted(names: list[str], labels: np.ndarray) -> Members:
    """By class number; within a class, or where labels are vectors, the order of the names remains."""
    if labels.ndim == 2:
        return Members(names, labels)
    order = np.argsort(labels, kind="stable")
    return Members([names[index] for index in order], labels[order])


def _is_class(label: Any) -> bool:
    return type(label) is int and 0 <= label < MAX_CLASSES


def _is_vector(like: Any, label: Any) -> bool:
    """Whether both are lists of finite numbers of one length."""
    if not isinstance(like, list) or not isinstance(label, list) or not 0 < len(label) == len(like):
        return False
    return all(type(number) in (int, float) and math.isfinite(number) for number in label)


def _open(files: Files, name: str) -> Image.Image:
    return open_image(io.BytesIO(files.read(name)))
