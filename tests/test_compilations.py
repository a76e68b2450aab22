"""The folder of compiled programs: used where it can be, and never a reason not to train."""

import jax
import pytest

from gan_jax import compilations


@pytest.fixture(autouse=True)
def unset():
    """JAX reads the setting when it compiles first; nothing is compiled here."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def found() -> str | None:
    return jax.config.jax_compilation_cache_dir


def test_a_missing_folder_is_made_and_a_relative_one_does_not_move(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    compilations.keep("some/cache")
    assert found() == str(tmp_path / "some/cache")
    assert not list((tmp_path / "some/cache").iterdir())
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    compilations.keep("~/cache")
    assert found() == str(tmp_path / "home/cache")
    assert capsys.readouterr().err == ""


def test_none_is_none():
    compilations.keep("")
    assert found() is None


def test_a_bucket_keeps_its_name():
    compilations.keep("gs://bucket/cache")
    assert found() == "gs://bucket/cache"


def full(*args, **kwargs):
    raise OSError(28, "No space left on device")


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    compilations.keep(str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(compilations.tempfile, "TemporaryFile", full)
    compilations.keep(str(tmp_path / "cache"))
    assert found() is None
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"config.train.compilation_cache: {tmp_path / 'file' / 'cache'} cannot be used (")
    assert second.endswith("cannot be used ([Errno 28] No space left on device): nothing is kept")
