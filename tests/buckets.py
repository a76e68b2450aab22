"""The fake storage server, and the clients of this process and its workers turned towards it."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from etils.epath import backend, gpath

from tests.fake_gcs import FakeStorage

GCSFS = importlib.util.find_spec("gcsfs") is not None


@contextlib.contextmanager
def served(*variables: str) -> Iterator[tuple[FakeStorage, pytest.MonkeyPatch]]:
    """A server of gs://bucket, whose address further environment variables are told.

    The clients read them once in the life of a process; worker processes inherit them. Where gcsfs is not installed,
    `stand_in/gcsfs.py` takes its place.
    """
    with FakeStorage("bucket") as storage, pytest.MonkeyPatch.context() as patch:
        for name in ("STORAGE_EMULATOR_HOST", *variables):
            patch.setenv(name, storage.url)
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # else it asks for credentials first
        patch.setattr(gpath, "_is_tf_installed", lambda: False)  # another test may have asked before
        if not GCSFS:
            patch.syspath_prepend(str(Path(__file__).parent / "stand_in"))
        files = importlib.import_module("gcsfs").GCSFileSystem
        for name in ("gs", "gcs"):
            fsspec.register_implementation(name, files, clobber=True)
        backend.fsspec_backend._get_filesystem.cache_clear()
        yield storage, patch
        backend.fsspec_backend._get_filesystem.cache_clear()
    sys.modules.pop("gcsfs")
