"""What is done about a collapse: a checkpoint from before it is kept, and training goes back there if the config says so."""

import json

from etils import epath

from gan_jax import cluster
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.errors import DIVERGED, UserError, explained
from gan_jax.kept import keep
from gan_jax.report import atomic
from gan_jax.report.watch import Alarm, Settings

FOLDER = "before_collapse"
RECORD = "collapses.json"


class Collapse(Exception):
    """Training has come apart and goes back: newer checkpoints than that step have been renamed."""


class Collapses:
    """Those of one run, noted in collapses.json of its workdir.

    Args:
        workdir: of the run.
        settings: what to do.
    """

    def __init__(self, workdir: epath.Path, settings: Settings):
        self._workdir, self.settings = epath.Path(workdir), settings
        self._path = self._workdir / RECORD
        with explained(self._path, "cannot be read"):
            self._lines = json.loads(self._path.read_text()) if self._path.exists() else []

    @property
    def rollbacks(self) -> int:
        """How often the run went back."""
        return sum(line["back_to"] is not None for line in self._lines)

    def seed(self, seed: int) -> int:
        """Of the latents, labels and augmentations after the rollbacks so far: the config's own before the first."""
        return (seed + 1_000_003 * self.rollbacks) % 2**32

    def meet(self, alarm: Alarm, step: int, checkpoints: Checkpoints) -> str:
        """Keeps the newest checkpoint from before the signs, in the folder `before_collapse`; a sentence about all that.

        All processes call this together; the first one writes.

        Raises:
            Collapse: the run goes back to that checkpoint. What is newer is now `collapsed-STEP`.
            UserError: it went back often enough, or something cannot be written.
        """
        signs, folder = "; ".join(alarm.signs), self._workdir / FOLDER
        told = f"step {step}: training may be collapsing: {signs}."
        checkpoints.wait()
        before = max((saved for saved in checkpoints.steps() if saved <= alarm.since), default=None)
        back = before is not None and self.settings.action == "roll back"
        if back and self.rollbacks >= self.settings.rollbacks:
            raise UserError(
                f"{told} It has gone back as often as config.train.collapse.rollbacks = {self.settings.rollbacks} allows, so "
                f"{DIVERGED}: lower config.players.*.learning_rate or regularise more, and go on from {folder}"
            )
        if before is not None and cluster.is_first():
            keep(self._workdir, before, folder)
        if back:
            for newer in checkpoints.steps():
                if newer > before:
                    checkpoints.set_aside(newer, "collapsed")
        self._lines.append({"step": step, "signs": list(alarm.signs), "back_to": before if back else None})
        if cluster.is_first():
            atomic.replace(self._path, (json.dumps(self._lines, indent=2) + "\n").encode())
        if back:
            raise Collapse(f"{told} Back to step {before}, with another seed; newer checkpoints are collapsed-STEP now")
        if before is None:
            return f"{told} No checkpoint from before it is left: lower config.train.checkpoint_every"
        return f"{told} The checkpoint of step {before}, from before, is kept in {folder}"
