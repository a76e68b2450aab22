"""The command line: `gan-jax COMMAND`, also `python -m gan_jax.main COMMAND`.

Every command imports what it needs when it runs, so that `--help` is quick.
"""

import json
import os
import sys
import time
import traceback
from typing import NoReturn

from gan_jax.arguments import make_parser
from gan_jax.errors import ConfigError, UserError, explained

OVERRIDE = "--config."
STARTED = time.monotonic()


def run() -> None:
    """Entry point of the console script: exits with 0 done, 1 failure, 2 unusable arguments, 42 stopped, 134 left alone."""
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
        sys.exit(code)
    except UserError as error:
        print(f"gan-jax: {error}", file=sys.stderr)
        _leave(error.exit_code)
    except BrokenPipeError:  # the reader of stdout (head, less) has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("gan-jax: interrupted", file=sys.stderr)
        _leave(1)
    except Exception as error:
        if (cluster := sys.modules.get("gan_jax.cluster")) is None:
            raise
        traceback.print_exc()
        cluster.wait_if_alone(error)
        cluster.leave(1)


def _leave(code: int) -> NoReturn:
    """Ends the process; one of several at once, as nobody may wait for it."""
    if cluster := sys.modules.get("gan_jax.cluster"):
        cluster.leave(code)
    sys.exit(code)


def main(arguments: list[str]) -> int:
    """Runs one command and returns its exit code."""
    overrides = [word.removeprefix(OVERRIDE) for word in arguments if word.startswith(OVERRIDE) and "=" in word]
    options = make_parser(COMMANDS).parse_args([w for w in arguments if not (w.startswith(OVERRIDE) and "=" in w)])
    options.overrides = overrides
    return options.command(options)


def _load(options):
    """The config that the options name: a file, the workdir's own, or the default."""
    from gan_jax import config

    if any(getattr(options, name, None) for name in ("data", "preset", "prepared")):
        return _from_preset(options)
    workdir = getattr(options, "workdir", None)
    if options.config is None and workdir:
        with explained(workdir, "cannot be used", "choose another --workdir", ConfigError):
            if (workdir / "config.json").exists():
                return config.read(workdir, options.overrides)
        if getattr(options, "init", None):
            return config.read(options.init, options.overrides)
    return config.load(config.DEFAULT if options.config is None else options.config, options.overrides)


def _from_preset(options):
    """The config that a preset makes for the data of `--data`."""
    for name, example in (("data", "folder:PATH"), ("preset", "r1")):
        if not getattr(options, name):
            raise ConfigError(f"--{name} is missing, as --data and --preset go together: add --{name}={example}")
    if options.config is not None:
        raise ConfigError(f"--config is {options.config} beside --preset={options.preset}: give one of them")
    from gan_jax.preset import resolve

    return resolve(options.data, options.preset, options.overrides, options.prepared)


def _train(options) -> int:
    from gan_jax import cluster
    from gan_jax.train import train

    cluster.join(options.cluster, options.coordinator, options.processes, options.process, options.timeouts)
    if options.debug:
        import jax

        jax.config.update("jax_disable_jit", True)
    return train(_load(options), options.workdir, options.accept_changes, options.init, STARTED)


def _sample(options) -> int:
    from gan_jax import config
    from gan_jax.sample import render, sample
    from gan_jax.sampling import Options

    settings = config.read(options.workdir, options.overrides)
    if options.ws:
        if options.count is not None or options.classes or options.truncation:
            raise ConfigError("--ws holds what is drawn: leave out --count, --classes and --truncation")
        print(render(settings, options.workdir, options.out, options.ws))
        return 0
    standing = settings.evaluate.standing if options.standing is None else options.standing
    how = Options(None, options.truncation_form, standing, options.seed)
    asked = (options.count, options.classes, how, options.seeds, options.truncation)
    print(sample(settings, options.workdir, options.out, *asked))
    return 0


def _mix(options) -> int:
    from gan_jax import config
    from gan_jax.mix import mix
    from gan_jax.sampling import Options

    settings, how = config.read(options.workdir, options.overrides), Options(options.truncation)
    asked = (options.rows, options.columns, options.layers, options.number, how)
    print(mix(settings, options.workdir, options.out, *asked))
    return 0


def _interpolate(options) -> int:
    from gan_jax import config
    from gan_jax.interpolate import interpolate
    from gan_jax.sampling import Options

    settings = config.read(options.workdir, options.overrides)
    how = Options(options.truncation, standing=settings.evaluate.standing)
    asked = (options.seeds, options.frames, options.rate, options.number, how)
    print(interpolate(settings, options.workdir, options.out, *asked))
    return 0


def _project(options) -> int:
    from gan_jax import config
    from gan_jax.project import project

    settings = config.read(options.workdir, options.overrides)
    asked = (options.target, options.out, options.steps, options.seed, options.number, options.distance)
    print(project(settings, options.workdir, *asked))
    return 0


def _prepare(options) -> int:
    from gan_jax.prepare import Options, open_origin, prepare

    how = Options(options.resolution, options.channels, options.crop, options.on_damaged, options.on_unusual)
    origin = open_origin(options.source, options.tfds_dir)
    code, record, text = prepare(origin, how, options.out, options.workers, options.host)
    print(json.dumps(record) if options.json else text)
    return code


def _inspect(options) -> int:
    from gan_jax import inspect

    record = inspect.inspect(inspect.open_data(options.data, options.tfds_dir), options.out)
    print(json.dumps(record) if options.json else inspect.as_text(record))
    return 0


def _select(options) -> int:
    from gan_jax.select import select

    record, text = select(_load(options), options.features, options.keep, options.out)
    print(json.dumps(record) if options.json else text)
    return 0


def _evaluate(options) -> int:
    from gan_jax import config
    from gan_jax.evaluate import evaluate

    settings = config.read(options.workdir, options.overrides)
    with settings.unlocked():
        settings.evaluate.metrics = settings.evaluate.metrics if options.metrics is None else options.metrics
        settings.evaluate.samples = settings.evaluate.samples if options.count is None else options.count
    records, text = evaluate(config.finish(settings), options.workdir, options.truncation, options.seeds, options.out)
    print(json.dumps(records[0] if len(records) == 1 else records) if options.json else text)
    return 0


def _compare(options) -> int:
    from gan_jax.compare import compare

    record, text = compare(options.first, options.second)
    print(json.dumps(record) if options.json else text)
    return 0


def _study(options) -> int:
    from gan_jax.study.command import study

    code, found, text = study(options.study, options.workdir, options.processes, options.devices)
    print(json.dumps(found) if options.json else text)
    return code


def _encoder(options) -> int:
    from gan_jax.encoder import encoder

    record, text = encoder(options.data, options.out, options.resolution, options.steps, options.seed)
    print(json.dumps(record) if options.json else text)
    return 0


def _params(options) -> int:
    from gan_jax import params
    from gan_jax.engine.recipe import load

    table = params.count(load(_with_classes(_load(options))))
    print(json.dumps(table) if options.json else params.as_text(table))
    return 0


def _check(options) -> int:
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_force_host_platform_device_count" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count=4"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    from gan_jax.check import check

    failures = 0
    for name, passed, text in check(_with_classes(_load(options))):
        failures += not passed
        print(f"{'ok  ' if passed else 'FAIL'}  {name:<10} {text}", flush=True)
    return 1 if failures else 0


def _import(options) -> int:
    from gan_jax.import_weights import import_weights

    print(import_weights(options.format, options.input, options.out, options.overrides, options.truncation))
    return 0


def _export(options) -> int:
    from gan_jax.export import export

    print(export(options.workdir, options.out))
    return 0


def _plan(options) -> int:
    os.environ["JAX_PLATFORMS"] = "cpu"  # devices of this machine are not touched
    from gan_jax.plan import plan

    record, text = plan(_with_classes(_load(options)), options.target, options.fit, options.share)
    print(json.dumps(record) if options.json else text)
    return 1 if record["memory"]["fits"] is False else 0


def _bench(options) -> int:
    if options.steps < 2:
        raise ConfigError(f"--steps is {options.steps}: expected at least 2")
    if options.devices or (options.processes and options.process is None):
        return _scaling(options)
    from gan_jax import bench, cluster, regression

    before = regression.read(options.against) if options.against else None
    if options.processes and len(options.processes) > 1:
        raise ConfigError(f"--processes names {len(options.processes)} numbers beside --process: expected one")
    processes = options.processes[0] if options.processes else None
    cluster.join(options.cluster, options.coordinator, processes, options.process, options.timeouts)
    record = bench.bench(_load(options), options.steps, options.data_only, before)
    if not cluster.is_first():
        return 0
    if before:
        record["against"] = regression.compared(before, record, options.tolerance)
    print(json.dumps(record) if options.json else bench.as_text(record))
    return 1 if before and record["against"]["regressions"] else 0


def _scaling(options) -> int:
    """A bench of its own for each number of devices or processes."""
    from gan_jax import scaling

    unit = "devices" if options.devices else "processes"
    for name in ("processes", "data_only", "against", "cluster", "coordinator", "process"):
        if name != unit and getattr(options, name) not in (None, False):
            raise ConfigError(
                f"--{name.replace('_', '-')} beside --{unit}, which measures scaling: leave one of them out"
            )
    words = [f"--steps={options.steps}", *(f"{OVERRIDE}{override}" for override in options.overrides)]
    if options.config is not None:
        words.append(f"--config={options.config}")
    record = scaling.scaling(_load(options), unit, getattr(options, unit), words)
    print(json.dumps(record) if options.json else scaling.as_text(record))
    return 0


def _with_classes(config):
    """The config with the number of classes of its data, which are opened only if it does not say."""
    from gan_jax.data.source import open_source
    from gan_jax.run import fit_to_data

    return fit_to_data(config, open_source(config.data)) if config.data.num_classes is None else config


COMMANDS = {
    "train": _train,
    "sample": _sample,
    "mix": _mix,
    "interpolate": _interpolate,
    "project": _project,
    "prepare": _prepare,
    "inspect": _inspect,
    "select": _select,
    "evaluate": _evaluate,
    "compare": _compare,
    "study": _study,
    "encoder": _encoder,
    "params": _params,
    "check": _check,
    "import": _import,
    "export": _export,
    "plan": _plan,
    "bench": _bench,
}

if __name__ == "__main__":
    run()
