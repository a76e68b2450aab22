"""A copy of one checkpoint in a folder of its workdir, which is a workdir itself: it can be sampled, evaluated, trained on."""

import shutil
from pathlib import Path

from etils import epath

from gan_jax.errors import explained


def keep(workdir: epath.Path, step: int, folder: epath.Path) -> bool:
    """Copies a checkpoint in the place of the one that was kept in the folder; whether it was there to be copied.

    The new one is put in its place whole, then the one before is removed.

    Raises:
        UserError: the copy cannot be written.
    """
    source, kept, partial = workdir / "checkpoints" / str(step), folder / "checkpoints", folder / f"{step}.partial"
    if not source.exists():
        return False
    with explained(folder):
        if partial.exists():
            partial.rmtree()
        copy_tree(source, partial)
        before = list(kept.iterdir()) if kept.exists() else []
        kept.mkdir(parents=True, exist_ok=True)
        if (kept / str(step)).exists():
            (kept / str(step)).rmtree()
        partial.rename(kept / str(step))
        for other in before:
            if other.name != str(step):
                other.rmtree()
        for name in ("config.json", "environment.json"):
            (workdir / name).copy(folder / name, overwrite=True)
    return True


def copy_tree(source: epath.Path, target: epath.Path) -> None:
    """Copies a folder, on disk or in a bucket."""
    if isinstance(source, Path):
        shutil.copytree(source, target)
        return
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_dir():
            copy_tree(path, target / path.name)
        else:
            path.copy(target / path.name, overwrite=True)
