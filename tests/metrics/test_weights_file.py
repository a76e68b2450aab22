"""Published files of weights: found by any of their names, and known by their hash."""

import hashlib

import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics.weights_file import WeightsFile

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = WeightsFile(("first.pth", "second.pth"), "https://example.org/first.pth", SHA256[:8])


@pytest.mark.parametrize("name", FILE.names)
def test_a_file_is_found_by_any_of_its_names(tmp_path, name):
    (tmp_path / name).write_bytes(CONTENT)
    assert FILE.find(tmp_path) == (tmp_path / name, SHA256)


def test_the_first_name_goes_first(tmp_path):
    (tmp_path / "first.pth").write_bytes(CONTENT)
    (tmp_path / "second.pth").write_bytes(b"others")
    assert FILE.find(str(tmp_path))[0] == tmp_path / "first.pth"


def test_the_folder_may_lie_in_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "first.pth").write_bytes(CONTENT)
    assert FILE.find("~")[0] == tmp_path / "first.pth"


def test_a_file_without_a_published_hash_is_taken_as_it_is(tmp_path):
    (tmp_path / "a.pb").write_bytes(b"anything")
    assert WeightsFile(("a.pb",), "somewhere").find(tmp_path)[1] == hashlib.sha256(b"anything").hexdigest()


@pytest.mark.parametrize("folder", ["", "absent"])
def test_an_absent_file_is_a_sentence(tmp_path, folder):
    (tmp_path / "second.pth").mkdir()  # no file
    with pytest.raises(ConfigError) as raised:
        FILE.find(tmp_path / folder)
    assert str(raised.value) == (
        f"{tmp_path / folder / 'first.pth'} is missing: get it from https://example.org/first.pth and put it there, or "
        "name the folder that holds it by --config.evaluate.weights=FOLDER"
    )


def test_another_file_is_a_sentence(tmp_path):
    (tmp_path / "first.pth").write_bytes(b"others")
    found = hashlib.sha256(b"others").hexdigest()
    with pytest.raises(UserError) as raised:
        FILE.find(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path / 'first.pth'} has SHA-256 {found[:16]}..., expected {SHA256[:8]}...: it is damaged or another file, "
        "get it again from https://example.org/first.pth"
    )
