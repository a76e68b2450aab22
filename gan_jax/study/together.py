"""Trains one setting with several seeds at once, each on a device of its own, as `gan-jax train` would train each alone.

    python -m gan_jax.study.together RUNS.json

The file holds a list of {"config", "overrides", "workdir"}, which differ in seed. Every workdir gets the config, metrics and
checkpoints of an ordinary one, with the same numbers, bit for bit; it has no pictures, no evaluation and no watch for a
collapse. What cannot be trained so (stages, going back after a collapse, a seed that diverges, checkpoints of different
steps) ends with exit code 1, and each goes on alone.
"""

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from etils import epath
from ml_collections import ConfigDict

from gan_jax import compilations
from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.data.source import open_source
from gan_jax.engine import seeds, sharding
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load
from gan_jax.engine.state import State
from gan_jax.errors import UserError
from gan_jax.report.clock import Clock
from gan_jax.report.goodput import Ledger
from gan_jax.report.log import TrainingLog
from gan_jax.run import Run, fit_to_data
from gan_jax.stopping import DONE, STOPPED, stop_requests


def together(settings: Sequence[ConfigDict], folders: Sequence[epath.Path]) -> int:
    """Trains until the configs' length, from the newest checkpoints that all have.

    Returns:
        The exit code: 0 when training is complete, 42 when it was asked to stop and has saved.

    Raises:
        ConfigError: there are fewer devices than seeds, or a workdir holds another run.
        UserError: this cannot be trained together.
    """
    clock, source, mesh = Clock(), open_source(settings[0].data), seeds.make_mesh(len(settings))
    settings = [fit_to_data(config, source) for config in settings]
    for config, folder in zip(settings, folders, strict=True):
        workdirs.check(folder, config)
    recipe = load(settings[0])
    if len(recipe.stages) > 1:
        raise UserError("a recipe with stages cannot be trained with several seeds at once: train each alone")
    if any(config.train.collapse.action == "roll back" for config in settings):
        raise UserError("seeds that go back after a collapse cannot be trained at once: train each alone")
    runs = [
        Run(config, recipe, sharding.make_mesh(config.mesh, [device]), source)
        for config, device in zip(settings, mesh.devices, strict=True)
    ]
    compilations.keep(settings[0].train.compilation_cache)
    states, first = _resumed(runs, folders)
    with clock("compile"):
        current = seeds.stack(states, mesh) if states else seeds.born(recipe, [c.seed for c in settings], mesh)
    done, total, steps = first, runs[0].total_steps, {}
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(stop_requests())
        for config, folder in zip(settings, folders, strict=True):
            workdirs.record(folder, config)
        saved = [stack.enter_context(Checkpoints(folder, settings[0].train.keep)) for folder in folders]
        how = (runs[0].log_every, False, settings[0].train.max_skipped, True)
        ledgers = [Ledger(folder, first, clock) for folder in folders]
        logs = [
            stack.enter_context(TrainingLog(folder, first, total, *how, ledger))
            for folder, ledger in zip(folders, ledgers, strict=True)
        ]
        works = [stack.enter_context(contextlib.closing(run.work(first))) for run in runs]
        for log in logs:
            log.start(first * runs[0].batch_size)
        for of_seeds in clock.each("input", zip(*works, strict=True)):
            batch, active = seeds.stack([work.batch for work in of_seeds], mesh), of_seeds[0].active
            if active not in steps:
                with clock("compile"):
                    steps[active] = seeds.compile_step(
                        recipe, 0, mesh, active, current, batch, settings[0].train.unroll
                    )
            current, metrics = clock.counted(steps[active])(current, batch)
            done, stopping = of_seeds[0].step + 1, stop()
            each = seeds.unstack(metrics)
            for log, of_seed in zip(logs, each, strict=True):
                log.step(done, of_seeds[0].images, of_seed)
            if done == total or stopping or done % runs[0].checkpoint_every == 0:
                with clock("save"):
                    for log, of_seed, checkpoints, state in zip(logs, each, saved, seeds.unstack(current), strict=True):
                        log.flush()
                        log.values(done, of_seed)  # raises where training has diverged
                        checkpoints.save(state, done)
            if stopping:
                break
    return DONE if done == total else STOPPED


def _resumed(runs: Sequence[Run], folders: Sequence[epath.Path]) -> tuple[list[State], int]:
    """The states of the newest step of which all have a checkpoint, and that step; none where there are none at all.

    Raises:
        UserError: some have checkpoints, but not of one step.
    """
    with contextlib.ExitStack() as stack:
        saved = [stack.enter_context(Checkpoints(folder, read_only=True)) for folder in folders]
        steps = [set(checkpoints.steps()) for checkpoints in saved]
        if not any(steps):
            return [], 0
        if not (common := set.intersection(*steps)):
            raise UserError(f"{', '.join(map(str, folders))} have no checkpoints of one step: train each alone")
        return [c.restore(run.target, max(common)) for c, run in zip(saved, runs, strict=True)], max(common)


def main() -> int:
    described = json.loads(Path(sys.argv[1]).read_text())
    try:
        settings = [configs.load(one["config"], one["overrides"]) for one in described]
        return together(settings, [epath.Path(one["workdir"]) for one in described])
    except UserError as error:
        print(f"gan-jax: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
