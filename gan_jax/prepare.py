"""`gan-jax prepare`: a data set made ready for training, once."""

import os
from contextlib import closing
from typing import Any

from gan_jax.data.collection import open_collection
from gan_jax.data.manifest import Manifest
from gan_jax.data.origin import Origin
from gan_jax.data.preparation import Preparation
from gan_jax.data.shard import Options
from gan_jax.data.tfds_origin import TfdsOrigin
from gan_jax.data.whole import Place
from gan_jax.errors import ConfigError
from gan_jax.report.bar import Bar
from gan_jax.report.units import quantity
from gan_jax.stopping import DONE, STOPPED, stop_signals

RAW = {"folder": "folder:PATH", "zip": "zip:PATH", "tar": "tar:PATH", "tfds": "tfds:NAME"}  # what can be prepared
LISTED = 10  # images named on the terminal; the manifest names all


def open_origin(words: str, tfds_dir: str | None = None, option: str = "--source") -> Origin:
    """What an option of the command line names.

    Raises:
        ConfigError: the words cannot be used.
        UserError: the data are absent or damaged.
    """
    word, _, argument = words.partition(":")
    if argument and word in ("folder", "zip", "tar"):
        try:
            return open_collection(word, argument)
        except ConfigError as error:
            raise ConfigError(f"{option} is {words!r}, but {error}") from error
    if argument and word == "tfds":
        return TfdsOrigin(words, tfds_dir)
    raise ConfigError(f"{option} is {words!r}: expected one of {', '.join(RAW.values())}")


def prepare(
    origin: Origin, options: Options, out: Place, workers: int | None = None, host: tuple[int, int] = (0, 1)
) -> tuple[int, dict[str, Any], str]:
    """Prepares an origin in the folder `out`, or goes on where it stopped, and says on stderr how far it is.

    Args:
        out: on disk or in a bucket (gs://).
        workers: number of processes; one for every core this process may use if None.
        host: (index, count) of this host among those that prepare the set together.

    Returns:
        The exit code (0; 42 when it was asked to stop), the summary for --json, and the summary as text.

    Raises:
        UserError: of class ConfigError if arguments or `out` cannot be used; nothing is touched then.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers is {workers}: expected at least 1")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    preparation = Preparation(origin, options, out, host)
    with stop_signals() as stop:
        progress = preparation.run(workers or cores, stop)
        done = next(progress)
        with closing(Bar(preparation.total, done)) as bar:
            bar.update(done)
            for done in progress:
                bar.update(done)
        if stop():
            text = f"stopped at {done} of {preparation.total} images; the same command goes on"
            return STOPPED, {"finished": False, "missing_shards": preparation.missing()}, text
        result = preparation.finish()
    if result is None:
        missing = preparation.missing()
        text = (
            f"this host's part is done; {missing} shards of other hosts are missing, and the last host finishes {out}"
        )
        return DONE, {"finished": False, "missing_shards": missing}, text
    return DONE, _summary(result, out), _as_text(result, out)


def _summary(result: Manifest, out: Place) -> dict[str, Any]:
    return {
        "finished": True,
        "folder": str(out),
        "image_shape": result.image_shape,
        "splits": {name: split.count for name, split in result.splits.items()},
        "classes": len(result.class_names),
        "label_dim": result.label_dim,
        "bytes": result.bytes,
        "shards": sum(len(split.shards) for split in result.splits.values()),
        "content_hash": result.content_hash,
        **{kind: len(_named(result, kind)) for kind in ("converted", "skipped", "damaged")},
        "versions": result.versions,
    }


def _as_text(result: Manifest, out: Place) -> str:
    height, width, channels = result.image_shape
    counts = ", ".join(f"{name} {split.count}" for name, split in result.splits.items())
    entries = f"{result.label_dim} labels per image" if result.label_dim else f"{len(result.class_names)} classes"
    lines = [
        f"{out}: {counts} images of {height} x {width} x {channels}, {entries if result.class_names else 'no labels'}",
        f"{quantity(result.bytes)}B, content {result.content_hash}",
    ]
    for kind in ("converted", "skipped", "damaged"):
        if images := _named(result, kind):
            said = "left out as damaged" if kind == "damaged" else kind
            lines.append(f"{len(images)} images were {said}:")
            lines += [f"  {split} {name}: {reason}" for split, name, reason in images[:LISTED]]
            if len(images) > LISTED:
                lines.append(f"  and {len(images) - LISTED} more, all in {out / 'manifest.json'}")
    lines.append(f"train on it by --config.data.source=prepared:{out} --config.data.resolution={height}")
    return "\n".join(lines)


def _named(result: Manifest, kind: str) -> list[tuple[str, str, str]]:
    return [(name, *pair) for name, split in result.splits.items() for pair in getattr(split, kind)]
