"""Checkpoints: orbax, asynchronous, the whole state.

Each step holds two items: `state`, every array of the training state, and `meta`, a small JSON with the format
version. A save returns as soon as the arrays are copied from the devices, so a donated state is safe.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from gan_jax.engine.state import State
from gan_jax.errors import UserError

FORMAT = 1


class Checkpoints:
    """The checkpoints of one workdir, in `workdir/checkpoints`.

    Args:
        workdir: existing folder.
        keep: how many of the newest to keep.

    As a context manager it waits for the last save to commit: leaving without that would lose it silently.
    """

    def __init__(self, workdir: Path, keep: int = 3):
        logging.getLogger("absl").setLevel(logging.ERROR)  # orbax warns about settings that are its own defaults
        self.folder = Path(workdir).absolute() / "checkpoints"
        self.manager = ocp.CheckpointManager(
            self.folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep,
                cleanup_tmp_directories=True,
                async_options=ocp.AsyncOptions(timeout_secs=300),
            ),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        with self._explained():
            self.manager.wait_until_finished()
        self.manager.close()

    def latest(self) -> int | None:
        """Step of the newest committed checkpoint, None where there is none."""
        return max(self.manager.all_steps(read=True), default=None)

    def save(self, state: State, step: int) -> None:
        """Starts saving; an existing checkpoint of the same step is kept as it is.

        Raises:
            UserError: this or the previous save could not be written (a full disk).
        """
        if step in self.manager.all_steps():
            return
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(_as_dict(state)), meta=ocp.args.JsonSave({"format": FORMAT, "step": step})
        )
        with self._explained():
            if not self.manager.save(step, args=items, force=True):
                raise UserError(f"{self.folder}: orbax refused to save step {step}, which is older than the newest")

    def restore(self, target: State, step: int) -> State:
        """The state of a step, on the devices and in the shardings of the abstract `target`.

        Raises:
            UserError: the checkpoint does not fit the recipe, was written by a newer version, or is damaged.
        """
        wanted = _as_dict(target)
        self._check_dtypes(wanted, step)
        try:
            meta = self.manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore())).meta
            if meta["format"] > FORMAT:
                raise UserError(
                    f"{self.folder}/{step} has format {meta['format']}; this version of gan_jax reads up to {FORMAT}: "
                    "install a newer one"
                )
            items = self.manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(wanted)))
        except UserError:
            raise
        except Exception as error:  # orbax raises many types for the same damage
            first_line = str(error).strip().split("\n")[0]
            raise UserError(
                f"{self.folder}/{step} cannot be restored ({type(error).__name__}: {first_line}): move this folder away "
                "to go on from the checkpoint before it"
            ) from error
        return State(**items.state)

    def _check_dtypes(self, wanted: dict, step: int) -> None:
        """Orbax checks names and shapes but casts silently."""
        stored = self.manager.item_metadata(step).state
        if stored is None:
            return
        found = {jax.tree_util.keystr(p): np.dtype(x.dtype) for p, x in jax.tree.leaves_with_path(stored.tree)}
        for path, leaf in jax.tree.leaves_with_path(wanted):
            name = jax.tree_util.keystr(path)
            if name in found and found[name] != leaf.dtype:
                raise UserError(f"{self.folder}/{step}: {name} is {found[name]}, expected {leaf.dtype}")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) or any(
                s in str(error) for s in ("RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "PERMISSION")
            ):
                raise UserError(
                    f"{self.folder}: the checkpoint could not be written ({str(error).strip().splitlines()[0][:200]}): "
                    "free some space and run the same command again; older checkpoints are intact"
                ) from error
            raise


def _as_dict(state: State) -> dict:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
