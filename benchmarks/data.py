"""Input pipelines side by side: this project's, plain `tfds.load`, and a PyTorch DataLoader, on the same photographs.

    python benchmarks/data.py --folder=scratch > benchmarks/data_table.md

Needs TensorFlow and PyTorch beside the project (`pip install torch`). The photographs are crops of the two that come
with scikit-learn, saved as JPEG files of quality 95; the first run makes them, prepares them and lets tfds build its own
set. Every reader runs alone, in a process of its own, with the parallelism its documentation recommends on all cores, on
shuffled batches of 256 uint8 images, for SECONDS after a warm-up; files are in the page cache. The three are measured in
turns, ROUNDS times; the table gives the median. CPU time is that of the reader and its workers.
"""

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = {32: 20_000, 128: 6_000, 256: 2_000}  # pixels -> images
BATCH = 256
SECONDS, ROUNDS, WARM_UP = 8.0, 3, 10
CORES = len(os.sched_getaffinity(0))
READERS = ("gan_jax", "tfds.load", "DataLoader")


# ---- data ----


def make_photographs(folder: Path, size: int, count: int) -> None:
    """`count` JPEG files in two classes under `folder`."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    random = np.random.RandomState(size)
    for index in range(count):
        photograph = photographs[index % 2]
        side = random.randint(min(size, 200), min(photograph.size) + 1)
        left, top = (random.randint(edge - side + 1) for edge in photograph.size)
        crop = photograph.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
        path = folder / str(index % 2) / f"{index:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        crop.save(path, quality=95)


def build_tfds(folder: Path, photographs: Path, size: int) -> None:
    """The same JPEG files as tfds keeps an image set by default: TFRecord, encoded images."""
    import tensorflow_datasets as tfds

    class Photographs(tfds.core.GeneratorBasedBuilder):
        name = f"photographs{size}"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(size, size, 3), encoding_format="jpeg")
            label = tfds.features.ClassLabel(num_classes=2)
            features = tfds.features.FeaturesDict({"image": image, "label": label})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, _):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for path in photographs.rglob("*.jpg"):
                yield path.name, {"image": path, "label": int(path.parent.name)}

    Photographs(data_dir=folder).download_and_prepare()


def make(root: Path, size: int, count: int) -> None:
    """Whatever is missing of the data for one size."""
    jpeg, prepared, built = (root / f"{name}{size}" for name in ("jpeg", "prepared", "tfds"))
    if not jpeg.exists():
        make_photographs(jpeg, size, count)
    if not (prepared / "manifest.json").exists():
        command = ["prepare", f"--source=folder:{jpeg}", f"--resolution={size}", f"--out={prepared}"]
        subprocess.run([sys.executable, "-m", "gan_jax.main", *command], check=True, stdout=sys.stderr)
    if not built.exists():
        build_tfds(built, jpeg, size)


# ---- readers: endless batches of uint8 [BATCH, size, size, 3] ----


def gan_jax_batches(root: Path, size: int, kind: str) -> Iterable:
    """The training loop's own batches, placed on the device; nothing is kept in memory, as in a large set."""
    from gan_jax import config as configs
    from gan_jax.data.source import open_source
    from gan_jax.engine import sharding
    from gan_jax.engine.recipe import load
    from gan_jax.run import Run, fit_to_data

    source = f"prepared:{root}/prepared{size}" if kind == "prepared" else f"folder:{root}/jpeg{size}"
    overrides = [f"data.source={source}", f"data.resolution={size}", "data.num_classes=None", "data.memory=0"]
    overrides += [f"train.batch_size={BATCH}", "phases.discriminator_steps=1", "train.length=100000 steps"]
    config = configs.load("configs/biggan_cifar10.py", overrides)
    source = open_source(config.data)
    config = fit_to_data(config, source)
    run = Run(config, load(config), sharding.make_mesh(config.mesh), source)
    return (work.batch["image"].block_until_ready() for work in run.work(0))


def tfds_batches(root: Path, size: int, kind: str) -> Iterable:
    """What the tfds guide recommends: shuffled files, a shuffle buffer, parallel decoding, prefetching."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    large = tfds.ReadConfig(try_autocache=False)  # which would keep these few images in memory, decoded
    folder = root / f"tfds{size}"
    data = tfds.load(
        f"photographs{size}", split="train", data_dir=folder, shuffle_files=True, download=False, read_config=large
    )
    data = data.shuffle(10 * BATCH).repeat().batch(BATCH, drop_remainder=True, num_parallel_calls=tf.data.AUTOTUNE)
    return (batch["image"] for batch in tfds.as_numpy(data.prefetch(tf.data.AUTOTUNE)))


class Files:
    """A PyTorch data set of JPEG files, decoded by Pillow as torchvision's ImageFolder does."""

    def __init__(self, folder: Path):
        self.paths = sorted(folder.rglob("*.jpg"))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            return np.asarray(image.convert("RGB"))


class Records:
    """A PyTorch data set of the prepared files, read as tfds' guide to PyTorch shows."""

    def __init__(self, folder: Path):
        import tensorflow_datasets as tfds

        self.records = tfds.builder_from_directory(folder).as_data_source("train")

    def __len__(self):
        return len(self.records)

    def __getitem__(self, index):
        return self.records[index]["image"]


def torch_batches(root: Path, size: int, kind: str) -> Iterable:
    """A DataLoader with one worker per core."""
    from torch.utils.data import DataLoader

    data = Records(root / f"prepared{size}") if kind == "prepared" else Files(root / f"jpeg{size}")
    loader = DataLoader(
        data, BATCH, shuffle=True, drop_last=True, num_workers=CORES, prefetch_factor=4, persistent_workers=True
    )
    return itertools.chain.from_iterable(itertools.repeat(loader))


# ---- measuring ----


def measure(reader: str, root: Path, size: int, kind: str) -> dict[str, float]:
    """Images a second of one reader in this process, CPU seconds for each image, and how its memory grew."""
    batches = {"gan_jax": gan_jax_batches, "tfds.load": tfds_batches, "DataLoader": torch_batches}[reader]
    batches = iter(batches(root, size, kind))
    for _ in range(WARM_UP):
        assert next(batches).shape[-4:] == (BATCH, size, size, 3)
    memory, cpu, started, count = resident(), cpu_seconds(), time.perf_counter(), 0
    while (seconds := time.perf_counter() - started) < SECONDS:
        next(batches)
        count += BATCH
    return {
        "images_per_second": count / seconds,
        "cpu_microseconds": (cpu_seconds() - cpu) / count * 1e6,
        "epochs": count / SIZES[size],
        "grown_megabytes": (resident() - memory) / 1e6,
    }


def cpu_seconds() -> float:
    """Of this process and its living children."""
    import psutil

    own = resource.getrusage(resource.RUSAGE_SELF)
    children = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return own.ru_utime + own.ru_stime + sum(times.user + times.system for times in children)


def resident() -> int:
    """Bytes of memory of this process and its children."""
    import psutil

    me = psutil.Process()
    return sum(process.memory_info().rss for process in [me, *me.children(recursive=True)])


def alone(reader: str, root: Path, size: int, kind: str) -> dict[str, float]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, f"--folder={root}", f"--measure={reader},{size},{kind}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the data are made, a few gigabytes")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if options.measure:
        reader, size, kind = options.measure.split(",")
        print(json.dumps(measure(reader, options.folder, int(size), kind)), flush=True)
        os._exit(0)  # without waiting for workers that read ahead

    for size, count in SIZES.items():
        make(options.folder.resolve(), size, count)
    print("| data | reader | images/s | per core | CPU us an image | over the better of the other two | memory grew |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for kind, size in [("folder", 128), *(("prepared", size) for size in SIZES)]:
        rounds = [{name: alone(name, options.folder.resolve(), size, kind) for name in READERS} for _ in range(ROUNDS)]
        speed = {name: statistics.median(r[name]["images_per_second"] for r in rounds) for name in READERS}
        for name in READERS:
            cpu, grown = (
                statistics.median(r[name][figure] for r in rounds) for figure in ("cpu_microseconds", "grown_megabytes")
            )
            ratio = f"{speed[name] / max(speed[other] for other in READERS if other != name):.2f}"
            print(
                f"| {kind}, {size} px | {name} | {speed[name]:,.0f} | {speed[name] / CORES:,.0f} | {cpu:,.0f} "
                f"| {ratio if name == 'gan_jax' else ''} | {grown:,.0f} MB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
