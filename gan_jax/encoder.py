"""`gan-jax encoder`: a small network trained on a data set, in whose features generated images can be compared with it."""

import dataclasses
import math
import os
from contextlib import closing
from typing import Any

import numpy as np
from etils import epath
from ml_collections import ConfigDict

from gan_jax import preset
from gan_jax.data import manifest
from gan_jax.data.polygons import COUNT, draw_polygons, to_grey
from gan_jax.data.source import BUILT_IN, MEMORY, Source, fits_memory, open_source
from gan_jax.errors import ConfigError, UserError, explained
from gan_jax.inspect import open_data
from gan_jax.metrics import classifier
from gan_jax.metrics.extractors.encoder import DESCRIPTION, TENSORS, Description, save, stored
from gan_jax.report.bar import Bar
from gan_jax.report.units import quantity

RESOLUTION = 32  # where nothing else is known
TRAINED = 60_000  # polygons; the next 10,000, which the authors of the set test on, are held out
CHUNK = 4096  # images read at a time
SHOWN = 3  # confusions that are named


@dataclasses.dataclass(frozen=True)
class _Examples:
    """What an encoder learns: images uint8 [n, R, R, C] with targets as in `classifier.TASKS`, the last ones held out."""

    images: np.ndarray
    targets: np.ndarray
    held_out: int
    task: str
    outputs: tuple[str, ...]
    identity: str
    available: int


def encoder(
    data: str, out: epath.Path, resolution: int | None = None, steps: int = 1000, seed: int = 0
) -> tuple[dict[str, Any], str]:
    """Trains an encoder on a labelled data set, or on the polygons, whose angles it learns, and writes it to a folder.

    A fifth of the images, chosen at random but always the same, is held out and says how good it is. Of images that
    take more than 1 GiB, a random choice that takes no more is used.

    Args:
        data: prepared:DIR, folder:PATH, zip:PATH, tar:PATH, tfds:NAME, digits or polygons; of splits "train".
        out: a new or empty folder, on disk or in a bucket.
        resolution: pixels of a side at which it sees images; None: as the set comes, or 32 where that is open.

    Returns:
        A JSON-ready record, and what a person wants to know of it.

    Raises:
        ConfigError: arguments cannot be used, or the data have no labels or but one class.
        UserError: the data cannot be read, the training diverges, or the folder cannot be written.
    """
    if steps < 1:
        raise ConfigError(f"--steps is {steps}: expected at least 1")
    with explained(out, "cannot be used", "choose another --out"):
        if out.exists() and any(out.iterdir()):
            raise ConfigError(f"--out is {out}, which is not empty: expected a new folder")
    source = _shape(data, resolution)
    examples = _polygons() if data == "polygons" else _labelled(data, *source)
    settings = classifier.usual("convnet", steps, seed)
    if examples.task == "numbers":  # of shifted or noisy polygons the features should tell
        settings = dataclasses.replace(settings, shift=0, noise=0.1, smoothing=0)
    last = len(examples.images) - examples.held_out
    with closing(Bar(steps * settings.batch, 0)) as bar:
        names, task = examples.outputs, examples.task
        network, variables = classifier.train(
            examples.images[:last], examples.targets[:last], len(names), task, settings, bar.update
        )
    variables = stored(variables)
    _, answers = classifier.predict(network, variables, examples.images[last:])
    description = Description(
        name=_name(data),
        network=settings.network,
        task=task,
        outputs=names,
        image_shape=examples.images.shape[1:],
        data=data,
        identity=examples.identity,
        trained=last,
        held_out=examples.held_out,
        settings=dataclasses.asdict(settings),
        scores=_scores(task, answers, examples.targets[last:]),
    )
    description = save(out, description, variables)
    confusions = _confusions(answers, examples.targets[last:], names) if task == "classes" else []
    record = {**dataclasses.asdict(description), "available": examples.available, "confusions": confusions}
    return {"folder": str(out), **record}, _as_text(description, out, examples.available, confusions)


def vertex_angles(corners: np.ndarray) -> np.ndarray:
    """Angles float64 [n, 3] in degrees, rising from 0 to 360, of triangles' corners [n, 3, 2] about their circumcentres.

    The corners are those of `data.polygons`, of which each has a segment of the circle to itself; the direction from
    the centre along the rows is 0.
    """
    edges = corners[:, 1:] - corners[:, :1]
    centre = np.linalg.solve(2 * edges, np.square(edges).sum(axis=-1, keepdims=True))[..., 0]
    row, column = np.moveaxis(corners - corners[:, :1] - centre[:, None], -1, 0)
    return np.degrees(np.arctan2(column, row)) % 360


def _shape(data: str, resolution: int | None) -> tuple[int, int]:
    """Resolution and channels at which a data set is read."""
    word, _, argument = data.partition(":")
    if data in BUILT_IN or (word == "prepared" and argument):
        side, channels = BUILT_IN[data] if data in BUILT_IN else manifest.read(argument).image_shape[1:]
        if resolution not in (None, side):
            raise ConfigError(
                f"--resolution is {resolution}, but the images of {data} have {side} pixels: leave it out"
            )
        return side, channels
    if resolution is not None and resolution < 8:
        raise ConfigError(f"--resolution is {resolution}: expected at least 8 pixels")
    found, _ = preset.look(open_data(data))
    return resolution or RESOLUTION, found["channels"]


def _polygons() -> _Examples:
    count = TRAINED + 10_000
    images, corners = draw_polygons(COUNT)
    targets = np.radians(vertex_angles(corners) - 180).astype(np.float32)
    names = tuple(f"angle of vertex {number} - 180, in radians" for number in (1, 2, 3))
    return _Examples(to_grey(images[:count]), targets[:count], 10_000, "numbers", names, f"{COUNT} examples", count)


def _labelled(data: str, resolution: int, channels: int) -> _Examples:
    source = open_source(ConfigDict({"source": data, "resolution": resolution, "channels": channels}))
    if source.num_classes < (1 if source.label_dim else 2):
        found = f"the one class {source.class_names[0]!r}" if source.num_classes else "no labels"
        raise ConfigError(f"--data is {data!r}, which has {found}: expected labels of two classes or more to learn")
    images, targets = _read(source)
    if not source.label_dim and (targets < 0).any():
        raise UserError(f"{data} holds {(targets < 0).sum():,} images without a label: label or remove them")
    held_out = math.ceil(len(images) / 5)
    task = "labels" if source.label_dim else "classes"
    return _Examples(images, targets, held_out, task, source.class_names, source.identity, len(source))


def _read(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels in a random but fixed order, as many as fit the memory; those held out, the first, come last."""
    order = np.random.RandomState(0).permutation(len(source))
    if not fits_memory(len(source), source.image_shape, {"memory": MEMORY}):
        order = order[: MEMORY * 2**20 // math.prod(source.image_shape)]
    order = np.roll(order, -math.ceil(len(order) / 5))
    images = np.empty((len(order), *source.image_shape), np.uint8)
    labels = (
        np.empty((len(order), source.label_dim), np.float32) if source.label_dim else np.empty(len(order), np.int32)
    )
    for start in range(0, len(order), CHUNK):
        part = source.read(order[start : start + CHUNK])
        images[start : start + CHUNK], labels[start : start + CHUNK] = part["image"], part["label"]
    return images, labels


def _name(data: str) -> str:
    """The last part of the words: of folder:photos/cats it is cats."""
    return os.path.basename(os.path.abspath(data.partition(":")[2] or data))


def _scores(task: str, answers: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    if task == "numbers":  # the polygons' angles
        return {"error": math.degrees(np.sqrt(np.square(answers - targets).mean()))}
    right = answers.argmax(axis=-1) == targets if task == "classes" else (answers > 0) == (targets > 0.5)
    return {"accuracy": float(right.mean())}


def _confusions(answers: np.ndarray, targets: np.ndarray, names: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: (class, class it is taken for, how often)."""
    said = answers.argmax(axis=-1)
    wrong = said != targets
    pairs, counts = np.unique(np.stack([targets, said], axis=-1)[wrong], axis=0, return_counts=True)
    worst = np.argsort(-counts, kind="stable")[:SHOWN]
    return [(names[pairs[i, 0]], names[pairs[i, 1]], int(counts[i])) for i in worst]


def _as_text(about: Description, out: epath.Path, available: int, confusions: list[tuple[str, str, int]]) -> str:
    height, width, channels = about.image_shape
    used = about.trained + about.held_out
    if "error" in about.scores:
        found = f"the angles of its vertices are off by {about.scores['error']:.2f} degrees (root mean square)"
    else:
        what = "are recognised" if about.task == "classes" else "of the labels are told right"
        found = f"{about.scores['accuracy']:.2%} {what}"
    lines = [
        f"encoder {about.name}: sees {height} x {width} x {channels}, trained on {about.trained:,} images of {about.data}",
        f"of {about.held_out:,} images held out, {found}",
    ]
    if used < available:
        lines.insert(1, f"of {available:,} images {used:,} were used")
    if confusions:
        said = ", ".join(f"{name} for {other} ({count})" for name, other, count in confusions)
        lines.append(f"most often mistaken: {said}")
    size = quantity((out / TENSORS).stat().length)
    return "\n".join([*lines, f"{out}: {TENSORS} ({size}B, SHA-256 {about.sha256[:8]}...) and {DESCRIPTION}"])
