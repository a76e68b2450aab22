"""The command line: `gan-jax COMMAND`, also `python -m gan_jax.main COMMAND`.

Every command imports what it needs when it runs, so that `--help` is quick.
"""

import argparse
import json
import os
import sys

from gan_jax.errors import ConfigError, UserError, explained

OVERRIDE = "--config."
FORMATS = ("biggan", "biggan-deep", "stylegan2", "stylegan3", "r3gan", "gan-jax")


def run() -> None:
    """Entry point of the console script: exits with 0 done, 1 failure, 2 unusable arguments, 42 stopped and saved."""
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
        sys.exit(code)
    except UserError as error:
        print(f"gan-jax: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of stdout (head, less) has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("gan-jax: interrupted")


def main(arguments: list[str]) -> int:
    """Runs one command and returns its exit code."""
    overrides = [word.removeprefix(OVERRIDE) for word in arguments if word.startswith(OVERRIDE) and "=" in word]
    options = make_parser().parse_args([w for w in arguments if not (w.startswith(OVERRIDE) and "=" in w)])
    options.overrides = overrides
    return options.command(options)


class _Formatter(argparse.HelpFormatter):
    """One line for every command: argparse forgets how far their names are indented when it makes room for them."""

    def add_argument(self, action):
        super().add_argument(action)
        self._action_max_length = max(self._action_max_length, *(len(name) + 4 for name in action.choices or [""]))


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="gan-jax",
        description="Train generative adversarial networks in JAX.",
        epilog="gan-jax COMMAND --help tells more. Fields of the config are set by --config.FIELD=VALUE.",
        formatter_class=_Formatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, function, text: str, *, workdir: bool = False, config: bool = False, figures: bool = False):
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(command=function)
        if config:
            sub.add_argument(
                "--config", metavar="FILE.py[:ARG]", help="the experiment; single fields by --config.FIELD=VALUE"
            )
        if workdir:
            sub.add_argument("--workdir", type=_place, required=True, metavar="DIR", help="the folder of the run")
        if figures:
            sub.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        return sub

    def of_class(sub, truncates: bool = True):
        sub.add_argument("--class", type=int, dest="number", metavar="C", help="the class, of a model that has some")
        if truncates:
            sub.add_argument("--truncation", type=float, metavar="PSI", help="less variety, more quality")

    sub = command("train", _train, "Train a GAN, or go on with a workdir where it stopped.", workdir=True, config=True)
    sub.add_argument("--data", metavar="WORDS", help="instead of a config: folder:PATH, zip:PATH, tfds:NAME, ...")
    sub.add_argument("--preset", metavar="NAME", help="what to train on it, such as r1 or biggan")
    sub.add_argument("--prepared", type=_place, metavar="DIR", help="where to prepare it; in a cache if not given")
    sub.add_argument("--init", type=_place, metavar="DIR", help="begin a new run with the networks of this workdir")
    sub.add_argument("--accept-changes", action="store_true", help="go on although the workdir's config differs")
    sub.add_argument("--debug", action="store_true", help="run without jit, slowly")

    sub = command("sample", _sample, "Draw pictures from a trained workdir.", workdir=True)
    sub.add_argument("--out", type=_place, required=True, metavar="FILE.png|DIR", help="one grid, or a file per image")
    sub.add_argument("--count", type=int, metavar="N", help="how many; ten of each class if not given")
    sub.add_argument("--classes", type=_numbers, default=(), metavar="3,7", help="which classes; all if not given")
    psis = "truncate the latents: less variety, more quality; several: a row for each"
    sub.add_argument("--truncation", type=_fractions, default=(), metavar="PSI", help=psis)
    sub.add_argument(
        "--truncation-form",
        choices=("resampled", "threshold"),
        default="resampled",
        help="resampled: draw entries beyond PSI again; threshold: draw those beyond 2 again, scale all by PSI",
    )
    sub.add_argument("--standing", type=int, metavar="N", help="batches for standing statistics; as in the config")
    seeds = sub.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, default=0, metavar="S", help="of the latents")
    seeds.add_argument("--seeds", type=_ranges, default=(), metavar="85,297-300", help="an image of each of these")
    seeds.add_argument("--ws", type=_place, metavar="FILE.npz", help="images of these styles, as project writes them")

    sub = command("mix", _mix, "Mix the styles of some seeds with those of others, in a grid.", workdir=True)
    sub.add_argument("--out", type=_place, required=True, metavar="FILE.png", help="sources at the top and at the left")
    sub.add_argument("--rows", type=_ranges, required=True, metavar="85,100-102", help="seeds, one for each row")
    sub.add_argument("--columns", type=_ranges, required=True, metavar="55,821", help="seeds, one for each column")
    sub.add_argument("--layers", type=_ranges, required=True, metavar="0-6", help="those that the column's seed styles")
    of_class(sub)

    sub = command("interpolate", _interpolate, "Go from seed to seed, in a film or a strip.", workdir=True)
    sub.add_argument("--out", type=_place, required=True, metavar="FILE.gif|.mp4|.png", help="a film, or a strip")
    sub.add_argument("--seeds", type=_ranges, required=True, metavar="1,2,7-9", help="where the way leads")
    sub.add_argument("--frames", type=int, metavar="N", help="from a seed to the next; 60, in a strip 8")
    sub.add_argument("--rate", type=int, default=25, metavar="N", help="images a second (25)")
    of_class(sub)

    sub = command("project", _project, "Search the styles that give an image.", workdir=True)
    sub.add_argument("--target", type=_place, required=True, metavar="FILE", help="the image")
    sub.add_argument("--out", type=_place, required=True, metavar="DIR", help="for pictures and projected_w.npz")
    sub.add_argument("--steps", type=int, default=1000, metavar="N", help="of the search (1000)")
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="of the search")
    of_class(sub, truncates=False)

    sub = command("prepare", _prepare, "Make a data set ready for fast training.", figures=True)
    sub.add_argument("--source", required=True, metavar="WORDS", help="folder:PATH, zip:PATH, tar:PATH or tfds:NAME")
    sub.add_argument("--resolution", type=int, required=True, metavar="R", help="pixels of a side")
    sub.add_argument("--out", type=_place, required=True, metavar="DIR", help="a new folder, or one to go on with")
    sub.add_argument("--channels", type=int, default=3, metavar="1|3", help="grey or colour (default)")
    sub.add_argument("--crop", default="center", metavar="WORD", help="center (default), biggan or center-crop-wide")
    sub.add_argument("--workers", type=int, metavar="N", help="processes; one per core if not given")
    sub.add_argument("--host", type=_share, default=(0, 1), metavar="I/N", help="do part I = 0 .. N-1; DIR is shared")
    sub.add_argument("--tfds-dir", metavar="DIR", help="where tfds sets are, or go; tfds' own folder if not given")
    sub.add_argument("--on-damaged", choices=("fatal", "skip"), default="fatal", help="images that cannot be read")
    sub.add_argument(
        "--on-unusual",
        choices=("convert", "skip", "fatal"),
        default="convert",
        help="images that are not plain 8-bit RGB or grey",
    )

    sub = command("inspect", _inspect, "Tell what is in a data set, and what is wrong with it.", figures=True)
    words = "prepared:DIR, folder:PATH, zip:PATH, tar:PATH, tfds:NAME, digits or polygons"
    sub.add_argument("--data", required=True, metavar="WORDS", help=words)
    sub.add_argument("--out", type=_place, default="contact_sheet.png", metavar="FILE.png", help="some of each class")
    sub.add_argument("--tfds-dir", metavar="DIR", help="where tfds sets are; tfds' own folder if not given")

    command("evaluate", _evaluate, "Score a trained workdir by its config's metrics.", workdir=True, figures=True)
    command("params", _params, "Print the parameter table and totals of a config.", config=True, figures=True)
    command("check", _check, "Check that a recipe keeps the engine's contract, on tiny input.", config=True)

    sub = command("import", _import, "Make a workdir of published weights; nothing in their files is run.")
    sub.add_argument("--format", choices=FORMATS, required=True, help="which code base wrote them, see docs/weights.md")
    sub.add_argument("--input", type=_place, required=True, metavar="FILE|DIR", help="the file or folder of weights")
    sub.add_argument("--out", type=_place, required=True, metavar="DIR", help="a new folder, for sample, train --init")
    sub.add_argument("--truncation", type=float, metavar="PSI", help="biggan-deep: its statistics for this truncation")

    sub = command("export", _export, "Write the networks of a workdir as safetensors.", workdir=True)
    sub.add_argument(
        "--out", type=_place, required=True, metavar="FILE.safetensors", help="FILE.json beside it: the config"
    )

    sub = command("bench", _bench, "Measure speed, work and memory of a config here.", config=True, figures=True)
    sub.add_argument("--steps", type=int, default=50, metavar="N", help="timed steps of each kind")
    sub.add_argument("--data-only", action="store_true", help="time the input pipeline alone")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers such as 3,7") from error


def _fractions(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number such as 0.7, or several: 0.5,0.7,1") from error


def _ranges(text: str) -> tuple[int, ...]:
    """Whole numbers, of which "7-9" stands for 7, 8 and 9."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()) or int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{text!r}: expected whole numbers such as 85,297-300")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(numbers)


def _place(text: str):
    """A path on disk or gs://BUCKET/PATH, of which pathlib would make gs:/BUCKET/PATH."""
    from etils import epath

    scheme, mark, _ = text.partition("://")
    if mark and scheme != "gs":
        raise argparse.ArgumentTypeError(f"{text!r}: expected a local path or gs://BUCKET/PATH")
    return epath.Path(text)


def _share(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected I/N such as 0/4, where I is 0 .. N-1")
    return int(index), int(count)


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
    from gan_jax.train import train

    if options.debug:
        import jax

        jax.config.update("jax_disable_jit", True)
    return train(_load(options), options.workdir, options.accept_changes, options.init)


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
    asked = (options.target, options.out, options.steps, options.seed, options.number)
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


def _evaluate(options) -> int:
    from gan_jax import config
    from gan_jax.evaluate import evaluate

    record, text = evaluate(config.read(options.workdir, options.overrides), options.workdir)
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


def _bench(options) -> int:
    from gan_jax import bench

    if options.steps < 2:
        raise ConfigError(f"--steps is {options.steps}: expected at least 2")
    record = bench.bench(_load(options), options.steps, options.data_only)
    print(json.dumps(record) if options.json else bench.as_text(record))
    return 0


def _with_classes(config):
    """The config with the number of classes of its data, which are opened only if it does not say."""
    from gan_jax.data.source import open_source
    from gan_jax.run import fit_to_data

    return fit_to_data(config, open_source(config.data)) if config.data.num_classes is None else config


if __name__ == "__main__":
    run()
