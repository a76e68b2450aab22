"""Preparing a data set: images of any origin become shards of records that are read at random.

A folder in preparation holds `preparing/options.json`, the finished shards, and a report on each of them in
`preparing/`. The same command goes on from there, and hosts that share the folder can each do a part. When all shards
are there, the metadata of TensorFlow Datasets and last the manifest are written: without it no set counts as prepared.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import math
import multiprocessing
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from etils import epath

from gan_jax.data import manifest, records, shard
from gan_jax.data.manifest import OPTIONS, PROGRESS, Manifest, Shard, Split
from gan_jax.data.origin import Origin
from gan_jax.data.shard import DATASET, Options, Task
from gan_jax.data.source import decoders
from gan_jax.data.whole import Place, put, put_json
from gan_jax.errors import ConfigError, UserError, explained, is_remote

# A shard is what is lost by an interruption, so it is limited in images too, which take time to decode.
SHARD_BYTES, SHARD_IMAGES = 2**27, 4096
# Training keeps every shard open, and many systems allow a process 1024 files.
MAX_SHARDS = 512
POLL_SECONDS = 0.1


class Preparation:
    """One origin on its way into one folder.

    Args:
        origin, options, folder: what, how, where; the folder is made if missing, and may be in a bucket.
        host: (index, count) of this host among those that prepare the set together; it does every count-th shard.

    Attributes:
        total: number of images that this host prepares.

    Raises:
        ConfigError: the folder holds a finished set, a preparation with other options, or something else.
        UserError: the bucket cannot be reached.
    """

    def __init__(self, origin: Origin, options: Options, folder: Place, host: tuple[int, int] = (0, 1)):
        self._origin, self._options = origin, options
        self._folder = folder if is_remote(folder) else Path(folder)
        self._tasks = plan(origin.splits, options.resolution**2 * options.channels)
        self._mine = self._tasks[host[0] :: host[1]]
        self.total = sum(task.stop - task.start for task in self._mine)
        self._begin()

    def run(self, workers: int, stop: Callable[[], bool]) -> Iterator[int]:
        """Writes what is missing of this host's shards and yields, several times a second, how many images are done.

        Args:
            workers: number of processes.
            stop: asked just as often; if it says yes, the shards in work are given up and nothing more is yielded.

        Raises:
            UserError: an image is damaged or unusual and that is fatal (other shards in work are completed first), the
                disk is full, or a worker was killed.
        """
        missing = [t for t, report in zip(self._mine, self._reports(self._mine), strict=True) if report is None]
        done = self.total - sum(task.stop - task.start for task in missing)
        yield done
        if not missing:
            return
        context = multiprocessing.get_context("spawn")
        counter, stopping = context.Value("q", 0), context.Event()
        arguments = (self._origin, self._options, self._folder, counter, stopping)
        pool = concurrent.futures.ProcessPoolExecutor(min(workers, len(missing)), context, shard.begin, arguments)
        failures: list[BaseException] = []
        try:
            with _signals_kept_from_children():
                pending = {pool.submit(shard.write, task) for task in missing}
            while pending and not stop():
                finished, pending = concurrent.futures.wait(pending, POLL_SECONDS, "FIRST_COMPLETED")
                failures += [error for future in finished if (error := future.exception())]
                if failures:
                    pending = {future for future in pending if not future.cancel()}
                yield done + counter.value
        finally:
            stopping.set()
            pool.shutdown(cancel_futures=True)
        if failures and isinstance(failures[0], BrokenProcessPool):
            raise UserError(
                "a worker process has died: if the machine ran out of memory, lower --workers; the same command goes on"
            ) from failures[0]
        if failures:
            raise failures[0]

    def finish(self) -> Manifest | None:
        """Makes the folder a prepared set if all shards of all hosts are there; None if some are missing.

        Several hosts may do this at once.

        Raises:
            UserError: the disk is full.
        """
        try:
            reports = self._reports(self._tasks)
            if None not in reports:
                with explained(self._folder, help="free some space; the same command goes on"):
                    result = self._manifest(reports)
                    self._write_metadata(result)
                    result.write(self._folder)
        except UserError:
            if not self.finished():  # by another host, which has cleared up meanwhile
                raise
        if not self.finished():
            return None
        self._clear_up()
        return manifest.read(self._folder)

    def finished(self) -> bool:
        """Whether the folder holds a finished set."""
        with explained(self._folder, "cannot be used", "choose another --out", ConfigError):
            return (self._folder / manifest.NAME).exists()

    def missing(self) -> int:
        """How many shards of all hosts are missing."""
        return self._reports(self._tasks).count(None)

    def _clear_up(self) -> None:
        """Removes what a finished set can do without, as far as it goes."""
        progress = self._folder / PROGRESS
        if is_remote(progress):
            with contextlib.suppress(UserError), explained(progress):
                progress.rmtree()
        else:
            shutil.rmtree(progress, ignore_errors=True)

    def _begin(self) -> None:
        folder, record = self._folder, self._folder / PROGRESS / OPTIONS
        if self.finished():
            raise ConfigError(
                f"--out is {folder}, which holds a finished data set already: train on it by "
                f"--config.data.source=prepared:{folder}, or choose another folder"
            )
        options = {"source": self._origin.name, **dataclasses.asdict(self._options), "splits": self._origin.splits}
        options |= {"class_names": list(self._origin.class_names), "label_dim": self._origin.label_dim}
        options |= {"identity": self._origin.identity}
        with explained(folder, "cannot be written", "choose another --out", ConfigError):
            if record.exists():
                before = json.loads(record.read_text())
                self._compare(before, options)
            elif folder.is_dir() and {path.name for path in folder.iterdir()} - {PROGRESS}:
                raise ConfigError(f"--out is {folder}, which holds something else: choose a new or empty folder")
            if not is_remote(folder):  # a bucket has no folders
                record.parent.mkdir(parents=True, exist_ok=True)
            put_json(record, options)

    def _compare(self, before: dict, options: dict) -> None:
        for name, value in options.items():
            # Where such an image ended the preparation there is none in the finished shards.
            free = name in ("on_damaged", "on_unusual") and before[name] == "fatal"
            if before[name] != value and not free:
                source = name in ("splits", "class_names", "label_dim", "identity")
                words = f"{name} of {self._origin.name}" if source else f"--{name.replace('_', '-')}"
                raise ConfigError(
                    f"{words}: {str(value)[:100]}, but {self._folder} was begun with {str(before[name])[:100]}: go on with "
                    "that, or choose another --out"
                )

    def _reports(self, tasks: list[Task]) -> list[dict | None]:
        """What finished shards say about themselves, None for those that are not finished."""
        with explained(self._folder, "cannot be read", "the same command goes on"):
            return list(decoders().map(self._report, tasks))

    def _report(self, task: Task) -> dict | None:
        try:
            report = json.loads((self._folder / PROGRESS / f"{task.file}.json").read_text())
            return report if epath.Path(self._folder / task.file).stat().length == report["bytes"] else None
        except FileNotFoundError:
            return None

    def _manifest(self, reports: list[dict]) -> Manifest:
        origin, options = self._origin, self._options
        splits = {name: [] for name in origin.splits}
        for task, report in zip(self._tasks, reports, strict=True):
            splits[task.split].append((task.file, report))
        found = {name: _split(pairs) for name, pairs in splits.items()}
        hashes = json.dumps({name: split.hash for name, split in found.items()}, sort_keys=True)
        return Manifest(
            source=origin.name,
            options=dataclasses.asdict(options),
            image_shape=(options.resolution, options.resolution, options.channels),
            class_names=list(origin.class_names),
            label_dim=origin.label_dim,
            content_hash=hashlib.blake2b(hashes.encode(), digest_size=16).hexdigest(),
            splits=found,
            versions=manifest.versions(),
        )

    def _write_metadata(self, result: Manifest) -> None:
        """What TensorFlow Datasets needs to open the folder; made among empty files, as only their names are asked."""
        beside = None if is_remote(self._folder) else self._folder / PROGRESS
        with tempfile.TemporaryDirectory(prefix="metadata.", dir=beside) as name:
            scratch, shards = Path(name), {file.file for split in result.splits.values() for file in split.shards}
            for file in shards:
                (scratch / file).touch()
            _describe(result, scratch)
            for path in scratch.iterdir():
                if path.name not in shards:
                    put(path, self._folder / path.name)


def plan(splits: dict[str, int], image_bytes: int) -> list[Task]:
    """The shards of all splits: equal parts, which depend on nothing but the number and size of the images."""
    tasks = []
    for split, count in splits.items():
        shards = max(1, math.ceil(count / SHARD_IMAGES), math.ceil(count * image_bytes / SHARD_BYTES))
        shards = min(shards, MAX_SHARDS)
        bounds = [count * number // shards for number in range(shards + 1)]
        tasks += [Task(split, n, shards, bounds[n], bounds[n + 1]) for n in range(shards)]
    return tasks


def _describe(result: Manifest, scratch: Path) -> None:
    """Writes the metadata of TensorFlow Datasets beside files with the names of the shards."""
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(data_dir=scratch, dataset_name=DATASET, filetype_suffix="array_record")
    infos = [
        tfds.core.SplitInfo(
            name=name,
            shard_lengths=[file.examples for file in split.shards],
            num_bytes=sum(file.bytes for file in split.shards),
            filename_template=template.replace(split=name),
        )
        for name, split in result.splits.items()
    ]
    tfds.folder_dataset.write_metadata(
        data_dir=scratch,
        features=records.features(result.image_shape, tuple(result.class_names), result.label_dim),
        split_infos=infos,
        version="1.0.0",
        description=f"{result.source}, prepared by gan-jax",
        check_data=False,
    )


def _split(pairs: list[tuple[str, dict]]) -> Split:
    reports = [report for _, report in pairs]
    return Split(
        count=sum(report["examples"] for report in reports),
        class_counts=[sum(counts) for counts in zip(*(report["class_counts"] for report in reports), strict=True)],
        hash=f"{sum(int(report['digest'], 16) for report in reports) % 2**128:032x}",
        shards=[Shard(file, report["bytes"], report["examples"], report["hash"]) for file, report in pairs],
        **{kind: [pair for r in reports for pair in r[kind]] for kind in ("converted", "skipped", "damaged")},
    )


@contextlib.contextmanager
def _signals_kept_from_children() -> Iterator[None]:
    """Blocks Ctrl-C and SIGTERM for processes started in the block: they concern the main process, which gets them after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
