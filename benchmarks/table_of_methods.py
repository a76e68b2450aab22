"""The table of all methods in the README: made of recipes, configs, tests and scores, so that it cannot be wrong for long.

    python benchmarks/table_of_methods.py              writes it
    python benchmarks/table_of_methods.py --check      ends with 1 where README.md has another

A method is a recipe that a config names; its name and its paper stand at the beginning of the recipe's docstring. Scores on
digits are those of results/digits.json, {config: {"frechet": distance, "recognised": share, "seed": s, "steps": n}}, as
`gan-jax evaluate` gives them; without classes none is recognised.
"""

import argparse
import ast
import json
import re
import sys
from pathlib import Path

from gan_jax import config as configs

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- methods -->\n", "<!-- /methods -->\n"
HEAD = """| Method | arXiv | Configs | Verified by | Digits |
| --- | --- | --- | --- | --- |
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing, end with 1 where README.md has another table"
    )
    readme = ROOT / "README.md"
    old = readme.read_text()
    before, _, rest = old.partition(BEGIN)
    new = before + BEGIN + table() + END + rest.partition(END)[2]
    if parser.parse_args().check:
        return int(new != old)
    readme.write_text(new)
    return 0


def table() -> str:
    """All methods, the oldest first."""
    by_recipe: dict[str, list[str]] = {}
    for path in sorted((ROOT / "configs").glob("*.py")):
        by_recipe.setdefault(configs.load(str(path)).recipe, []).append(path.stem)
    rows = {row(recipe, stems) for recipe, stems in by_recipe.items()}
    return HEAD + "".join(f"| {' | '.join(cells)} |\n" for _, *cells in sorted(rows))


def row(recipe: str, stems: list[str]) -> tuple[str, ...]:
    """What it is sorted by, and the cells: name and file, paper, configs, evidence, score."""
    path = f"gan_jax/recipes/{recipe}.py"
    text = ast.get_docstring(ast.parse((ROOT / path).read_text()))
    name = text.partition(" (")[0].removeprefix("The ").removeprefix("first ")
    paper = re.search(r"\d{4}\.\d{4,5}", text)[0]
    links = [f"[{stem.removeprefix(f'{recipe}_')}](configs/{stem}.py)" for stem in stems]
    cells = f"[{name[0].upper()}{name[1:]}]({path})", f"[{paper}](https://arxiv.org/abs/{paper})", ", ".join(links)
    return f"{paper} {recipe}", *cells, verified(recipe, stems), score(stems)


def verified(recipe: str, stems: list[str]) -> str:
    """What the tests compare with published numbers."""
    tests, family = ROOT / "tests", configs.load(str(ROOT / f"configs/{stems[0]}.py")).model.get("family", recipe)
    own, classic = tests / f"networks/test_{recipe}.py", (tests / "networks/test_classic_counts.py").read_text()
    counted = own.exists() and "parameters" in own.read_text()
    found = ["counts"] if counted or any(f'"{stem}.py' in classic for stem in stems) else []
    return ", ".join([*found, *(["vectors"] if any((tests / "data").glob(f"{family}*.npz")) else [])])


def score(stems: list[str]) -> str:
    """The first config on digits: the share that is recognised, and the Frechet distance."""
    on_digits = next((stem for stem in stems if stem.endswith("_digits")), None)
    if on_digits is None:
        return ""
    scores = json.loads((ROOT / "benchmarks/results/digits.json").read_text()).get(on_digits)
    if scores is None:
        return "no score yet"
    share = scores.get("recognised")
    return f"{scores['frechet']:.3g}" if share is None else f"{100 * share:.1f} %, {scores['frechet']:.3g}"


if __name__ == "__main__":
    sys.exit(main())
