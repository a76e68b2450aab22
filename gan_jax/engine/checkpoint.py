"""Checkpoints: orbax, asynchronous, the whole state, and proof on reading that it is what was saved.

Each step holds two items: `state`, every array of the training state, and `meta`, a small JSON: the format version,
the step, and of every array the type, the shape and a checksum, as the storage notices no flipped bit by itself. A
save returns as soon as the arrays are copied from the devices, so a donated state is safe. Format 1 had no checksums.
"""

import contextlib
import dataclasses
import gc
import logging
import sys
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jax.experimental import multihost_utils

from gan_jax.engine.checksum import checksums
from gan_jax.engine.sharding import path_name
from gan_jax.engine.state import State
from gan_jax.errors import UserError

FORMAT = 2
PATIENCE = 300  # seconds in which a checkpoint must be written, after which processes no longer wait for each other
_unraisable_before = sys.unraisablehook


class DamagedError(UserError):
    """A checkpoint that cannot be read, or is not what was saved."""


class Restored(NamedTuple):
    """A state and its step; whether checksums vouch for it; what is wrong with the newer steps, by step."""

    state: State
    step: int
    verified: bool
    damaged: dict[int, str]


class _Manager(ocp.CheckpointManager):
    def reached_preemption(self, step: int) -> bool:
        """Keeps orbax from telling jax's coordination service the number of an older step: the training loop counts."""
        return False


class Checkpoints:
    """The checkpoints of one workdir, in `workdir/checkpoints`.

    Args:
        workdir: existing folder, or a place in a bucket (gs://BUCKET/FOLDER).
        keep: how many of the newest to keep.
        read_only: touch nothing, above all not the half-written checkpoint of a run in progress. Each of several
            processes then reads by itself, so that none waits for one that cannot.

    As a context manager it waits for the last save to commit: leaving without that would lose it silently.

    Raises:
        UserError: the folder cannot be made, or the bucket not reached.
    """

    def __init__(self, workdir: epath.Path, keep: int = 3, read_only: bool = False):
        for name in ("absl", "asyncio"):  # orbax logs pages about the errors that it raises
            logging.getLogger(name).setLevel(logging.CRITICAL)
        sys.unraisablehook = _unraisable
        self.folder = epath.Path(workdir) / "checkpoints"
        self._remote = "://" in str(self.folder)
        if not self._remote:  # `absolute` knows of no bucket
            self.folder = self.folder.absolute()
        own = jax.process_index()
        alone = ocp.options.MultiprocessingOptions(primary_host=own, active_processes={own})
        processes = alone if read_only else ocp.options.MultiprocessingOptions()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
            async_options=ocp.AsyncOptions(timeout_secs=PATIENCE),
            multiprocessing_options=processes,
        )
        # Without the handlers a fresh manager says nothing of the shapes and dtypes that it finds.
        handlers = {
            "state": ocp.StandardCheckpointHandler(multiprocessing_options=processes),
            "meta": ocp.JsonCheckpointHandler(multiprocessing_options=processes),
        }
        with self._explained():
            self.manager = _Manager(self.folder, options=options, item_handlers=handlers)

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

    def check(self) -> None:
        """Raises UserError if the last save has failed; one under way is left alone, so asking costs nothing."""
        if not self.manager.is_saving_in_progress():
            self.wait()

    def latest(self) -> int | None:
        """Step of the newest committed checkpoint, None where there is none."""
        return max(self._steps(), default=None)

    def save(self, state: State, step: int) -> None:
        """Starts saving; an existing checkpoint of the same step is kept as it is.

        Raises:
            UserError: this or the previous save could not be written (a full disk).
        """
        with self._explained():
            exists = step in self.manager.all_steps()
        if _of_first([int(exists)])[0]:  # a process that skips a save which others make would hang them
            return
        tree = _as_dict(state)
        meta = {"format": FORMAT, "step": step, "arrays": _described(tree)}
        items = ocp.args.Composite(state=ocp.args.StandardSave(tree), meta=ocp.args.JsonSave(meta))
        with self._explained():
            self.manager.save(step, args=items, force=True)

    def restore(self, target: State, step: int) -> State:
        """The state of a step, on the devices and in the shardings of the abstract `target`.

        Raises:
            DamagedError: it cannot be read, or is not what was saved; of several processes in all, if so in one.
            UserError: it does not fit the recipe, or was written by a newer version.
        """
        return self._restore(target, step)[0]

    def newest(self, target: State) -> Restored | None:
        """The newest checkpoint that is whole, the same for all processes; None where there is none at all.

        Raises:
            UserError: all are damaged, or one does not fit the recipe: then older ones, which would not either, are
                not tried.
        """
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                return Restored(*self._restore(target, step), damaged)
            except DamagedError as error:
                damaged[step] = str(error)
            gc.collect()  # the error's frames hold the arrays that were read
        if damaged:
            raise UserError(
                f"no checkpoint can be used: {'; '.join(damaged.values())}; nothing was changed: see that the place can be "
                "read, put a copy of a checkpoint back, or begin again in another --workdir"
            )
        return None

    def set_aside(self, step: int, why: str = "damaged") -> epath.Path:
        """Renames a step to `WHY-STEP`, which is neither read nor removed; the first of several processes does it.

        Raises:
            UserError: it cannot be renamed.
        """
        names = (f"{why}-{step}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 1000))))
        trouble = None
        try:
            place = next(self.folder / name for name in names if not (self.folder / name).exists())
            if jax.process_index() == 0:
                (self.folder / str(step)).rename(place)
        except Exception as error:  # clients of buckets have exceptions of their own
            trouble = UserError(
                f"{self.folder}/{step} is {why} and cannot be renamed ({type(error).__name__}: {_shortened(error)}): move "
                "it away and run the same command again"
            )
        _agree(trouble, f"{self.folder}/{step}")
        return place

    def steps(self) -> list[int]:
        """Of the committed checkpoints, the same for all processes."""
        return _of_first(sorted(self._steps()))

    def _steps(self) -> list[int]:
        with self._explained():
            return list(self.manager.all_steps(read=True))

    def _restore(self, target: State, step: int) -> tuple[State, int, bool]:
        wanted = _as_dict(target)
        with self._judged(step):
            meta = self.manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore())).meta
            if meta["format"] > FORMAT:
                raise UserError(
                    f"{self.folder}/{step} has format {meta['format']}; this version of gan_jax reads up to {FORMAT}: "
                    "install a newer one"
                )
            saved = meta["arrays"] if meta["format"] > 1 else None
            if saved is None:
                del wanted["skipped"]  # which format 1 had not
            self._check_fit(wanted, step, saved)
            items = self.manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(wanted)))
        found = items.state
        with self._judged(step):  # the checksums are computed by all processes together, so all must have come here
            if saved is None:
                found["skipped"] = jax.jit(lambda: jnp.int32(0), out_shardings=target.skipped.sharding)()
            elif differing := [name for name, text in _described(found).items() if text != saved[name]]:
                raise ValueError(
                    f"{len(differing)} of {len(saved)} arrays are not what was saved, such as {differing[0]}"
                )
        return State(**found), step, saved is not None

    @contextlib.contextmanager
    def _judged(self, step: int) -> Iterator[None]:
        """Makes one sentence of whatever fails in the block, and lets it fail in all processes if it does in one."""
        trouble: UserError | None = None
        try:
            yield
        except UserError as error:
            trouble = error
        except Exception as error:  # orbax raises many types for the same damage
            adjective = "damaged or out of reach" if self._remote else "damaged"
            trouble = DamagedError(f"{self.folder}/{step} is {adjective} ({type(error).__name__}: {_shortened(error)})")
            trouble.__cause__ = error
        _agree(trouble, f"{self.folder}/{step}")

    def _check_fit(self, wanted: dict, step: int, saved: dict[str, str] | None) -> None:
        """Names a leaf that differs: orbax does not say which shape is wrong, and casts other dtypes silently.

        What the storage says of the arrays must be what was saved, or it is damaged and nobody knows what would fit.
        """
        metadata = self.manager.item_metadata(step)["state"]
        if metadata is None:
            raise ValueError("the list of its arrays is missing")
        stored, expected = _summary(metadata.tree), _summary(wanted)
        if saved is not None and stored != {name: text.rpartition(" ")[0] for name, text in saved.items()}:
            raise ValueError("the list of its arrays is not what was saved")
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
            yield
        except Exception as error:
            if self._remote:  # clients of buckets have exceptions of their own
                raise UserError(
                    f"{self.folder}: the bucket could not be used ({type(error).__name__}: {_shortened(error)}): see that "
                    "it exists, that this machine reaches it, that its credentials may use it and that gan-jax[gcs] is "
                    "installed, and run the same command again; older checkpoints are intact"
                ) from error
            cause = _cause(error)
            if isinstance(cause, TimeoutError):
                raise UserError(
                    f"{self.folder}: another process has not written its part of the checkpoint within {PATIENCE} seconds: "
                    "see what it says, and run the same command again; older checkpoints are intact"
                ) from error
            full = any(word in str(cause) for word in ("RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "PERMISSION"))
            if isinstance(cause, OSError) or (isinstance(cause, ValueError) and full):
                raise UserError(
                    f"{self.folder}: the checkpoint could not be written ({_shortened(cause)}): "
                    "free some space and run the same command again; older checkpoints are intact"
                ) from error
            raise


def _cause(error: BaseException) -> BaseException:
    """The error, or what happened before it: one process's trouble makes all processes miss each other later."""
    while isinstance(error, jax.errors.JaxRuntimeError) and error.__context__:
        error = error.__context__
    return error


def _unraisable(event) -> None:
    """Leaves out what TensorStore's threads have to say, for a while, of an error that orbax has raised: pages of it."""
    if str(event.exc_value) != "Event loop is closed":
        _unraisable_before(event)


def _summary(tree: dict) -> dict[str, str]:
    """`{path: "float32[3, 8]"}` of arrays or of what orbax says about them."""
    return {path_name(p): f"{np.dtype(x.dtype)}{list(x.shape)}" for p, x in jax.tree.leaves_with_path(tree)}


def _described(tree: dict) -> dict[str, str]:
    """`{path: "float32[3, 8] 1a2b3c4d"}`: what `_summary` says of every array, and its checksum."""
    sums = jax.tree.leaves(jax.device_get(checksums(tree)))
    return {name: f"{text} {total:08x}" for (name, text), total in zip(_summary(tree).items(), sums, strict=True)}


def _of_first(numbers: list[int]) -> list[int]:
    """The first process's numbers, in all of them."""
    if jax.process_count() == 1:
        return numbers
    count = int(multihost_utils.broadcast_one_to_all(np.int32(len(numbers))))
    return multihost_utils.broadcast_one_to_all(np.resize(np.array(numbers, np.int32), count)).tolist()


def _agree(trouble: UserError | None, place: str) -> None:
    """Raises in all processes what one of them met at a place; all wait for all."""
    kinds = (None, DamagedError, UserError)
    own = 0 if trouble is None else 1 if isinstance(trouble, DamagedError) else 2
    every = [own] if jax.process_count() == 1 else multihost_utils.process_allgather(np.int32(own)).tolist()
    if trouble and own == max(every):
        raise trouble
    if kind := kinds[max(every)]:
        raise kind(f"{place} cannot be used by process {every.index(max(every))}")


def _shortened(error: BaseException) -> str:
    """Its cause on one line, without the specification that TensorStore appends; gcsfs gives the reason second."""
    return " ".join(str(error.__cause__ or error).split(" [tensorstore_spec")[0].split())[:300]


def _as_dict(state: State) -> dict:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
