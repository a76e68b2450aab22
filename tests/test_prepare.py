"""`gan-jax prepare` as a person uses it: folders in, a set to train on out, and what is said on the way."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import ml_collections
import numpy as np
import pytest
from PIL import Image

from gan_jax import main
from gan_jax.data.source import open_source

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def gan_jax(monkeypatch, capsys):
    """Runs a command as the shell would: `(exit code, stdout, stderr)`."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gan-jax", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two splits of two classes: 14 and 4 images, two of them with an alpha channel."""
    root = tmp_path_factory.mktemp("photos")
    random = np.random.RandomState(0)
    for split, count in (("train", 7), ("test", 2)):
        for kind in ("cat", "dog"):
            (root / split / kind).mkdir(parents=True)
            for number in range(count):
                channels = 4 if (split, number) == ("train", 3) else 3
                image = random.randint(0, 256, (12, 10, channels)).astype(np.uint8)
                Image.fromarray(image).save(root / split / kind / f"{number}.png")
    return root


def words(photos, out, *more, resolution=8):
    return ["prepare", f"--source=folder:{photos}", f"--resolution={resolution}", f"--out={out}", "--workers=1", *more]


def test_a_folder_becomes_a_set_that_trains(gan_jax, photos, tmp_path):
    code, out, error = gan_jax(*words(photos, tmp_path / "set"))
    assert code == 0
    for said in ("train 14", "test 4", "8 x 8 x 3", "2 classes", "2 images were converted:", "cat/3.png: alpha"):
        assert said in out
    assert f"--config.data.source=prepared:{tmp_path}/set --config.data.resolution=8" in out
    assert "18/18 images 100%" in error
    straight, prepared = (
        open_source(ml_collections.ConfigDict({"source": source, "resolution": 8, "channels": 3}))
        for source in (f"folder:{photos}", f"prepared:{tmp_path}/set")
    )
    assert prepared.class_names == straight.class_names == ("cat", "dog")
    one, other = (
        {(image.tobytes(), int(label)) for image, label in zip(*source.read(np.arange(14)).values(), strict=True)}
        for source in (straight, prepared)
    )
    assert one == other


def test_the_summary_as_json(gan_jax, photos, tmp_path):
    code, out, _ = gan_jax(*words(photos, tmp_path / "set", "--json", "--channels=1", "--on-unusual=skip"))
    record = json.loads(out)
    assert (code, record["finished"], record["image_shape"]) == (0, True, [8, 8, 1])
    assert (record["splits"], record["skipped"], record["classes"]) == ({"train": 12, "test": 4}, 2, 2)
    assert record["bytes"] == sum(path.stat().st_size for path in (tmp_path / "set").glob("images-*"))


def test_hosts_that_share_a_folder_say_what_is_missing(gan_jax, photos, tmp_path):
    code, out, _ = gan_jax(*words(photos, tmp_path / "set", "--host=0/2"))
    assert (code, "1 shards of other hosts are missing" in out) == (0, True)
    code, out, _ = gan_jax(*words(photos, tmp_path / "set", "--host=1/2", "--json"))
    assert (code, json.loads(out)["finished"]) == (0, True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("--source=folder:{tmp}/none", "--source is 'folder:.*none', but there is no folder"),
        ("--source=photos", "--source is 'photos': expected one of folder:PATH"),
        ("--source=digits", "--source is 'digits': expected one of folder:PATH"),
        ("--source=tfds:no_such_set", "--source is 'tfds:no_such_set'"),
        ("--resolution=0", "--resolution is 0"),
        ("--channels=2", "--channels is 2"),
        ("--crop=middle", "--crop is 'middle': expected one of center"),
        ("--workers=0", "--workers is 0"),
        ("--out=ftp://host/set", "'ftp://host/set': expected a local path or gs://BUCKET/PATH"),
        ("--host=2/2", "'2/2': expected I/N"),
        ("--host=x", "'x': expected I/N"),
        ("--out={tmp}", "holds something else"),
    ],
)
def test_a_mistake_is_one_sentence_and_touches_nothing(gan_jax, photos, tmp_path, monkeypatch, change, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").touch()
    code, out, error = gan_jax(*words(photos, tmp_path / "set"), change.format(tmp=tmp_path))
    assert (code, out) == (2, "")
    last = error.strip().splitlines()[-1]

    assert re.search(sentence, last), error
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_damaged_image_is_one_sentence_and_may_be_left_out(gan_jax, photos, tmp_path):
    for path in photos.rglob("*.png"):
        copy = tmp_path / "photos" / path.relative_to(photos)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes()[: 90 if path.parts[-3:] == ("train", "dog", "5.png") else None])
    code, out, error = gan_jax(*words(tmp_path / "photos", tmp_path / "set"))
    assert (code, out) == (1, "")
    assert "dog/5.png of train" in error.splitlines()[-1]
    code, out, _ = gan_jax(*words(tmp_path / "photos", tmp_path / "set", "--on-damaged=skip"))
    assert code == 0
    assert "train 13" in out
    assert "1 images were left out as damaged:" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_ends_with_42_and_the_same_command_goes_on(photos, tmp_path, gan_jax, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "gan_jax.main", *words(photos, tmp_path / "set", resolution=2000)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for _ in range(500):
        if list((tmp_path / "set").glob("*.partial")):
            break
        time.sleep(0.02)
    os.killpg(process.pid, number)  # as the terminal does it: the workers get it too
    out, error = process.communicate(timeout=30)
    assert process.returncode == 42, error
    assert out.startswith("stopped at ")
    assert out.endswith("of 18 images; the same command goes on\n")
    assert "Traceback" not in error
    assert not list((tmp_path / "set").glob("*.partial"))
    code, _, error = gan_jax(*words(photos, tmp_path / "set"))
    assert (code, "--resolution: 8, but" in error) == (2, True)
