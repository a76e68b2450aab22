"""Errors that a person can mend: shown as one sentence, without a traceback."""

import contextlib
import logging
import os
from collections.abc import Iterator

REMOTE_HELP = (
    "see also that the bucket exists, that this machine reaches it, and that its credentials may read and write there "
    "(gcloud auth application-default login)"
)

DIVERGED = "training has diverged"  # is in the message of what says something of a method, not of the machine

logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it logs the traceback of everything that it raises


class UserError(Exception):
    """Something failed that is not a bug (an unreadable image, a full disk): exit code 1.

    The message names the field or file, the value found, what was expected and what to do.
    """

    exit_code = 1


class ConfigError(UserError):
    """Arguments or a config that cannot be used: exit code 2."""

    exit_code = 2


class LostError(UserError):
    """Another process of the run is not there: exit code 134, as where JAX finds that out, and all may start again."""

    exit_code = 134


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path lies in a bucket."""
    return "://" in os.fspath(path)


@contextlib.contextmanager
def explained(
    path: str | os.PathLike,
    trouble: str = "cannot be written",
    help: str = "free the place or choose another",
    kind: type[UserError] = UserError,
) -> Iterator[None]:
    """Makes one sentence of what the file system raises in the block: "PATH TROUBLE: reason; HELP".

    Of a path in a bucket that is everything: its clients have exceptions of their own.

    Raises:
        UserError: of class `kind`.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_remote(path):
            if isinstance(error, OSError):
                raise kind(f"{path} {trouble}: {error.strerror or error}; {help}") from error
            raise
        if isinstance(error, ImportError):
            raise kind(f"{path} {trouble} ({error}): pip install 'gan-jax[gcs]'") from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise kind(f"{path} {trouble} ({reason}); {help}; {REMOTE_HELP}") from error
