import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from gan_jax.report.grid import save_grid
from gan_jax.report.page import write_report
from gan_jax.report.writers import MetricWriter


def parse(path):
    """The page as a tree; raises if a tag is not closed. Checks that nothing is loaded from elsewhere."""
    text = path.read_text()
    assert "http://" not in text
    assert "https://" not in text
    assert all(link.startswith("data:image/") for link in re.findall(r'(?:src|href)="([^"]*)"', text))
    return ElementTree.fromstring(text)


def words(tree, tag):
    return ["".join(element.itertext()) for element in tree.iter(tag)]


def dump(path, tree):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree))


@pytest.fixture
def workdir(tmp_path):
    workdir = tmp_path / "a <run> & more"
    data = {"source": "folder:/a<b>&c", "resolution": 32}
    dump(workdir / "config.json", {"recipe": "biggan", "seed": 3, "data": data, "train": {"batch_size": 64}})
    dump(workdir / "environment.json", {"device": "NVIDIA H200", "devices": 8, "packages": {"jax": "0.10.2"}})
    random = np.random.default_rng(0)
    with MetricWriter(workdir, tensorboard=False) as writer:
        for step in range(1, 2001):
            metrics = {
                "discriminator/loss": random.normal() if step != 700 else float("nan"),
                "generator/loss": random.normal() if step != 800 else 1e20,
                "discriminator/gradient_norm_discriminator": random.exponential(),
                "discriminator/real_logit": random.normal(),
                "discriminator/fake_logit": random.normal(),
                "images_per_second": 1234.0,
            }
            metrics |= {"generator/path_length": step} if step % 16 == 0 else {}
            writer.write(step, step * 64, metrics)
    for images in range(0, 12_800, 640):
        save_grid(workdir / "samples" / f"{images:010d}.png", random.uniform(-1, 1, (4, 16, 16, 3)), 2)
    for images, frechet in ((0, 90.0), (640, 4.0), (1280, 5.0)):
        record = {"step": images // 64, "images": images, "samples": 2000, "frechet": frechet, "recognised": 0.5}
        dump(workdir / "evaluations" / f"{images:010d}.json", record)
    seconds = {"steps": 30.0, "compile": 5.0, "input": 0.0, "save": 1.0, "evaluate": 3.0, "other": 1.0}
    dump(workdir / "goodput.json", [{"first": 0, "step": 2000, "seconds": seconds}])
    return workdir


def test_a_full_workdir(workdir):
    path = write_report(workdir)
    assert path == workdir / "report.html"
    assert not list(workdir.glob("*.partial"))
    tree = parse(path)
    assert words(tree, "h1") == ["biggan"]
    assert "folder:/a<b>&c · 32 \N{MULTIPLICATION SIGN} 32 pixels · batch size 64" in words(tree, "p")
    assert words(tree, "h2") == ["Samples", "Scores", "Best", "Training", "Time"]
    assert "Frechet 4.000, after 640 images" in words(tree, "p")
    assert "75.0 % goodput of 40s" in words(tree, "p")
    assert "evaluate 7.5 % 3s" in words(tree, "li")
    tiles = dict(zip(words(tree, "dt")[:6], words(tree, "dd")[:6], strict=True))
    assert tiles["Images seen"] == "128k2,000 steps"
    assert tiles["Speed"] == "1.23kimages per second"
    assert tiles["Hardware"] == "NVIDIA H2008 devices"
    assert tiles["Frechet ↓"] == "5.000after 1.28k images"
    rows = [[cell.strip() for cell in words(row, "td")] for row in tree.iter("tr")]
    assert ["Frechet ↓", "90.00 at 0", "5.000 at 1.28k", "4.000 at 640"] in rows
    charts = [name for name in words(tree, "h3") if name]
    assert charts[1:6] == [
        "Losses",
        "Gradient norms",
        "Images per second",
        "Logit · discriminator",
        "Path length · generator",
    ]
    assert "infinite or undefined values: 1" in words(tree, "p")
    assert any("folder:/a<b>&c" in text for text in words(tree, "dd"))


def test_curves_are_thinned(workdir):
    paths = [path.get("d") for path in parse(write_report(workdir)).iter("path")]
    assert len(paths) > 8
    assert all(0 < len(re.findall("[ML]", path)) <= 500 for path in paths)


def test_newest_grid_is_large_and_the_strip_runs_through_time(workdir):
    tree = parse(write_report(workdir))
    assert [p.text for p in tree.iter("p") if p.get("id") == "caption"] == ["step 190, 12,160 images seen"]
    frames = [int(button.get("title").split(",", 1)[1].split()[0].replace(",", "")) for button in tree.iter("button")]
    assert frames == sorted(frames)
    assert (len(frames), frames[0], frames[-1]) == (10, 0, 12_160)


def test_an_empty_workdir(tmp_path):
    tree = parse(write_report(tmp_path))
    assert words(tree, "h2") == ["Nothing has been logged yet"]


PARTS = ("config.json", "environment.json", "metrics.jsonl", "goodput.json", "samples", "evaluations")


@pytest.mark.parametrize("name", PARTS)
def test_any_part_may_be_missing_or_broken(workdir, name):
    path = workdir / name
    for file in path.iterdir() if path.is_dir() else [path]:
        file.write_bytes(b"\xff{ broken")
    parse(write_report(workdir))


def test_large_grids_are_embedded_smaller(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1, 1400, 1400, 3), np.uint8)
    for images in (0, 64):
        save_grid(tmp_path / "samples" / f"{images}.png", noise, 1)
    with Image.open(tmp_path / "samples" / "0.png") as picture:
        assert picture.width > 1400
    path = write_report(tmp_path)
    assert len(path.read_bytes()) < 4_000_000 < (tmp_path / "samples" / "0.png").stat().st_size
    assert all(img.get("src").startswith("data:image/jpeg") for img in parse(path).iter("img"))
