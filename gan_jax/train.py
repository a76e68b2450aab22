"""`gan-jax train`: the training loop. (Seeds that are trained at once have a smaller one, `study.together`.)"""

import sys
from contextlib import closing
from pathlib import Path

from ml_collections import ConfigDict

from gan_jax import cluster, compilations
from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.data.source import open_source
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load
from gan_jax.engine.spectrum import largest_singular_values
from gan_jax.engine.transfer import born_with
from gan_jax.evaluation import Evaluation
from gan_jax.pictures import picture
from gan_jax.report import atomic
from gan_jax.report.clock import Clock
from gan_jax.report.goodput import Ledger
from gan_jax.report.log import TrainingLog
from gan_jax.report.page import write_report
from gan_jax.report.profile import Profile, chosen_steps
from gan_jax.report.watch import Settings, Watch
from gan_jax.report.writers import read_metrics
from gan_jax.rollback import Collapse, Collapses
from gan_jax.run import Run, fit_to_data
from gan_jax.sampling import Options, Sampler
from gan_jax.scoring import Scoring
from gan_jax.stopping import DONE, STOPPED, stop_requests


def train(
    config: ConfigDict,
    workdir: Path,
    accept_changes: bool = False,
    init: Path | None = None,
    since: float | None = None,
) -> int:
    """Trains until `config.train.length`, from the newest checkpoint of the workdir if there is one.

    Several processes that have joined (`cluster.join`) train as one; the first of them writes.

    Args:
        accept_changes: go on with the workdir although its config differs.
        init: a workdir whose networks a new run begins with.
        since: moment (`time.monotonic`) from which the time of this attempt counts; now unless told.

    Returns:
        The exit code: 0 when training is complete, 42 when it was asked to stop (SIGTERM, Ctrl-C) and has saved.

    Raises:
        UserError: of class ConfigError if arguments, config or data cannot be used; nothing is overwritten then.
    """
    clock = Clock(since)
    source = open_source(config.data)
    config = fit_to_data(config, source)
    workdirs.check(workdir, config, accept_changes)
    cluster.check_alike(config)
    recipe, mesh = load(config), sharding.make_mesh(config.mesh)
    run = Run(config, recipe, mesh, source)
    options = Options(standing=config.evaluate.standing, seed=config.evaluate.seed)
    sampler = Sampler(recipe, mesh, config.evaluate.batch, options)
    evaluation = Evaluation(config, recipe, mesh, sampler, source) if config.evaluate.metrics else None
    compilations.keep(config.train.compilation_cache)
    collapses = Collapses(workdir, Settings(**config.train.collapse))
    while True:
        try:
            return _attempt(run, workdir, sampler, evaluation, collapses, clock, init)
        except Collapse as collapse:
            clock = Clock()
            if cluster.is_first():
                print(collapse, file=sys.stderr)


def _attempt(
    run: Run,
    workdir: Path,
    sampler: Sampler,
    evaluation: Evaluation | None,
    collapses: Collapses,
    clock: Clock,
    init: Path | None,
) -> int:
    """Trains from the newest checkpoint on, to the end, or until it is asked to stop, or until training collapses."""
    config, seed = run.config, collapses.seed(run.config.seed)
    profiled = chosen_steps(config.report.profile, run.total_steps)
    watch = Watch(collapses.settings)
    current, first = workdirs.resume(workdir, run.target) or (None, 0)  # what does not fit is told before compiling
    watch.recall([line for line in read_metrics(workdir) if line["step"] <= first])
    if init and current is None:
        current = _begun_with(init, run)
    if cluster.is_first():
        kind = run.mesh.devices.flat[0].device_kind
        print(f"compiling the training step for {run.mesh.size} x {kind}", file=sys.stderr)
    with clock("compile"):
        run.compile_ahead(first)
        current = state.born(run.recipe, run.target, seed) if current is None else state.with_seed(current, seed)
    if cluster.is_first():
        workdirs.record(workdir, config)  # nothing was written before: a mistake leaves no trace
        if init and (notice := workdirs.notice(init)):
            atomic.replace(workdir / workdirs.NOTICE, notice.encode())

    settings = (run.log_every, config.report.tensorboard, config.train.max_skipped)
    ledger, done = Ledger(workdir, first, clock), first
    with (
        stop_requests() as stop,
        Checkpoints(workdir, config.train.keep) as checkpoints,
        TrainingLog(workdir, first, run.total_steps, *settings, cluster.is_first(), ledger, watch) as log,
        Profile(workdir, profiled, first, log.say) as profile,
        closing(Scoring(evaluation, workdir, config.evaluate)) as scoring,
        closing(run.work(first)) as works,
    ):
        if first == 0:
            with clock("evaluate"):
                picture(config, sampler, current, workdir)
                if config.evaluate.at_start:
                    scoring.begin(current, log, checkpoints)
        log.start(int(current.images))
        for work in clock.each("input", works):
            for sentence in work.damaged:
                log.say(f"{sentence}; the next whole image takes its place")
            with clock("compile"):  # if a stage begins
                current = run.enter(current, work.stage)
                step = clock.counted(run.compiled(work.stage, work.active))
            current, metrics = profile.traced(step, work.step)(current, work.batch)
            done, last, stopping = work.step + 1, work.step + 1 == run.total_steps, stop()
            if watch.active and done % run.log_every == 0:
                metrics = {**metrics, **largest_singular_values(current.params)}
            log.step(done, work.images, metrics)
            checkpoints.check()
            with clock("evaluate"):
                scoring.tell(log, checkpoints)
                if last or done % run.samples_every == 0:
                    log.add(diversity=picture(config, sampler, current, workdir))
                    _report(workdir, log)
            if alarm := log.alarm():
                with clock("save"):
                    log.say(collapses.meet(alarm, done, checkpoints))
            scored = last or done % run.evaluate_every == 0
            if last or stopping or done % run.checkpoint_every == 0 or (scored and config.evaluate.best):
                with clock("save"):
                    log.flush()
                    log.values(done, metrics)  # raises where training has diverged
                    checkpoints.save(current, done)
            if scored:
                with clock("evaluate"):
                    scoring.begin(current, log, checkpoints)
            if stopping:
                break
        with clock("evaluate"):
            scoring.tell(log, checkpoints, wait=True)
        with clock("save"):
            checkpoints.wait()
        if done < run.total_steps:
            log.say(f"stopped at step {done} of {run.total_steps}, saved; the same command goes on from there")
            return STOPPED
        _report(workdir, log)
        log.say(f"training is complete; pictures in {workdir / 'samples'}, everything in {workdir / 'report.html'}")
    return DONE


def _report(workdir: Path, log: TrainingLog) -> None:
    log.flush()
    if cluster.is_first():
        write_report(workdir)


def _begun_with(init: Path, run: Run) -> state.State:
    """A fresh state with the networks of another workdir."""
    networks, averaged = workdirs.networks(init, run.mesh)
    classes = (configs.read(init).data.num_classes, run.config.data.num_classes)
    current, fresh = born_with(run.recipe, run.target, run.config.seed, networks, averaged, classes)
    print(f"beginning with the networks of {init}", file=sys.stderr)
    if fresh:
        print(f"{classes[0]} classes there, {classes[1]} here: {', '.join(fresh)} begin untrained", file=sys.stderr)
    return current
