"""The words of the command line: which commands there are, and what each takes."""

import argparse
from collections.abc import Callable, Mapping

FORMATS = ("biggan", "biggan-deep", "stylegan2", "stylegan3", "r3gan", "gan-jax")


class _Formatter(argparse.HelpFormatter):
    """One line for every command: argparse forgets how far their names are indented when it makes room for them."""

    def add_argument(self, action):
        super().add_argument(action)
        self._action_max_length = max(self._action_max_length, *(len(name) + 4 for name in action.choices or [""]))

    def _format_action(self, action):
        text = super()._format_action(action)
        return text.partition("\n")[2] if action.nargs == argparse.PARSER else text  # no line COMMAND above them


def make_parser(functions: Mapping[str, Callable[[argparse.Namespace], int]]) -> argparse.ArgumentParser:
    """The parser of all commands; `functions` has one for each, which the options that it parses hold as `command`."""
    parser = argparse.ArgumentParser(
        prog="gan-jax",
        epilog="gan-jax COMMAND --help tells more; fields of the config: --config.FIELD=VALUE.",
        formatter_class=_Formatter,
        add_help=False,
    )
    parser.add_argument(
        "-h", "--help", action="help", help=argparse.SUPPRESS
    )  # its lines would push others off a screen
    commands = parser.add_subparsers(
        title="commands to train generative adversarial networks in JAX", metavar="COMMAND", required=True
    )

    def command(name: str, text: str, *, workdir: bool = False, config: bool = False, figures: bool = False):
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(command=functions[name])
        if config:
            sub.add_argument(
                "--config", metavar="FILE.py[:ARG]", help="the experiment; single fields by --config.FIELD=VALUE"
            )
        if workdir:
            sub.add_argument("--workdir", type=_place, required=True, metavar="DIR", help="the folder of the run")
        if figures:
            sub.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        return sub

    def of_several(sub, **processes):
        sub.add_argument(
            "--cluster", metavar="auto", help="several processes: auto, slurm, k8s or mpi4py tells who is who"
        )
        sub.add_argument("--coordinator", metavar="HOST:PORT", help="elsewhere: address of the first process")
        sub.add_argument("--processes", **processes)
        sub.add_argument("--process", type=int, metavar="I", help="number of this process, from 0; process 0 writes")
        times = "seconds to wait for a start, a sign of life, an end; 600,60,60"
        sub.add_argument("--timeouts", type=_seconds, default=(), metavar="S,S,S", help=times)

    def of_class(sub, truncates: bool = True):
        sub.add_argument("--class", type=int, dest="number", metavar="C", help="the class, of a model that has some")
        if truncates:
            sub.add_argument("--truncation", type=float, metavar="PSI", help="less variety, more quality")

    sub = command("train", "Train a GAN, or go on with a workdir where it stopped.", workdir=True, config=True)
    sub.add_argument("--data", metavar="WORDS", help="instead of a config: folder:PATH, zip:PATH, tfds:NAME, ...")
    sub.add_argument("--preset", metavar="NAME", help="what to train on it, such as r1 or biggan")
    sub.add_argument("--prepared", type=_place, metavar="DIR", help="where to prepare it; in a cache if not given")
    sub.add_argument("--init", type=_place, metavar="DIR", help="begin a new run with the networks of this workdir")
    sub.add_argument("--accept-changes", action="store_true", help="go on although the workdir's config differs")
    sub.add_argument("--debug", action="store_true", help="run without jit, slowly")
    of_several(sub, type=int, metavar="N", help="processes in all")

    sub = command("sample", "Draw pictures from a trained workdir.", workdir=True)
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
    sub.add_argument("--standing", type=int, metavar="N", help="batches for standing statistics, if not the config's")
    seeds = sub.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, default=0, metavar="S", help="of the latents")
    seeds.add_argument("--seeds", type=_ranges, default=(), metavar="85,297-300", help="an image of each of these")
    seeds.add_argument("--ws", type=_place, metavar="FILE.npz", help="images of these styles, as project writes them")

    sub = command("mix", "Mix the styles of some seeds with those of others, in a grid.", workdir=True)
    sub.add_argument("--out", type=_place, required=True, metavar="FILE.png", help="sources at the top and at the left")
    sub.add_argument("--rows", type=_ranges, required=True, metavar="85,100-102", help="seeds, one for each row")
    sub.add_argument("--columns", type=_ranges, required=True, metavar="55,821", help="seeds, one for each column")
    sub.add_argument("--layers", type=_ranges, required=True, metavar="0-6", help="those that the column's seed styles")
    of_class(sub)

    sub = command("interpolate", "Go from seed to seed, in a film or a strip.", workdir=True)
    sub.add_argument("--out", type=_place, required=True, metavar="FILE.gif|.mp4|.png", help="a film, or a strip")
    sub.add_argument("--seeds", type=_ranges, required=True, metavar="1,2,7-9", help="where the way leads")
    sub.add_argument("--frames", type=int, metavar="N", help="from a seed to the next; 60, in a strip 8")
    sub.add_argument("--rate", type=int, default=25, metavar="N", help="images a second (25)")
    of_class(sub)

    sub = command("project", "Search the styles that give an image.", workdir=True)
    sub.add_argument("--target", type=_place, required=True, metavar="FILE", help="the image")
    sub.add_argument("--out", type=_place, required=True, metavar="DIR", help="for pictures and projected_w.npz")
    sub.add_argument("--steps", type=int, default=1000, metavar="N", help="of the search (1000)")
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="of the search")
    measures = "what is made small: pyramid (default), or lpips, whose weights docs/evaluation.md tells of"
    sub.add_argument("--distance", choices=("pyramid", "lpips"), default="pyramid", help=measures)
    of_class(sub, truncates=False)

    sub = command("prepare", "Make a data set ready for fast training.", figures=True)
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

    sub = command("inspect", "Tell what is in a data set, and what is wrong with it.", figures=True)
    words = "prepared:DIR, folder:PATH, zip:PATH, tar:PATH, tfds:NAME, digits or polygons"
    sub.add_argument("--data", required=True, metavar="WORDS", help=words)
    sub.add_argument("--out", type=_place, default="contact_sheet.png", metavar="FILE.png", help="some of each class")
    sub.add_argument("--tfds-dir", metavar="DIR", help="where tfds sets are; tfds' own folder if not given")

    sub = command("select", "Choose the images where a data set is densest.", config=True, figures=True)
    sub.add_argument("--features", required=True, metavar="NAME", help="of this extractor, such as inception or digits")
    sub.add_argument("--keep", type=float, required=True, metavar="S", help="share of each class, such as 0.5")
    sub.add_argument("--out", type=_place, required=True, metavar="FILE.json", help="to train on as chosen:FILE.json")

    sub = command("evaluate", "Score a workdir, trained or in training.", workdir=True, figures=True)
    sub.add_argument("--metrics", type=_words, metavar="fid,kid,...", help="which; those of the config if not given")
    sub.add_argument("--count", type=int, metavar="N", help="generated images; as in the config if not given")
    psis = "truncate the latents; several: a page shows what they trade"
    sub.add_argument("--truncation", type=_fractions, default=(), metavar="PSI", help=psis)
    sub.add_argument("--seeds", type=_ranges, default=(), metavar="0-4", help="of the latents: an evaluation of each")
    sub.add_argument("--out", type=_place, metavar="FILE.json", help="for the scores, beside the workdir's evaluations")

    sub = command("compare", "Compare the scores of two models, if they were taken alike.", figures=True)
    sub.add_argument("first", metavar="A", help="a workdir or an evaluation's JSON file, or some with commas between")
    sub.add_argument("second", metavar="B", help="the same of the other model")

    sub = command("study", "Compare methods over many settings and seeds.", workdir=True, figures=True)
    sub.add_argument("--study", required=True, metavar="FILE.py[:ARG]", help="what is compared, see docs/studies.md")
    sub.add_argument("--processes", type=_at_least_one, default=1, metavar="N", help="runs at once (1)")
    words = "of each; so many seeds of a setting are trained at once (1)"
    sub.add_argument("--devices", type=_at_least_one, default=1, metavar="N", help=words)

    sub = command("encoder", "Train an encoder of a data set, for metrics in its features.", figures=True)
    sub.add_argument("--data", required=True, metavar="WORDS", help=words)
    sub.add_argument("--out", type=_place, required=True, metavar="DIR", help="a new folder")
    sub.add_argument("--resolution", type=int, metavar="R", help="pixels of a side; the data's own if not given")
    sub.add_argument("--steps", type=int, default=1000, metavar="N", help="of the training (1000)")
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="of the training")

    command("params", "Print the parameter table and totals of a config.", config=True, figures=True)
    command("check", "Check that a recipe keeps the contract, on tiny input.", config=True)

    sub = command("import", "Make a workdir of published weights; none of it is run.")
    sub.add_argument("--format", choices=FORMATS, required=True, help="which code base wrote them, see docs/weights.md")
    sub.add_argument("--input", type=_place, required=True, metavar="FILE|DIR", help="the file or folder of weights")
    sub.add_argument("--out", type=_place, required=True, metavar="DIR", help="a new folder, for sample, train --init")
    sub.add_argument("--truncation", type=float, metavar="PSI", help="biggan-deep: its statistics for this truncation")

    sub = command("export", "Write the networks of a workdir as safetensors.", workdir=True)
    sub.add_argument(
        "--out", type=_place, required=True, metavar="FILE.safetensors", help="FILE.json beside it: the config"
    )

    sub = command("plan", "Tell what a config takes on hardware that is not there.", config=True, figures=True)
    words = "such as tpu:v5e:16x16, gpu:h200:1x1x8 (slices x hosts x devices) or cpu:8"
    sub.add_argument("--target", required=True, metavar="WORDS", help=words)
    sub.add_argument("--fit", action="store_true", help="where it does not fit, try twice the microbatches, and again")
    sub.add_argument("--share", type=float, default=0.4, metavar="S", help="of the peak that is assumed (0.4)")

    sub = command("bench", "Measure speed, work and memory of a config here.", config=True, figures=True)
    sub.add_argument("--steps", type=int, default=50, metavar="N", help="timed steps of each kind")
    sub.add_argument("--data-only", action="store_true", help="time the input pipeline alone")
    sub.add_argument("--against", type=_place, metavar="FILE.json", help="compare; 1 is the exit code if it is slower")
    sub.add_argument("--tolerance", type=float, default=0.1, metavar="T", help="how much slower it may be (0.1)")
    sub.add_argument("--devices", type=_counts, metavar="1,2,4", help="weak and strong scaling on so many devices")
    words = "scaling over so many, of one device each; with --process: how many there are"
    of_several(sub, type=_counts, metavar="1,2,4", help=words)
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers such as 3,7") from error


def _counts(text: str) -> tuple[int, ...]:
    numbers = _numbers(text)
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers from 1, such as 1,2,4")
    return tuple(sorted(set(numbers)))


def _at_least_one(text: str) -> int:
    numbers = _counts(text)
    if len(numbers) > 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected one number")
    return numbers[0]


def _seconds(text: str) -> tuple[int, ...]:
    numbers = _numbers(text)
    if len(numbers) != 3 or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected three numbers of seconds such as 600,60,60")
    return numbers


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


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
