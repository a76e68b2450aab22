"""A folder of image files: one subfolder per class, or all files in one place without labels."""

import os

import numpy as np

from gan_jax.data.image import decode
from gan_jax.data.source import Batch, Source, cache_if_small
from gan_jax.errors import ConfigError, UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def open_section(argument: str, section) -> Source:
    """Opens "folder:PATH" for `data.source.open_source`, kept in memory if small."""
    return cache_if_small(FolderSource(argument, section.resolution, section.channels))


class FolderSource(Source):
    """PNG, JPEG and WebP files (suffix in any case), decoded when asked for.

    Subfolders are the classes, in the order of their sorted names; a folder without subfolders is an unlabelled set.
    Files are numbered by class and sorted name. Hidden entries and files of other kinds are passed over.

    Raises:
        ConfigError: the folder is missing or is no folder.
        UserError: it holds no images, a class has none, or images lie beside class folders.
    """

    def __init__(self, path: str, resolution: int, channels: int):
        self.name = f"folder:{path}"
        self.image_shape = (resolution, resolution, channels)
        root = os.path.expanduser(path)
        if not os.path.isdir(root):
            raise ConfigError(f"config.data.source is 'folder:{path}', but there is no folder {path}: check the path")
        classes, files = _list(root)
        if classes and files:
            raise UserError(
                f"{path} holds images ({files[0]}) beside folders ({classes[0]}): "
                "expected either one subfolder per class or images only"
            )
        if not classes and not files:
            raise UserError(f"{path} holds no PNG, JPEG or WebP images: expected images, or one subfolder per class")
        self.class_names = tuple(classes)
        listing = [_images_of_class(root, name) for name in classes] if classes else [(root, files)]
        self._paths = [os.path.join(folder, name) for folder, names in listing for name in names]
        numbers = range(len(classes)) if classes else [-1]
        self._labels = np.repeat(np.array(numbers, np.int32), [len(names) for _, names in listing])

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Batch:
        resolution, _, channels = self.image_shape
        return {"image": decode(self._paths[index], resolution, channels), "label": self._labels[index]}


def _images_of_class(root: str, name: str) -> tuple[str, list[str]]:
    folder = os.path.join(root, name)
    deeper, files = _list(folder)
    if not files:
        hint = f"; it holds folders ({deeper[0]}): is {folder} itself the data set?" if deeper else ""
        raise UserError(f"the class folder {folder} holds no PNG, JPEG or WebP images: add some or remove it{hint}")
    return folder, files


def _list(folder: str) -> tuple[list[str], list[str]]:
    """Sorted names of the subfolders and of the image files, without a system call per file."""
    folders, files = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif entry.name.lower().endswith(SUFFIXES):
                files.append(entry.name)
    return sorted(folders), sorted(files)
