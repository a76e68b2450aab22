"""Image files in folders and archives: what is listed, how it is read, and which archives are refused."""

import bz2
import concurrent.futures
import contextlib
import gzip
import io
import lzma
import multiprocessing
import os
import pickle
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gan_jax.data import archives, files
from gan_jax.data.archives import Tar, Zip
from gan_jax.data.files import Folder
from gan_jax.errors import ConfigError, UserError

# One place in all three forms; the files need not be images, as nobody here decodes them.
CONTENT = {
    "b/2.PNG": b"two",
    "b/10.jpeg": b"ten" * 100,
    "a/é 1.webp": b"one",
    "c/deep/4.tif": b"",
    "dataset.json": b'{"labels": null}',
    "b/notes.txt": b"no image",
    "none/notes.txt": b"no image",
    ".hidden/5.png": b"five",
    "a/._1.webp": b"left by a Mac",
    "__MACOSX/a/1.webp": b"left by a Mac",
}
NAMES = ["a/é 1.webp", "b/10.jpeg", "b/2.PNG", "c/deep/4.tif"]
FOLDERS = ["a", "b", "c", "c/deep", "none"]
COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def make_zip(path, content=CONTENT, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def make_tar(path, content=CONTENT, **options):
    with tarfile.open(path, "w", **options) as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def make_compressed(path):
    plain = make_tar(path.with_suffix(".plain"))
    path.write_bytes(COMPRESS[path.suffix[1:]](plain.read_bytes()))
    return path


def place(kind, tmp_path):
    """`CONTENT` as a folder, zip, tar or compressed tar."""
    if kind == "folder":
        for name, data in CONTENT.items():
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return Folder(str(tmp_path / "set"))
    if kind == "zip":
        return Zip(str(make_zip(tmp_path / "set.zip")))
    if kind == "stored zip":
        return Zip(str(make_zip(tmp_path / "set.zip", compression=zipfile.ZIP_STORED)))
    path = tmp_path / f"set.{kind}"
    return Tar(str(make_tar(path) if kind == "tar" else make_compressed(path)))


KINDS = ("folder", "zip", "stored zip", "tar", "gz", "bz2", "xz")


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_listed_in_order_and_read_whatever_they_lie_in(tmp_path, kind):
    files = place(kind, tmp_path)
    assert files.names == NAMES
    assert files.folders == FOLDERS
    assert [files.read(name) for name in NAMES] == [CONTENT[name] for name in NAMES]
    assert [files.size(name) for name in NAMES] == [len(CONTENT[name]) for name in NAMES]
    assert files.text("dataset.json") == '{"labels": null}'
    assert files.text("other.json") is None
    with pytest.raises(FileNotFoundError):
        files.read("a/missing.png")


def read_all(files):
    return [files.read(name) for name in files.names]


@pytest.mark.parametrize("kind", KINDS)
def test_copies_in_other_processes_and_threads_read_the_same(tmp_path, kind):
    files = place(kind, tmp_path)
    expected = read_all(files)
    assert read_all(pickle.loads(pickle.dumps(files))) == expected
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(read_all, [files] * 200))


def _read_often(files, expected, wrong):
    wrong.value += sum(read_all(files) != expected for _ in range(50))


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_forked_processes_do_not_share_a_place_in_the_archive(tmp_path, make):
    content = {f"{number}.png": os.urandom(50_000) for number in range(8)}  # too much for a buffer
    files = (Zip if make is make_zip else Tar)(str(make(tmp_path / "a", content)))
    expected, context = read_all(files), multiprocessing.get_context("fork")
    wrong = context.Value("i", 0)
    processes = [context.Process(target=_read_often, args=(files, expected, wrong)) for _ in range(2)]
    for process in processes:
        process.start()
    _read_often(files, expected, wrong)
    for process in processes:
        process.join()
    assert (wrong.value, [process.exitcode for process in processes]) == (0, [0, 0])


def test_remote_folders_are_listed_as_local_ones(tmp_path):
    place("folder", tmp_path)
    assert sorted(files._walk_remote(str(tmp_path / "set"))) == sorted(files._walk(str(tmp_path / "set")))


def test_linked_folders_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "set/a").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/1.png").write_bytes(b"one")
    (tmp_path / "set/a/other").symlink_to(tmp_path / "other")
    (tmp_path / "other/back").symlink_to(tmp_path / "set/a")
    (tmp_path / "set/itself").symlink_to(tmp_path / "set")
    assert Folder(str(tmp_path / "set")).names == ["a/other/1.png"]


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    place("folder", tmp_path)
    make_zip(tmp_path / "set.zip")
    assert read_all(Folder("~/set")) == read_all(Zip("~/set.zip"))


def test_a_missing_place_and_one_of_the_wrong_kind_are_named(tmp_path):
    archive = make_zip(tmp_path / "set.zip")
    for kind, path in ((Folder, tmp_path / "no"), (Folder, archive)):
        with pytest.raises(ConfigError, match=f"no folder {path}: check the path, or use zip"):
            kind(str(path))
    for kind, path in ((Zip, tmp_path / "no.zip"), (Tar, tmp_path)):
        with pytest.raises(ConfigError, match=f"no file {path}: check the path, or use folder:"):
            kind(str(path))
    with pytest.raises(UserError, match=r"set\.zip is damaged or no tar archive"):
        Tar(str(archive))
    with pytest.raises(UserError, match=r"set\.tar is damaged or no zip archive"):
        Zip(str(make_tar(tmp_path / "set.tar")))


def test_a_list_of_labels_that_is_no_text_is_named(tmp_path):
    with pytest.raises(UserError, match=r"dataset\.json cannot be read as text"):
        Zip(str(make_zip(tmp_path / "a.zip", {"dataset.json": b"\xff\xfe"}))).text("dataset.json")


# Paths and links.


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "a/../../a.png", "..\\a.png"])
def test_paths_that_lead_out_of_an_archive_are_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"a\.png', a path that leads out of the archive"):
        Zip(str(make_zip(tmp_path / "a.zip", {name: b""})))
    if "\\" not in name:
        with pytest.raises(UserError, match=r"a\.png', a path that leads out of the archive"):
            Tar(str(make_tar(tmp_path / "a.tar", {name: b""})))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_special_files_in_a_tar_archive_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("x.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(UserError, match=r"a\.tar holds 'x\.png', a link or special file"):
        Tar(str(tmp_path / "a.tar"))


def test_links_in_a_zip_archive_are_refused(tmp_path):
    member = zipfile.ZipInfo("x.png")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(UserError, match=r"a\.zip holds 'x\.png', a link"):
        Zip(str(tmp_path / "a.zip"))


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_leading_dot_and_folders_of_their_own_change_no_name(tmp_path, make):
    files = (Zip if make is make_zip else Tar)(str(make(tmp_path / "a", {"./b/1.png": b"1", "./c//2.png": b"2"})))
    assert (files.names, read_all(files)) == (["b/1.png", "c/2.png"], [b"1", b"2"])


# Archives that expand without bound.


def test_a_zip_member_that_expands_a_thousandfold_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds 'x\.png', which expands from \d+ to 3000000 bytes"):
        Zip(str(make_zip(tmp_path / "a.zip", {"x.png": bytes(3_000_000)})))


def test_a_member_of_absurd_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBER_BYTES", 299)
    with pytest.raises(UserError, match=r"10\.jpeg', which expands from"):
        place("zip", tmp_path)
    with pytest.raises(UserError, match=r"10\.jpeg' of 300 bytes, more than 299"):
        place("tar", tmp_path)


def change_list(path, offset, value):
    """Overwrites 4 bytes of the first entry in the list at the end of a zip archive."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\1\2") + offset, value)
    path.write_bytes(content)


def test_no_more_is_unpacked_than_a_zip_archive_declares(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "a.zip", {"x.png": bytes(50_000_000)})
    change_list(path, 24, 1000)  # It says 1000 bytes now, and holds fifty million.
    files, unpacked = Zip(str(path)), []

    class Spy:
        def __init__(self, *arguments):
            self._object = decompressobj(*arguments)

        def decompress(self, *arguments):
            unpacked.append(self._object.decompress(*arguments))
            return unpacked[-1]

    decompressobj = archives.zlib.decompressobj
    monkeypatch.setattr(archives.zlib, "decompressobj", Spy)
    with pytest.raises(OSError, match="damaged"):
        files.read("x.png")
    assert len(unpacked[0]) <= 1001


def test_zip_members_that_overlap_are_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"x.png": b"x" * 1000, "y.png": b"y" * 1000}, zipfile.ZIP_STORED)
    change_list(path, 20, 1500)
    change_list(path, 24, 1500)
    with pytest.raises(UserError, match=r"a\.zip holds 'x\.png', which overlaps what follows"):
        Zip(str(path))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_tar_archive_that_expands_without_bound_is_given_up_and_leaves_nothing(
    tmp_path, monkeypatch, suffix
):
    monkeypatch.setattr(archives, "EXPANSION", 2)
    monkeypatch.setattr(archives, "_CHUNK", 1024)
    staging = tmp_path / "staging"
    staging.mkdir()
    path = make_compressed(tmp_path / f"a.{suffix}")
    with pytest.raises(UserError, match=r"expands to more than 2 times its size"):
        Tar(str(path), str(staging))
    assert not list(staging.iterdir())


def test_a_compressed_tar_archive_does_not_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SPARE_BYTES", 2**60)
    with pytest.raises(UserError, match=r"does not fit unpacked into .*free some space there"):
        place("gz", tmp_path)


# Unpacked tar archives.


def test_a_compressed_tar_archive_is_unpacked_where_told_as_long_as_it_is_open(tmp_path):
    staging = tmp_path / "staging"
    staging.mkdir()
    files = Tar(str(make_compressed(tmp_path / "a.xz")), str(staging))
    (unpacked,) = staging.iterdir()
    copy = pickle.loads(pickle.dumps(files))
    assert read_all(copy) == read_all(files)
    del copy
    assert unpacked.exists()  # A copy, as a worker process has one, does not take it away from the others.
    del files
    assert not list(staging.iterdir())


def test_a_forked_process_leaves_the_unpacked_archive_when_it_ends(tmp_path):
    staging = tmp_path / "staging"
    staging.mkdir()
    files = Tar(str(make_compressed(tmp_path / "a.gz")), str(staging))
    child = os.fork()
    if not child:
        try:
            del files
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert list(staging.iterdir())


# Damage.


@pytest.mark.parametrize("seed", range(20))
def test_whatever_byte_of_an_archive_is_damaged_nothing_but_the_told_errors_is_raised(tmp_path, seed):
    random = np.random.RandomState(seed)
    for kind in ("zip", "tar", "gz", "bz2", "xz"):
        files = place(kind, tmp_path)
        path = tmp_path / f"set.{kind}"
        content = np.frombuffer(path.read_bytes(), np.uint8).copy()
        content[random.randint(0, min(len(content), 4000), 2)] = random.choice([0, 255, 77], 2)
        path.write_bytes(content.tobytes())
        with contextlib.suppress(UserError, OSError):
            read_all(type(files)(str(path)))


def test_an_entry_that_points_before_a_zip_archive_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"x.png": b"x"})
    content = path.read_bytes()
    path.write_bytes(content[:-6] + struct.pack("<I", struct.unpack("<I", content[-6:-2])[0] + 9) + content[-2:])
    with pytest.raises(UserError, match=r"a\.zip is damaged or no zip archive"):
        Zip(str(path))


@pytest.mark.parametrize("kind", ["zip", "stored zip"])
def test_a_damaged_zip_member_is_found_when_it_is_read(tmp_path, kind):
    files = place(kind, tmp_path)
    path = tmp_path / "set.zip"
    content = bytearray(path.read_bytes())
    content[content.index(b"b/10.jpeg") + len("b/10.jpeg") + 1] ^= 255
    path.write_bytes(content)
    with pytest.raises(OSError, match="its content in .*damaged") as caught:
        files.read("b/10.jpeg")
    assert caught.value.errno is None  # an errno would mean a disk or network that fails
    assert files.read("b/2.PNG") == b"two"


@pytest.mark.parametrize("kind", ["zip", "tar", "gz", "bz2", "xz"])
@pytest.mark.parametrize("kept", [0.3, 0.6])
def test_a_truncated_archive_is_refused(tmp_path, kind, kept):
    files = place(kind, tmp_path)
    path = tmp_path / f"set.{kind}"
    length = 20 * 512 if kind == "tar" else path.stat().st_size  # tar fills up with zeros, which may be missing
    path.write_bytes(path.read_bytes()[: int(length * kept) + 7])
    with pytest.raises(UserError, match=rf"set\.{kind} is damaged or no (zip|tar) archive"):
        type(files)(str(path))


def test_a_damaged_header_within_a_tar_archive_is_not_taken_for_its_end(tmp_path):
    place("tar", tmp_path)
    path = tmp_path / "set.tar"
    content = bytearray(path.read_bytes())
    content[content.index(b"c/deep/4.tif")] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"set\.tar is damaged .*is no header"):
        Tar(str(path))


def test_an_archive_that_changed_after_it_was_listed_is_noticed(tmp_path):
    for kind in ("zip", "tar"):
        files = place(kind, tmp_path)
        Path(tmp_path / f"set.{kind}").write_bytes(b"short")
        with pytest.raises(OSError, match=r"has (changed|become shorter)"):
            files.read("b/10.jpeg")


@pytest.mark.parametrize(
    ("method", "words"), [(zipfile.ZIP_BZIP2, "compressed by method 12"), (zipfile.ZIP_LZMA, "compressed by method 14")]
)
def test_rare_compression_inside_a_zip_archive_is_named(tmp_path, method, words):
    with pytest.raises(UserError, match=rf"holds 'b/2\.PNG', {words}: expected stored"):
        Zip(str(make_zip(tmp_path / "a.zip", compression=method)))


def test_an_encrypted_zip_archive_is_named(tmp_path):
    path = make_zip(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"b/2\.PNG', which is encrypted"):
        Zip(str(path))


def test_a_compression_that_python_cannot_read_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(archives._COMPRESSIONS, b"\x28\xb5\x2f\xfd", "no_such_module")
    (tmp_path / "a.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(UserError, match=r"a\.tar\.zst is compressed in a way that this Python cannot read"):
        Tar(str(tmp_path / "a.tar.zst"))
