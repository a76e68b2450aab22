"""The command line: help, exit codes, and one sentence for every mistake, with nothing touched."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import arguments, main, train
from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.data.digits import digits
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load

ROOT = Path(__file__).resolve().parent.parent
QUICK = "--config=configs/biggan_digits.py:quick"
COMMANDS = (
    "train",
    "sample",
    "mix",
    "interpolate",
    "project",
    "prepare",
    "inspect",
    "select",
    "evaluate",
    "compare",
    "study",
    "encoder",
    "params",
    "check",
    "import",
    "export",
    "plan",
    "bench",
)


@pytest.fixture
def gan_jax(monkeypatch, capsys):
    """Runs a command as the shell would: `(exit code, stdout, stderr)`; an unexpected exception comes through."""

    def run(*words) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gan-jax", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, error = capsys.readouterr()
        return ended.value.code, out, error

    return run


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A workdir with the config of the quick digits and no checkpoint."""
    folder = tmp_path_factory.mktemp("main") / "untrained"
    workdirs.record(folder, configs.load("configs/biggan_digits.py:quick"))
    return folder


@pytest.fixture(scope="module")
def born(tmp_path_factory):
    """The same with a checkpoint of weights that nobody trained."""
    folder = tmp_path_factory.mktemp("main") / "born"
    config = configs.load("configs/biggan_digits.py:quick", [f"data.identity={digits(16).identity}"])
    workdirs.record(folder, config)
    recipe = load(config)
    target = state.abstract(recipe, sharding.make_mesh(config.mesh), ())
    random = np.random.RandomState(0)
    weights = jax.tree.map(lambda x: jnp.asarray(np.abs(random.normal(0, 0.1, x.shape)), x.dtype), target)
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(weights, 1)
    return folder


def content(folder) -> dict:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def sentence(error: str) -> str:
    """The one sentence on stderr; what is being done may be said before it."""
    *before, last = error.strip().split("\n")
    assert last.startswith("gan-jax: ")
    assert all(line.startswith("compiling ") for line in before), error
    return last


def picture(path: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.RandomState(0).randint(0, 256, (20, 20, 3), np.uint8)).save(path)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_screen(gan_jax, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, error = gan_jax(*filter(None, [command, "--help"]))
    assert (code, error) == (0, "")
    assert len(out.splitlines()) <= 24
    assert max(map(len, out.splitlines())) <= 100
    assert "usage: gan-jax" in out


def test_help_shows_every_command(gan_jax):
    _, out, _ = gan_jax("--help")
    assert re.findall(r"^    (\w+)  ", out, re.MULTILINE) == list(COMMANDS)


def test_help_and_import_load_nothing_heavy():
    code = """
import sys
import gan_jax, gan_jax.main
sys.argv = ["gan-jax", "train", "--help"]
try:
    gan_jax.main.run()
except SystemExit:
    pass
print({"jax", "numpy", "flax", "orbax", "tensorflow", "PIL", "ml_collections"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.endswith("\nset()\n"), done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["trian"],
        ["train"],
        ["train", "--workdir=x", "--epochs=3"],
        ["train", "--workdir=x", "--config.train.batch_size", "8"],
        ["train", "--work=x"],
        ["sample", "--workdir=x"],
        ["sample", "--workdir=x", "--out=y", "--count=many"],
        ["sample", "--workdir=x", "--out=y", "--classes=a"],
        ["sample", "--workdir=x", "--out=y", "--classes="],
        ["sample", "--workdir=x", "--out=y", "--truncation=low"],
        ["sample", "--workdir=x", "--out=y", "--truncation-form=z"],
        ["sample", "--workdir=x", "--out=y", "--seeds=3-1"],
        ["sample", "--workdir=x", "--out=y", "--seeds=-1"],
        ["sample", "--workdir=x", "--out=y", "--seeds=1,2", "--seed=1"],
        ["mix", "--workdir=x", "--out=y", "--rows=1", "--columns=2", "--layers=fine"],
        ["interpolate", "--workdir=x", "--out=y", "--seeds="],
        ["project", "--workdir=x", "--out=y"],
    ],
)
def test_unusable_arguments_exit_with_2(gan_jax, words):
    code, out, error = gan_jax(*words)
    assert (code, out) == (2, "")
    assert re.match("usage: gan-jax", error)
    assert re.search(r"^gan-jax.*: error: ", error, re.MULTILINE)
    if "--classes=a" in words:
        assert "expected numbers such as 3,7" in error


# What follows `gan-jax train --workdir=NEW`, the exit code, and what the sentence names.
BAD_TRAINING = [
    (["--config=nowhere.py"], 2, "there is no file nowhere.py"),
    (["--config="], 2, "--config: there is no file"),
    (["--config=configs/biggan_digits.py:slow"], 2, "'slow': expected quick"),
    (["--config={tmp}/broken.py"], 2, "broken.py is no usable config.*SyntaxError"),
    ([QUICK, "--config.train.batchsize=8"], 2, "did you mean --config.train.batch_size"),
    ([QUICK, "--config.train.batch_size=many"], 2, "'many' is no int"),
    ([QUICK, "--config.train.batch_size=0"], 2, "config.train.batch_size is 0"),
    ([QUICK, "--config.train.batch_size=6"], 2, "batch_size is 6 .* 4 devices"),
    ([QUICK, "--config.train.microbatches=3"], 2, "config.train.microbatches = 3"),
    ([QUICK, "--config.train.length=soon"], 2, "config.train.length: 'soon' is no duration"),
    ([QUICK, "--config.report.every=5"], 2, "config.report.every: '5' is no duration"),
    ([QUICK, "--config.report.samples_every=-1 steps"], 2, "config.report.samples_every: .* is no duration"),
    ([QUICK, "--config.train.checkpoint_every=1 day"], 2, "config.train.checkpoint_every: .* is no duration"),
    ([QUICK, "--config.ema.start=soon"], 2, "'soon' is no duration"),
    ([QUICK, "--config.seed=-1"], 2, "config.seed is -1"),
    ([QUICK, "--config.mesh.shape=3"], 2, "does not fit 4 devices"),
    ([QUICK, "--config.mesh.rules=5"], 2, "config.mesh.rules holds 5"),
    ([QUICK, "--config.precision.compute=float64"], 2, "config.precision.compute is 'float64'"),
    ([QUICK, "--config.recipe=nothing"], 2, "config.recipe is 'nothing', but there is no module"),
    ([QUICK, "--config.recipe=mine.broken"], 2, "cannot be imported: ZeroDivisionError: .*broken.py, line 1"),
    ([QUICK, "--config.recipe=mine.needy"], 2, "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    ([QUICK, "--config.recipe=mine.wrong"], 2, "cannot be imported: SyntaxError"),
    ([QUICK, "--config.recipe=mine.empty"], 2, "empty.py has no function build"),
    ([QUICK, "--config.phases.loss=mean"], 2, "'mean': expected one of 'hinge'"),
    ([QUICK, "--config.phases.generated_labels=odd"], 2, "generated_labels is 'odd'"),
    ([QUICK, "--config.players.generator.transform=scale_by_adm"], 2, "transform is 'scale_by_adm'"),
    ([QUICK, "--config.evaluate.metrics=('fid',)"], 2, "pt_inception-2015-12-05-6726825d.pth is missing: get it from"),
    ([QUICK, "--config.data.resolution=24"], 2, "resolution is 24: expected one of 16, 32"),
    ([QUICK, "--config.data.resolution=0"], 2, "config.data.resolution is 0"),
    ([QUICK, "--config.data.channels=2"], 2, "config.data.channels is 2"),
    ([QUICK, "--config.data.num_classes=7"], 2, "num_classes is 7, but digits has 10 classes: set it to 10"),
    ([QUICK, "--config.data.source=digit"], 2, "config.data.source is 'digit': expected one of digits"),
    ([QUICK, "--config.data.source=folder:{tmp}/missing"], 2, "there is no folder .*missing"),
    ([QUICK, "--config.data.source=folder:{tmp}/gap"], 1, "class folder .*gap/b holds no PNG"),
    ([QUICK, "--config.data.source=folder:{tmp}/gap/a"], 2, "has no labels: set it to 0"),
    (
        [QUICK, "--config.data.source=folder:{tmp}/bad", "--config.data.num_classes=2"],
        1,
        "bad:train: 10 examples in a row",
    ),
    (
        [QUICK, "--config.data.source=folder:{tmp}/bad", "--config.data.num_classes=2", "--config.data.crop=round"],
        2,
        "config.data.crop is 'round'",
    ),
]


@pytest.mark.parametrize(("words", "code", "message"), BAD_TRAINING, ids=lambda value: str(value)[-60:])
def test_a_run_that_cannot_be_is_one_sentence_and_leaves_no_trace(gan_jax, tmp_path, monkeypatch, words, code, message):
    (tmp_path / "broken.py").write_text("def get_config(:")
    recipes = {"broken": "1 / 0", "needy": "import nowhere_to_be_found", "wrong": "def build(:", "empty": ""}
    (tmp_path / "mine").mkdir()
    for name, text in recipes.items():
        (tmp_path / "mine" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    picture(tmp_path / "gap/a/1.png")
    (tmp_path / "gap/b").mkdir()
    for name in "ab":
        (tmp_path / f"bad/{name}").mkdir(parents=True)
        (tmp_path / f"bad/{name}/0.png").write_bytes(b"not a picture")
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    found, out, error = gan_jax("train", f"--workdir={tmp_path}/new", *words)
    assert (found, out) == (code, "")
    assert re.search(message, sentence(error)), error
    assert not (tmp_path / "new").exists()


def test_a_mistake_in_a_workdir_changes_nothing_there(gan_jax, tmp_path, born):
    before = content(born)
    for words, message in [
        ([QUICK, "--config.seed=1"], "config.seed is 1 but 0 in the workdir"),
        ([QUICK, "--config.train.length=soon"], "no duration"),
        (
            ["--config=configs/wgan_gp_polygons.py:quick"],
            "config.data.source is 'polygons:train' but 'digits' in the workdir",
        ),
        (["--config.train.batch_size=8"], "config.train.batch_size is 8 but 16"),
    ]:
        code, _, error = gan_jax("train", f"--workdir={born}", *words)
        assert code == 2
        assert message in sentence(error)
    assert content(born) == before
    (tmp_path / "photo.jpg").touch()
    for workdir in (tmp_path, tmp_path / "photo.jpg"):
        code, _, error = gan_jax("train", f"--workdir={workdir}", QUICK)
        assert code == 2
        sentence(error)
    assert list(content(tmp_path)) == ["photo.jpg"]


# What follows `gan-jax`, and what the sentence names; {born} and {untrained} are workdirs. All exit with 2.
BAD_USE = [
    (["bench", QUICK, "--devices=1,2", "--data-only"], "beside --devices"),
    (["sample", "--workdir={tmp}/none", "--out={tmp}/x.png"], "none is no workdir"),
    (["sample", "--workdir={tmp}", "--out={tmp}/x.png"], "is no workdir"),
    (["sample", "--workdir={untrained}", "--out={tmp}/x.png"], "has no checkpoint yet: train it first"),
    (["evaluate", "--workdir={untrained}"], "has no checkpoint yet: train it first"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--classes=3,10"], "--classes names 10"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--count=0"], "--count is 0"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--truncation=0"], "truncation is 0.0"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--truncation=-1"], "truncation is -1.0"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--standing=-1"], "standing statistics is -1"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--seed=-1"], "seed is -1"),
    (["sample", "--workdir={born}", "--out={tmp}/x.jpg"], "--out is .*x.jpg: expected FILE.png"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--seeds=1,2", "--count=2"], "--count beside --seeds"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--truncation=0.5,-1"], "truncation is -1.0"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--ws={tmp}/w.npz", "--count=2"], "leave out --count"),
    (
        ["mix", "--workdir={born}", "--out={tmp}/x.png", "--rows=1", "--columns=2", "--layers=0", "--class=1"],
        "this recipe's generator has no styles",
    ),
    (["interpolate", "--workdir={born}", "--out={tmp}/x.gif", "--seeds=1,2"], "--class is missing"),
    (["project", "--workdir={tmp}", "--out={tmp}/x", "--target=x.png"], "is no workdir"),
    (["sample", "--workdir={born}", "--out={tmp}/x.png", "--config.model.H=1"], "no such field"),
    (["evaluate", "--workdir={born}", "--config.evaluate.metrics=None"], "config.evaluate.metrics is empty"),
    (["evaluate", "--workdir={born}", "--metrics=fit"], "names .'fit'.: expected some of fid, "),
    (["evaluate", "--workdir={born}", "--metrics=frechet"], "'frechet' lacks its extractor: expected frechet:digits"),
    (["evaluate", "--workdir={born}", "--metrics=fid:digits"], "mean the features of inception; frechet:digits is"),
    (["evaluate", "--workdir={born}", "--metrics=kid:vgg"], "there is no extractor 'vgg': expected one of inception, "),
    (["evaluate", "--workdir={born}", "--metrics=ppl_w"], "needs a generator with styles"),
    (["evaluate", "--workdir={born}", "--metrics=polygons"], "is for a model of polygons, not of digits"),
    (["evaluate", "--workdir={born}", "--count=1"], "config.evaluate.samples is 1"),
    (["evaluate", "--workdir={born}", "--truncation=-1"], "truncation is -1.0"),
    (["evaluate", "--workdir={born}", "--config.evaluate.reference_count=2000"], "digits, center has 1797 images"),
    (["evaluate", "--workdir={born}", "--config.evaluate.settings.kid_size=0"], "settings.kid_size is 0"),
    (["evaluate", "--workdir={born}", "--config.evaluate.labels=none"], "config.evaluate.labels is 'none'"),
    (["compare", "{born}", "{born}"], "both sides are"),
    (["compare", "{born}", "{untrained}"], "is no folder of evaluations"),
    (["params", "--config=nowhere.py"], "there is no file"),
    (["params", QUICK, "--config.recipe=nothing"], "there is no module"),
    (["check", QUICK, "--config.recipe=nothing"], "there is no module"),
    (["check", QUICK, "--config.data.resolution=24"], "resolution is 24"),
    (["bench", QUICK, "--steps=1"], "--steps is 1"),
]


@pytest.mark.parametrize(
    ("words", "message"), BAD_USE, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_cannot_be_done_is_one_sentence(gan_jax, tmp_path, born, untrained, words, message):
    before = content(born), content(untrained)
    places = {"{tmp}": tmp_path, "{born}": born, "{untrained}": untrained}
    for name, place in places.items():
        words = [word.replace(name, str(place)) for word in words]
    code, out, error = gan_jax(*words)
    assert (code, out) == (2, "")
    assert re.search(message, sentence(error)), error
    assert not list(tmp_path.iterdir())
    assert (content(born), content(untrained)) == before


def test_a_checkpoint_of_another_model_is_a_sentence(gan_jax, born, tmp_path):
    code, _, error = gan_jax("sample", f"--workdir={born}", f"--out={tmp_path}/x.png", "--config.model.G.channels=4")
    assert code == 1
    assert "does not fit this config and recipe" in sentence(error)


def test_sample_evaluate_and_params_print_what_they_did(gan_jax, born, tmp_path):
    few = ["--config.evaluate.samples=20", "--config.evaluate.batch=20", "--config.evaluate.standing=0"]
    code, out, error = gan_jax("sample", f"--workdir={born}", f"--out={tmp_path}/x.png", "--standing=0", "--count=20")
    assert (code, out, error) == (0, f"20 images in {tmp_path}/x.png\n", "")
    code, out, error = gan_jax("evaluate", f"--workdir={born}", "--json", "--metrics=recognised:digits", *few)
    assert (code, error) == (0, "")
    record = json.loads(out)
    assert (record["images"], record["samples"]) == (0, 20)
    assert json.loads((born / "evaluations" / "0000000000.json").read_text()) == record
    code, out, _ = gan_jax("params", QUICK)
    assert code == 0
    assert re.search(r"^   G  [\d,]+ parameters, [\d,]+ statistics$", out, re.MULTILINE)
    code, out, _ = gan_jax("params", QUICK, "--json")
    assert json.loads(out)["D"]["parameters"] > 0


def test_lists_of_numbers_and_ranges():
    assert arguments._ranges("85,297-300,7") == (85, 297, 298, 299, 300, 7)
    assert arguments._fractions("0.5,1") == (0.5, 1.0)


def test_the_tools_between_seeds_print_what_they_did(gan_jax, born, tmp_path):
    few = [f"--workdir={born}", "--config.evaluate.standing=0", "--config.evaluate.batch=4"]
    code, out, error = gan_jax("sample", *few, f"--out={tmp_path}/x", "--seeds=5,7-8", "--classes=3")
    assert (code, out, error) == (0, f"3 images in {tmp_path}/x/\n", "")
    names = sorted(path.name for path in (tmp_path / "x").iterdir())
    assert names == ["seed0005_class3.png", "seed0007_class3.png", "seed0008_class3.png"]
    code, out, error = gan_jax(
        "interpolate", *few, f"--out={tmp_path}/x.gif", "--seeds=5,7", "--class=3", "--frames=2", "--truncation=0.5"
    )
    assert (code, out, error) == (0, f"4 images in {tmp_path}/x.gif\n", "")
    with Image.open(tmp_path / "x.gif") as film:
        assert film.format == "GIF"


def test_check_prints_a_line_each_and_fails_with_1(gan_jax, monkeypatch):
    results = [("networks", True, "G: 1 parameter"), ("steps", False, "after 4 steps loss is nan")]
    monkeypatch.setattr("gan_jax.check.check", lambda config: iter(results))
    code, out, _ = gan_jax("check", QUICK)
    assert (code, out) == (1, "ok    networks   G: 1 parameter\nFAIL  steps      after 4 steps loss is nan\n")
    monkeypatch.setattr("gan_jax.check.check", lambda config: iter(results[:1]))
    assert gan_jax("check", QUICK)[0] == 0


def test_without_a_config_the_workdir_s_own_counts(gan_jax, born, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "train", lambda config, workdir, accept, *_: seen.append((config, accept)) or 42)
    code, _, _ = gan_jax("train", f"--workdir={born}", "--config.train.length=9 steps", "--accept-changes")
    (config, accept) = seen[0]
    assert (code, config.model.G.channels, config.train.length, accept) == (42, 2, "9 steps", True)


def test_without_config_and_workdir_the_default_counts(gan_jax, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "train", lambda config, *_: seen.append(config) or 0)
    assert gan_jax("train", f"--workdir={tmp_path}/new")[0] == 0
    assert configs.changes(seen[0], configs.load(configs.DEFAULT)) == []


def test_an_encoder_is_trained_without_saying_how_long(gan_jax, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("gan_jax.encoder.encoder", lambda *words: seen.append(words) or ({}, "trained"))
    assert gan_jax("encoder", "--data=digits", f"--out={tmp_path}/new")[:2] == (0, "trained\n")
    assert seen == [("digits", tmp_path / "new", None, 1000, 0)]


def test_interrupting_is_no_traceback(gan_jax, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "main", interrupted)
    assert gan_jax("train") == (1, "", "gan-jax: interrupted\n")


def test_a_reader_that_has_enough_is_no_traceback():
    command = f"{sys.executable} -m gan_jax.main params {QUICK} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("", "")
