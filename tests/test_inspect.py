"""What `gan-jax inspect` tells of a data set."""

import json

import numpy as np
import pytest
from PIL import Image

from gan_jax import main
from gan_jax.errors import ConfigError
from gan_jax.inspect import as_text, inspect, open_data


def save(path, seed, size=(10, 8), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(seed).randint(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path):
    """Two splits and two classes with one thing wrong of each kind."""
    root = tmp_path / "photos"
    for seed, name in enumerate(["train/cat/a.png", "train/cat/b.png", "train/dog/c.png", "test/cat/d.png"]):
        save(root / name, seed)
    save(root / "train/dog/again.png", 0)  # the pixels of train/cat/a.png
    save(root / "test/dog/leak.png", 2)  # those of train/dog/c.png
    save(root / "train/dog/large.jpg", 9, size=(20, 30), mode="CMYK")
    (root / "train/dog/broken.png").write_bytes(b"no image at all")
    return root


def test_it_counts_classes_sizes_and_kinds(photos, tmp_path):
    record = inspect(open_data(f"folder:{photos}"), tmp_path / "sheet.png")
    assert record["splits"] == {
        "train": {"images": 6, "classes": {"cat": 2, "dog": 3}},
        "test": {"images": 2, "classes": {"cat": 1, "dog": 1}},
    }
    assert record["sizes"] == {"10x8": 6, "20x30": 1}
    assert record["kinds"] == {"PNG RGB": 6, "JPEG CMYK": 1}
    assert record["unusual"] == {"CMYK": 1}
    json.dumps(record)


def test_it_names_damaged_images_and_equal_ones_across_classes_and_splits(photos, tmp_path):
    record = inspect(open_data(f"folder:{photos}"), tmp_path / "sheet.png")
    assert [found["image"] for found in record["damaged"]] == ["train train/dog/broken.png"]
    groups = sorted(sorted(member["image"].rpartition("/")[2] for member in group) for group in record["duplicates"])
    assert groups == [["a.png", "again.png"], ["c.png", "leak.png"]]
    text = as_text(record)
    assert "damaged: 1\n  train train/dog/broken.png: its content is no image of a known kind" in text
    assert (
        "duplicates: 2 images have the pixels of another\n  1 groups across splits\n  1 groups with different labels"
        in text
    )


def test_the_contact_sheet_has_a_row_for_each_class(tmp_path):
    for name, colour in (("cat", (255, 0, 0)), ("dog", (0, 0, 255))):
        for number in range(3):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (9 + number, 7), colour).save(path)
    inspect(open_data(f"folder:{tmp_path}"), tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).astype(int)
    upper, lower = np.array_split(sheet, 2)
    for half, colour in ((upper, 0), (lower, 2)):
        share = [(half[..., channel] - half[..., 1] > 200).mean() for channel in (0, 2)]
        assert share[colour // 2] > 0.3
        assert share[1 - colour // 2] == 0


def test_prepared_and_built_in_sets_are_looked_at_too(photos, tmp_path, capsys):
    (photos / "train/dog/broken.png").unlink()
    main.main(["prepare", f"--source=folder:{photos}", "--resolution=8", f"--out={tmp_path / 'set'}", "--workers=1"])
    record = inspect(open_data(f"prepared:{tmp_path / 'set'}"), tmp_path / "sheet.png")
    assert record["splits"]["train"] == {"images": 5, "classes": {"cat": 2, "dog": 3}}
    assert (record["sizes"], len(record["duplicates"])) == ({"8x8": 7}, 2)
    assert main.main(["inspect", "--data=digits", f"--out={tmp_path / 'digits.png'}"]) == 0
    assert "train: 1,797 images in 10 classes" in capsys.readouterr().out


def test_label_vectors_are_counted_entry_by_entry(tmp_path):
    for seed in range(2):
        save(tmp_path / f"{seed}.png", seed)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [["0.png", [1, 0, 1]], ["1.png", [1, 0, 0]]]}))
    record = inspect(open_data(f"folder:{tmp_path}"), tmp_path / "sheet.png")
    assert record["splits"]["train"]["classes"] == {"0": 2, "1": 0, "2": 1}


@pytest.mark.parametrize("words", ["digits:3", "folder:", "mnist", "prepared:"])
def test_words_that_name_nothing_are_one_sentence(words):
    with pytest.raises(ConfigError, match=rf"--data is '{words}': expected prepared:DIR, folder:PATH"):
        open_data(words)


def test_a_set_of_nothing_but_damage_has_no_sheet(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    record = inspect(open_data(f"folder:{tmp_path}"), tmp_path / "sheet.png")
    assert (record["contact_sheet"], len(record["damaged"])) == (None, 1)
    assert not (tmp_path / "sheet.png").exists()
