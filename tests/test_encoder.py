"""`gan-jax encoder` trains on whatever has labels, says how good the encoder is, and refuses the rest."""

import json

import numpy as np
import pytest
from etils import epath
from PIL import Image

from gan_jax import encoder as command
from gan_jax.data.polygons import draw_polygons
from gan_jax.data.source import ArraySource
from gan_jax.encoder import encoder, vertex_angles
from gan_jax.errors import ConfigError
from gan_jax.metrics.extractors.encoder import open_encoder

RANDOM = np.random.RandomState(0)
SHADES = {"dark": 30, "grey": 120, "light": 210}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three classes of 10 grey images each, told by their brightness."""
    root = tmp_path_factory.mktemp("data") / "shades"
    for name, shade in SHADES.items():
        (root / name).mkdir(parents=True)
        for number in range(10):
            Image.fromarray(RANDOM.randint(shade, shade + 40, (9, 9)).astype(np.uint8)).save(
                root / name / f"{number}.png"
            )
    return root


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    out = epath.Path(tmp_path_factory.mktemp("out") / "encoder")
    return out, *encoder(f"folder:{photos}", out, resolution=8, steps=30)


def test_it_trains_on_a_folder_and_tells_how_good_it_is(trained):
    _, record, text = trained
    assert record["scores"]["accuracy"] == 1
    assert (record["trained"], record["held_out"], record["available"]) == (24, 6, 30)
    assert record["image_shape"] == (8, 8, 1)  # all images are grey
    assert record["outputs"] == ("dark", "grey", "light")
    json.dumps(record)
    assert "encoder shades: sees 8 x 8 x 1, trained on 24 images of folder:" in text
    assert "of 6 images held out, 100.00% are recognised" in text


def test_the_folder_is_an_extractor_that_recognises_the_classes(trained):
    out, record, _ = trained
    extractor = open_encoder(out)
    assert (extractor.name, extractor.sha256) == ("shades", record["sha256"])
    images = np.stack([RANDOM.randint(shade, shade + 40, (8, 8, 1)) for shade in SHADES.values()]).astype(np.uint8)
    logits = extractor.apply(extractor.variables, images)["logits"]
    np.testing.assert_array_equal(logits.argmax(axis=-1), [0, 1, 2])


def test_the_same_command_gives_the_same_encoder(photos, trained, tmp_path):
    out, record, _ = trained
    again, _ = encoder(f"folder:{photos}", type(out)(tmp_path / "again"), resolution=8, steps=30)
    assert again["sha256"] == record["sha256"]


def test_a_fifth_is_held_out_and_only_what_fits_the_memory_is_used(monkeypatch):
    images = np.broadcast_to(np.arange(101, dtype=np.uint8)[:, None, None, None], (101, 128, 128, 1))
    source = ArraySource("numbers", images, np.arange(101), [str(number) for number in range(101)])
    order = np.random.RandomState(0).permutation(101)
    found, labels = command._read(source)
    np.testing.assert_array_equal(labels[-21:], order[:21])
    np.testing.assert_array_equal(np.sort(labels), np.arange(101))
    np.testing.assert_array_equal(found[:, 0, 0, 0], labels)
    monkeypatch.setattr(command, "MEMORY", 1)  # MiB, which 64 of these images fill
    _, labels = command._read(source)
    np.testing.assert_array_equal(labels, np.roll(order[:64], -13))


def test_several_labels_per_image_are_learnt_each_by_itself(photos, tmp_path):
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))
    labels = [[float("dark" not in name), float("light" in name)] for name in names]
    (photos / "dataset.json").write_text(json.dumps({"labels": list(zip(names, labels, strict=True))}))
    try:
        out = epath.Path(tmp_path / "out")
        record, text = encoder(f"folder:{photos}", out, resolution=8, steps=30)
    finally:
        (photos / "dataset.json").unlink()
    assert (record["task"], len(record["outputs"]), record["confusions"]) == ("labels", 2, [])
    assert record["scores"]["accuracy"] > 0.9
    assert "of the labels are told right" in text
    assert open_encoder(out).logits is None


def test_angles_of_triangles_are_those_on_the_circle_through_their_corners():
    angles = np.array([[20.0, 140, 300], [3, 130, 355]])
    points = np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))], axis=-1)
    np.testing.assert_allclose(vertex_angles(10.5 * points + [3, 7]), angles, rtol=1e-9)
    drawn = vertex_angles(draw_polygons(500)[1])
    assert (np.diff(drawn, axis=1) > 9.9).all()  # rising, as each vertex has its own third of the circle


def test_confusions_are_named_by_how_often_they_happen():
    targets = np.array([0, 0, 0, 1, 1, 2])
    said = np.array([1, 1, 0, 2, 1, 2])
    assert command._confusions(np.eye(3)[said], targets, ("a", "b", "c")) == [("a", "b", 2), ("b", "c", 1)]


def test_data_that_teach_nothing_and_places_that_are_taken_are_refused(photos, tmp_path):
    out = epath.Path(tmp_path / "out")
    alone = tmp_path / "alone"
    alone.mkdir()
    Image.new("L", (8, 8)).save(alone / "a.png")
    with pytest.raises(ConfigError, match="which has no labels: expected labels of two classes or more"):
        encoder(f"folder:{alone}", out)
    (alone / "dataset.json").write_text('{"labels": [["a.png", 0]]}')
    with pytest.raises(ConfigError, match="which has the one class '0'"):
        encoder(f"folder:{alone}", out)
    with pytest.raises(ConfigError, match="--resolution is 32, but the images of digits have 16 pixels"):
        encoder("digits", out, resolution=32)
    with pytest.raises(ConfigError, match="--resolution is 4: expected at least 8"):
        encoder(f"folder:{photos}", out, resolution=4)
    with pytest.raises(ConfigError, match="--steps is 0"):
        encoder("digits", out, steps=0)
    with pytest.raises(ConfigError, match="--data is 'cats': expected prepared:DIR"):
        encoder("cats", out)
    assert not out.exists()
    out.mkdir()
    (out / "file").touch()
    with pytest.raises(ConfigError, match="which is not empty"):
        encoder("digits", out)
