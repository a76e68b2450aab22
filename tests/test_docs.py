"""The documentation: its commands parse, its links lead somewhere, its tables and its worked example are true."""

import dataclasses
import itertools
import json
import re
import shlex
import sys
import textwrap
from pathlib import Path

import pytest

from gan_jax import config as configs
from gan_jax import main, params
from gan_jax.arguments import make_parser
from gan_jax.check import check
from gan_jax.engine import recipe
from gan_jax.game import conditioning
from gan_jax.game.rules import Rules
from gan_jax.layers import normalizers
from gan_jax.losses import adversarial
from gan_jax.train import train

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLE = sorted((ROOT / "docs/my_gan").glob("*.py"))
CONTRACT = ("Recipe", "Network", "Player", "Phase", "Ema", "Stage", "Out", "View", "Net")


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def commands() -> list[str]:
    """The indented commands of all pages, of the example and of the configs, each on one line without remarks."""
    files = [*PAGES, *EXAMPLE, *sorted((ROOT / "configs").glob("*.py"))]
    lines = [line for file in files for line in re.sub(r"\s*\\\n\s*", " ", file.read_text()).splitlines()]
    found = [line.strip() for line in lines if re.match(r"\s*([A-Z_]+=\S+ )?(gan-jax|launch/\w+\.sh) ", line)]
    return sorted({re.split(r"\s{3,}", line)[0] for line in found})


def blocks(name: str, language: str) -> list[str]:
    """The fenced code blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), re.DOTALL | re.MULTILINE)


def hunks(diff: str) -> list[tuple[str, str, str]]:
    """(file, text before, text after) of every hunk of a diff."""
    found = []
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        for hunk in part.split("@@\n")[1:]:
            lines = hunk.splitlines(keepends=True)
            before, after = (
                "".join(re.sub("^[ +-]", "", line) for line in lines if not line.startswith(other)) for other in "+-"
            )
            found.append((part.split("\n")[0], before, after))
    return found


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The folder that the page about a first GAN has one make, beside the current folder."""
    text = page("adding_a_gan.md")
    assert len(text.splitlines()) < 100
    folder = tmp_path / "mine"
    folder.mkdir()
    names = re.findall(r"`(\w+\.py)`:\n\n```python", text)
    for name, code in zip(names, blocks("adding_a_gan.md", "python"), strict=True):
        (folder / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.delitem(sys.modules, "mine.mode_seeking", raising=False)
    return folder


@pytest.mark.parametrize("command", commands())
def test_commands_parse_and_their_fields_exist(command, mine):
    words = shlex.split(command)
    while "=" in words[0]:  # a variable of the environment
        words = words[1:]
    program, *words = words
    if program != "gan-jax":
        assert (ROOT / program).exists()
        words = words[words.index("train") :] if "train" in words else ["train", "--workdir=DIR", *words]
    overrides = [word.removeprefix(main.OVERRIDE) for word in words if word.startswith(main.OVERRIDE)]
    options = make_parser(main.COMMANDS).parse_args([word for word in words if not word.startswith(main.OVERRIDE)])
    configs.load(getattr(options, "config", None) or configs.DEFAULT, overrides)


def test_every_kind_of_command_is_shown():
    shown = {command.partition("gan-jax ")[2].split(" ")[0] for command in commands()}
    assert shown >= {"train", "sample", "evaluate", "params", "check", "bench"}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_links_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        there = file.parent / name if name else file
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
            assert anchor in anchors, target


def test_the_tables_of_the_contract_are_complete():
    contract = page("architecture.md").split("## The contract")[1].split("\n## ")[0]
    for name in CONTRACT:
        table = re.search(rf"^\*\*{name}\*\*.*?(?=^\*\*|\Z)", contract, re.DOTALL | re.MULTILINE)[0]
        missing = [f.name for f in dataclasses.fields(getattr(recipe, name)) if f"`{f.name}`" not in table]
        assert not missing, name


def test_the_tables_of_the_config_are_complete_and_give_its_defaults():
    sections = re.findall(r"^### (\w+)\n(.*?)(?=^##)", page("configs.md"), re.DOTALL | re.MULTILINE)
    tables = {name: re.sub("[`\"']", "", text) for name, text in sections}
    for name, value in configs.flat(configs.base()).items():
        section, _, field = name.partition(".")
        shown = str(tuple(value) if isinstance(value, list) else value).replace("'", "")
        if not field:
            assert f"default {shown}" in tables[section], name
            continue
        row = re.search(rf"^\| (?:\w+, )?{field}\b.*$", tables[section], re.MULTILINE)
        assert row, f"{name} has no row"
        assert shown in row[0].split(" | ")[-1], name
    for field in configs.load(configs.DEFAULT).data:
        assert f"| {field} |" in tables["data"]


def test_the_table_of_configs_is_complete_and_counts_right():
    rows = re.findall(r"^\| `(\w+\.py(?::\w+)?)` \|.*\| ([\d.]+) M, ([\d.]+) M \|", page("configs.md"), re.MULTILINE)
    assert {row[0].partition(":")[0] for row in rows} == {path.name for path in (ROOT / "configs").glob("*.py")}
    for name, *shown in rows:
        counts = params.count(recipe.load(configs.load(f"configs/{name}")))
        networks = ("G", "D" if "D" in counts else "E")
        assert [f"{counts[network]['parameters'] / 1e6:.2f}" for network in networks] == shown, name


def test_the_rules_of_the_game_are_all_there_with_their_defaults():
    table = page("methods.md").partition("## Rules")[2].partition("Conditioning has")[0]
    shown = {}
    for names, defaults in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \|", table, re.MULTILINE):
        names, defaults = re.findall(r"`(\w+)`", names), defaults.replace('"', "").split(", ")
        shown |= dict(zip(names, defaults * (len(names) if len(defaults) == 1 else 1), strict=True))
    expected = {field.name: str(getattr(Rules(), field.name)) for field in dataclasses.fields(Rules)}
    assert shown == expected | {"conditioning": "none", "augment": "none", "consistency_augment": "translation"}


def test_every_part_of_the_game_is_named():
    text = page("methods.md")
    for name in (*conditioning.METHODS, *(n for n in adversarial.NAMES if not n.startswith("relativistic_average_"))):
        assert f"`{name}`" in text, name
    for name in normalizers.NAMES:
        assert re.search(rf"`{name}(:\d+)?`", text), name


def test_every_published_fid_of_a_config_has_a_band():
    (table,) = re.findall(r"Accepted up to \|\n(.*?)\n\n", page("evaluation.md"), re.DOTALL)
    rows = dict(re.findall(r"^\| `(\w+\.py)` (.*)$", table, re.MULTILINE))
    published = {path.name: path.read_text() for path in (ROOT / "configs").glob("*.py") if "FID" in path.read_text()}
    assert rows.keys() == published.keys()
    for name, row in rows.items():
        shown, accepted = (re.findall(r"\d+\.\d+", cell) for cell in row.split(" | ")[-2:])
        assert all(number in published[name] for number in shown), name
        assert float(accepted[0]) == pytest.approx(1.1 * float(shown[0]), abs=0.2), name


def test_the_quoted_code_is_that_of_the_example():
    quoted = blocks("recipes.md", "python")
    assert len(quoted) == 5
    code = [file.read_text() for file in EXAMPLE]
    for block in quoted:  # as it stands, or taken out of a function
        assert any(text in file for file in code for text in (block, textwrap.indent(block, "    "))), block


def test_the_example_keeps_the_contract_and_its_length():
    results = list(check(configs.load("docs/my_gan/config.py")))
    assert [text for _, passed, text in results if not passed] == []
    printed = re.findall(r"^    ok    (\w+)", page("recipes.md"), re.MULTILINE)
    assert [name for name, _, _ in results] == printed
    length = len((ROOT / "docs/my_gan/lsgan.py").read_text().splitlines())
    for file in (ROOT / "README.md", ROOT / "docs/recipes.md"):
        assert f"{length} lines" in file.read_text()


def test_a_first_gan_keeps_the_contract(mine):
    results = list(check(configs.load("mine/config.py")))
    assert [text for _, passed, text in results if not passed] == []


@pytest.mark.slow
def test_a_first_gan_learns_digits(mine):
    assert train(configs.load("mine/config.py"), mine / "run") == 0
    first, *_, last = (json.loads(path.read_text()) for path in sorted((mine / "run/evaluations").glob("*.json")))
    assert last["frechet_digits"] < first["frechet_digits"] / 5


def test_the_variation_applies_and_trains(tmp_path, monkeypatch):
    texts = {file.name: file.read_text() for file in EXAMPLE}
    (diff,) = blocks("recipes.md", "diff")
    for file, before, after in hunks(diff):
        assert texts[Path(file).name].count(before) == 1, before
        texts[Path(file).name] = texts[Path(file).name].replace(before, after)
    folder = tmp_path / "variation"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    monkeypatch.chdir(tmp_path)  # a dotted path is looked up in the current folder
    config = configs.load("variation/config.py", ["recipe=variation.lsgan"])
    networks, steps, gradients = itertools.islice(check(config), 3)
    assert networks[1]
    assert steps[1]
    assert gradients[1], gradients[2]
    assert "2 compiled" in steps[2]
