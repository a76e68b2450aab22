"""Splits, classes and labels as the names of image files and dataset.json tell them."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan_jax.data import collection
from gan_jax.data.collection import Collection, open_collection
from gan_jax.data.files import Files
from gan_jax.errors import UserError


class Named(Files):
    """Files of which only the names matter; each is as long as its name. A name that ends in "/" is a folder."""

    def __init__(self, *names, **texts):
        self.name = "folder:set"
        self.names = sorted(name for name in names if not name.endswith("/"))
        parts = [name.split("/")[:-1] for name in names]
        self.folders = sorted({"/".join(part[:end]) for part in parts for end in range(1, len(part) + 1)})
        self.texts = texts

    def read(self, name):
        file = io.BytesIO()
        Image.new("RGB", (8, 8), (self.names.index(name), 0, 0)).save(file, "png")
        return file.getvalue()

    def size(self, name):
        return len(name)

    def text(self, name):
        return self.texts.get(name.replace("/", "_").removesuffix(".json"))


def labelled(found, split="train"):
    """Name -> label of one split."""
    names, labels = found.members[split]
    return dict(zip(names, labels.tolist(), strict=True))


def test_subfolders_are_classes_in_sorted_order():
    found = Collection(Named("dog/2.png", "dog/1.png", "cat/x.png", "ant/b.png"))
    assert found.class_names == ("ant", "cat", "dog")
    assert labelled(found) == {"ant/b.png": 0, "cat/x.png": 1, "dog/1.png": 2, "dog/2.png": 2}
    assert (found.splits, found.label_dim, found.members["train"].labels.dtype) == ({"train": 4}, 0, np.int32)


def test_images_are_numbered_by_class_then_name_even_where_the_paths_sort_otherwise():
    found = Collection(Named("a/1.png", "a-b/1.png", "a/2.png"))  # "a-b/" sorts before "a/"
    assert found.members["train"].names == ["a/1.png", "a/2.png", "a-b/1.png"]


def test_images_in_one_place_are_unlabelled():
    found = Collection(Named("b.png", "a.png", "notes/"))
    assert (found.class_names, labelled(found)) == ((), {"a.png": -1, "b.png": -1})


@pytest.mark.parametrize("top", ["", "photos/", "0.1/"])
def test_top_folders_called_as_splits_are_splits_below_one_folder_too(top):
    names = ("Train/cat/1.png", "Train/dog/2.png", "VAL/dog/1.png", "test/cat/1.png")
    found = Collection(Named(*(top + name for name in names)))
    assert found.splits == {"train": 2, "validation": 1, "test": 1}
    assert found.class_names == ("cat", "dog")
    assert labelled(found, "validation") == {f"{top}VAL/dog/1.png": 1}


def test_a_class_may_be_called_train():
    found = Collection(Named("car/1.png", "train/1.png"))
    assert (found.splits, found.class_names) == ({"train": 2}, ("car", "train"))


def test_one_folder_around_all_images_is_no_class():
    assert Collection(Named("photos/1.png", "photos/2.png")).class_names == ()
    assert Collection(Named("photos/cat/1.png", "photos/dog/2.png")).class_names == ("cat", "dog")
    assert Collection(Named("test/1.png")).splits == {"test": 1}


def test_the_images_of_a_class_may_lie_one_folder_deeper():
    found = Collection(Named("n01/images/1.png", "n02/images/1.png"))
    assert labelled(found) == {"n01/images/1.png": 0, "n02/images/1.png": 1}


@pytest.mark.parametrize("top", ["", "ffhq/", "train/"])
def test_a_folder_for_every_thousand_images_is_no_class(top):
    stylegan = Collection(Named(*(f"{top}{i // 1000:05d}/img{i:08d}.png" for i in (0, 1, 1000, 99000))))
    ffhq = Collection(Named(*(f"{top}{i // 1000:02d}000/{i:05d}.png" for i in (0, 1, 1000, 69999))))
    for found in (stylegan, ffhq):
        assert (found.class_names, found.splits) == ((), {"train": 4})


def test_folders_with_five_digits_and_other_files_are_classes():
    assert Collection(Named("00000/img00001000.png", "00001/img00001001.png")).class_names == ("00000", "00001")
    assert Collection(Named("00000/a.png", "00001/b.png")).class_names == ("00000", "00001")


def test_a_split_but_train_may_lack_classes_or_labels():
    found = Collection(Named("train/cat/1.png", "train/dog/1.png", "test/1.png", "val/dog/1.png"))
    assert labelled(found, "test") == {"test/1.png": -1}
    assert labelled(found, "validation") == {"val/dog/1.png": 1}


def test_a_set_without_train_takes_its_classes_from_what_there_is():
    assert Collection(Named("test/cat/1.png", "val/dog/1.png")).class_names == ("cat", "dog")


# dataset.json


def listing(*labels, names=("00000/img00000000.png", "00000/img00000001.png", "00001/img00001000.png")):
    return json.dumps({"labels": list(zip(names, labels, strict=True))})


def stylegan(text, **others):
    return Named("00000/img00000000.png", "00000/img00000001.png", "00001/img00001000.png", dataset=text, **others)


def test_class_numbers_come_from_dataset_json():
    found = Collection(stylegan(listing(3, 0, 1)))
    assert found.class_names == ("0", "1", "2", "3")
    assert found.members["train"].names == [
        "00000/img00000001.png",
        "00001/img00001000.png",
        "00000/img00000000.png",
    ]
    assert found.members["train"].labels.tolist() == [0, 1, 3]


def test_images_of_a_class_in_dataset_json_keep_the_order_of_their_names():
    names = [f"{number:03d}.png" for number in range(500)]
    found = Collection(Named(*names, dataset=listing(*([1, 0] * 250), names=names)))
    assert found.members["train"].names == names[1::2] + names[::2]


def test_dataset_json_goes_before_folders():
    text = listing(1, 0, names=("cat/1.png", "dog/1.png"))
    assert labelled(Collection(Named("cat/1.png", "dog/1.png", dataset=text))) == {"dog/1.png": 0, "cat/1.png": 1}
    found = Collection(Named("cat/1.png", "dog/1.png", dataset='{"labels": null}'))
    assert (found.class_names, found.members["train"].labels.tolist()) == ((), [-1, -1])


def test_dataset_json_may_lie_below_the_common_folder_and_hold_splits():
    names = ("train/1.png", "test/1.png")
    found = Collection(Named("set/train/1.png", "set/test/1.png", set_dataset=listing(2, 0, names=names)))
    assert (labelled(found), labelled(found, "test")) == ({"set/train/1.png": 2}, {"set/test/1.png": 0})
    assert found.class_names == ("0", "1", "2")


def test_lists_of_numbers_are_label_vectors():
    found = Collection(stylegan(listing([1, 0], [0.5, 1], [0, 0])))
    assert (found.label_dim, found.class_names) == (2, ("0", "1"))
    names, labels = found.members["train"]
    assert names == sorted(names)
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels, [[1, 0], [0.5, 1], [0, 0]])
    assert {item.name: item.label for item in found.items("train", 0, 3)}["00000/img00000001.png"] == (0.5, 1.0)


@pytest.mark.parametrize(
    "labels",
    [
        (0, [1], 2),
        ([1, 0], [1], [0, 1]),
        ([], [], []),
        (0, -1, 2),
        (0, 1.5, 2),
        (0, True, 2),
        (0, "cat", 2),
        (0, 10**9, 2),
        ([1], ["1"], [0]),
        ([1], [float("nan")], [0]),
    ],
)
def test_labels_of_mixed_kinds_or_lengths_are_refused(labels):
    with pytest.raises(UserError, match=r"dataset\.json gives 0000.*png the label .*: expected class numbers"):
        Collection(stylegan(listing(*labels)))


def test_dataset_json_names_each_image_and_no_other():
    with pytest.raises(UserError, match=r"set/dataset\.json has no label for 00001/img00001000\.png"):
        Collection(stylegan(listing(0, 1, names=("00000/img00000000.png", "00000/img00000001.png"))))
    with pytest.raises(UserError, match=r"dataset\.json has a label for more\.png, which is no image here"):
        Collection(Named("a.png", dataset=listing(0, 1, names=("a.png", "more.png"))))
    with pytest.raises(UserError, match=r"dataset\.json has no label for a\.png"):
        Collection(Named("a.png", dataset='{"labels": [["a.png", null]]}'))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"labels": 3}', '{"labels": [3]}', '{"labels": [[["a"], 1]]}'])
def test_a_dataset_json_of_another_form_is_refused(text):
    with pytest.raises(UserError, match=r'dataset\.json cannot be read .*: expected \{"labels"'):
        Collection(Named("a.png", dataset=text))


# Contradictions


def test_a_place_without_images_is_named():
    with pytest.raises(UserError, match="folder:set holds no PNG, JPEG"):
        Collection(Named("notes/"))


def test_images_beside_class_folders_are_refused():
    with pytest.raises(UserError, match=r"folder:set holds images \(stray\.png\) beside folders \(cat\)"):
        Collection(Named("cat/a.png", "stray.png"))
    with pytest.raises(UserError, match=r"folder:set/test holds images \(stray\.png\) beside folders \(cat\)"):
        Collection(Named("train/cat/a.png", "test/cat/a.png", "test/stray.png"))


def test_an_empty_class_folder_is_named():
    with pytest.raises(UserError, match="class folder folder:set/dog holds no PNG"):
        Collection(Named("ant/a.png", "cat/a.png", "dog/"))
    with pytest.raises(UserError, match="class folder folder:set/train/dog holds no PNG"):
        Collection(Named("train/ant/a.png", "train/cat/a.png", "train/dog/", "test/ant/a.png"))
    assert Collection(Named("train/cat/a.png", "test/cat/a.png", "test/dog/")).class_names == ("cat",)


def test_a_class_that_train_does_not_have_is_refused():
    with pytest.raises(UserError, match=r"folder:set/test/dog is a class folder of the split test, but train has no"):
        Collection(Named("train/cat/1.png", "test/cat/1.png", "test/dog/1.png"))


def test_the_folder_above_the_data_set_is_recognised():
    with pytest.raises(UserError, match=r"folder:set/old holds images in several folders .*is old itself the data set"):
        Collection(Named("old/cat/1.png", "old/dog/1.png", "new/cat/1.png"))


def test_two_folders_for_one_split_are_refused():
    with pytest.raises(UserError, match="folders train, val, validation: expected one for each split"):
        Collection(Named("train/1.png", "val/1.png", "validation/1.png"))


# Items and identity


def test_items_come_in_a_fixed_order_that_is_not_sorted_by_class():
    names = [f"{kind}/{number:02d}.png" for kind in ("cat", "dog") for number in range(20)]
    found = Collection(Named(*names))
    assert found.members["train"].names == names
    items = list(found.items("train", 0, 40))
    assert sorted(item.name for item in items) == names
    assert {item.label for item in items[:10]} == {0, 1}
    assert all(item.label == item.name.startswith("dog") for item in items)
    parts = [*found.items("train", 0, 7), *found.items("train", 7, 40)]
    assert [item.name for item in parts] == [item.name for item in items]
    with items[0].open() as image:
        assert image.getpixel((0, 0)) == (names.index(items[0].name), 0, 0)


def test_a_damaged_item_raises_what_preparation_takes_for_damage(tmp_path):
    (tmp_path / "a.png").write_bytes(b"hello")
    (item,) = open_collection("folder", str(tmp_path)).items("train", 0, 1)
    with pytest.raises(OSError, match="no image of a known kind") as caught:
        item.open()
    assert caught.value.errno is None  # an errno would mean a disk or network that fails


def test_identity_depends_on_names_sizes_and_labels_and_on_nothing_else(monkeypatch):
    names = ("cat/1.png", "dog/1.png", "dog/2.png")
    identity = Collection(Named(*names)).identity
    assert len(identity) == 16
    assert pickle.loads(pickle.dumps(Collection(Named(*reversed(names))))).identity == identity
    others = [Named("cat/1.png", "dog/1.png", "dog/3.png"), Named(*names, dataset='{"labels": null}')]
    listed = ((0, 1, 1), (1, 0, 1), ([0], [1], [2]), ([0], [1], [3]))
    others += [Named(*names, dataset=listing(*labels, names=names)) for labels in listed]
    identities = {identity, *(Collection(files).identity for files in others)}
    monkeypatch.setattr(Named, "size", lambda self, name: 1)
    assert len(identities | {Collection(Named(*names)).identity}) == 8


def test_few_files_are_asked_for_their_size(monkeypatch):
    asked = []
    monkeypatch.setattr(collection, "_SIZES", 10)
    monkeypatch.setattr(Named, "size", lambda self, name: asked.append(name) or 1)
    _ = Collection(Named(*(f"{number:03d}.png" for number in range(95)))).identity
    assert len(asked) == 10


def test_a_folder_and_an_archive_of_the_same_images_have_the_same_identity_and_items(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("train/cat/1.png", "train/dog/1.png", "test/cat/1.png"):
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True)
            Image.new("RGB", (8, 8), "red" if "cat" in name else "blue").save(path)
            archive.write(path, name)
    found = [open_collection("folder", str(tmp_path / "set")), open_collection("zip", str(tmp_path / "set.zip"))]
    assert found[0].identity == found[1].identity
    items = [[(item.name, item.label, item.open().tobytes()) for item in each.items("train", 0, 2)] for each in found]
    assert items[0] == items[1]
