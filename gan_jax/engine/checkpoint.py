"""Checkpoints: orbax, asynchronous, the whole state.

Each step holds two items: `state`, every array of the training state, and `meta`, a small JSON with the format
version. A save returns as soon as the arrays are copied from the devices, so a donated state is safe.
"""

import contextlib
import dataclasses
import logging
import sys
from collections.abc import Iterator

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from gan_jax.engine.sharding import path_name
from gan_jax.engine.state import State
from gan_jax.errors import UserError

FORMAT = 1


class Checkpoints:
    """The checkpoints of one workdir, in `workdir/checkpoints`.

    Args:
        workdir: existing folder, or a place in a bucket (gs://BUCKET/FOLDER).
        keep: how many of the newest to keep.
        read_only: touch nothing, above all not the half-written checkpoint of a run in progress.

    As a context manager it waits for the last save to commit: leaving without that would lose it silently.

    Raises:
        UserError: the folder cannot be made, or the bucket not reached.
    """

    def __init__(self, workdir: epath.Path, keep: int = 3, read_only: bool = False):
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs pages about the errors that it raises
        self.folder = epath.Path(workdir) / "checkpoints"
        self._remote = "://" in str(self.folder)
        if not self._remote:  # `absolute` knows of no bucket
            self.folder = self.folder.absolute()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
            async_options=ocp.AsyncOptions(timeout_secs=300),
        )
        # Without the handlers a fresh manager says nothing of the shapes and dtypes that it finds.
        handlers = {"state": ocp.StandardCheckpointHandler(), "meta": ocp.JsonCheckpointHandler()}
        with self._explained():
            self.manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handlers)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        try:
            self.wait()
        finally:
            self.manager.close()

    def wait(self) -> None:
        """Returns when the last save is committed.

        Raises:
            UserError: it could not be written (a full disk).
        """
        with self._explained():
            self.manager.wait_until_finished()

    def latest(self) -> int | None:
        """Step of the newest committed checkpoint, None where there is none."""
        with self._explained():
            return max(self.manager.all_steps(read=True), default=None)

    def save(self, state: State, step: int) -> None:
        """Starts saving; an existing checkpoint of the same step is kept as it is.

        Raises:
            UserError: this or the previous save could not be written (a full disk).
        """
        with self._explained():
            if step in self.manager.all_steps():
                return
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(_as_dict(state)), meta=ocp.args.JsonSave({"format": FORMAT, "step": step})
        )
        with self._explained():
            self.manager.save(step, args=items, force=True)

    def restore(self, target: State, step: int) -> State:
        """The state of a step, on the devices and in the shardings of the abstract `target`.

        Raises:
            UserError: the checkpoint does not fit the recipe, was written by a newer version, or is damaged.
        """
        wanted = _as_dict(target)
        try:
            meta = self.manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore())).meta
            if meta["format"] > FORMAT:
                raise UserError(
                    f"{self.folder}/{step} has format {meta['format']}; this version of gan_jax reads up to {FORMAT}: "
                    "install a newer one"
                )
            self._check_fit(wanted, step)
            with _muted():
                items = self.manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(wanted)))
        except UserError:
            raise
        except Exception as error:  # orbax raises many types for the same damage
            trouble = "is damaged or out of reach" if self._remote else "is damaged"
            raise UserError(
                f"{self.folder}/{step} {trouble} ({type(error).__name__}: {_shortened(error)}): move this folder away "
                "to go on from the checkpoint before it"
            ) from error
        return State(**items.state)

    def _check_fit(self, wanted: dict, step: int) -> None:
        """Names a leaf that differs: orbax does not say which shape is wrong, and casts other dtypes silently."""
        metadata = self.manager.item_metadata(step)["state"]
        if metadata is None:
            raise ValueError("the list of its arrays is missing")
        stored, expected = _summary(metadata.tree), _summary(wanted)
        names = sorted(stored.keys() | expected.keys())
        if differing := [name for name in names if stored.get(name) != expected.get(name)]:
            name = differing[0]
            raise UserError(
                f"{self.folder}/{step} does not fit this config and recipe: it has {stored.get(name, 'nothing')} as "
                f"{name}, expected {expected.get(name, 'nothing')} ({len(differing)} of {len(names)} arrays differ); "
                "use the config it was trained with, or another --workdir"
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with _muted():
                yield
        except Exception as error:
            if self._remote:  # clients of buckets have exceptions of their own
                raise UserError(
                    f"{self.folder}: the bucket could not be used ({type(error).__name__}: {_shortened(error)}): see that "
                    "it exists, that this machine reaches it, that its credentials may use it and that gan-jax[gcs] is "
                    "installed, and run the same command again; older checkpoints are intact"
                ) from error
            full = any(word in str(error) for word in ("RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "PERMISSION"))
            if isinstance(error, OSError) or (isinstance(error, ValueError) and full):
                raise UserError(
                    f"{self.folder}: the checkpoint could not be written ({_shortened(error)}): "
                    "free some space and run the same command again; older checkpoints are intact"
                ) from error
            raise


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Silences what asyncio and TensorStore's threads have to say when the disk fails them: pages of tracebacks.

    They go on with it for a while, so after a failure, which ends the process, they stay silenced.
    """
    hook, level = sys.unraisablehook, logging.getLogger("asyncio").level
    sys.unraisablehook = lambda _: None
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    yield
    sys.unraisablehook = hook
    logging.getLogger("asyncio").setLevel(level)


def _summary(tree: dict) -> dict[str, str]:
    """`{path: "float32[3, 8]"}` of arrays or of what orbax says about them."""
    return {path_name(p): f"{np.dtype(x.dtype)}{list(x.shape)}" for p, x in jax.tree.leaves_with_path(tree)}


def _shortened(error: Exception) -> str:
    """Its cause on one line, without the specification that TensorStore appends; gcsfs gives the reason second."""
    return " ".join(str(error.__cause__ or error).split(" [tensorstore_spec")[0].split())[:300]


def _as_dict(state: State) -> dict:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
