"""The shape of the house: who may import whom, how long a file may be, what must not be in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gan_jax"
MODULES = sorted(PACKAGE.rglob("*.py"))
LINES = 400
# What a room may import of the package, beside its own modules and gan_jax.errors.
MAY_IMPORT = {
    "layers": (),
    "networks": ("layers",),
    "losses": ("layers",),
    "recipes": ("game", "networks", "losses", "augment", "layers", "engine.recipe"),
    "game": ("losses", "augment", "layers", "engine.recipe"),
    "augment": ("layers",),
    "weights": ("networks",),
    "engine": (),
    "data": (),
    "metrics": ("data", "layers", "weights"),
    "report": (),
    "study": ("config", "compilations", "data", "engine", "processes", "report", "run", "stopping", "workdir"),
}
TENSORFLOW = ("tensorflow", "tensorflow_datasets", "clu")
MACHINE_PATH = re.compile(r"(?<![\w.~$}/])/(home|root|Users|tmp|work|mnt|opt|scratch)/\w")


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """`(module, whether inside a function)` of every import; of `from a import b` both a and a.b."""

    def walk(node: ast.AST, lazy: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, lazy) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "relative imports hide who imports whom"
                yield child.module, lazy
                yield from ((f"{child.module}.{alias.name}", lazy) for alias in child.names)
            yield from walk(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    return walk(ast.parse(source), lazy=False)


def within(module: str, room: str) -> bool:
    return module == f"gan_jax.{room}" or module.startswith(f"gan_jax.{room}.")


def violations(room: str, source: str) -> list[str]:
    """The modules of the package that a file of a room imports and may not."""
    allowed = (room, "errors", *MAY_IMPORT[room])
    found = [module for module, _ in imports(source) if module.startswith("gan_jax.")]
    # `from gan_jax.engine import recipe` names gan_jax.engine too, a package that holds nothing.
    packages = {f"gan_jax.{name.partition('.')[0]}" for name in allowed}
    return [m for m in found if not any(within(m, name) for name in allowed) and m not in packages]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room):
    for path in (PACKAGE / room).rglob("*.py"):
        assert not violations(room, path.read_text()), path


def test_the_rule_sees_every_form_of_import():
    assert violations("networks", "from gan_jax.engine.recipe import Recipe")
    assert violations("networks", "def f():\n    import gan_jax.losses.adversarial")
    assert violations("recipes", "from gan_jax.engine import sharding")
    assert violations("metrics", "if True:\n    from gan_jax import engine")
    assert not violations("recipes", "from gan_jax.engine.recipe import Recipe\nfrom gan_jax.errors import ConfigError")


def test_nobody_imports_the_command_line():
    for path in MODULES:
        assert not [m for m, _ in imports(path.read_text()) if within(m, "main")], path


def test_tensorflow_is_imported_lazily_and_only_where_it_is_needed():
    for path in MODULES:
        for module, lazy in imports(path.read_text()):
            if module.partition(".")[0] in TENSORFLOW:
                assert lazy, f"{path} imports {module} at once"
                assert path.parent.name in ("data", "report"), f"{path} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_has_one_subject(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= LINES
    assert path.stem not in ("util", "utils", "helper", "helpers", "common", "misc")


def test_no_file_names_a_place_on_somebody_s_machine():
    folders = ("gan_jax", "configs", "launch", "docs", "benchmarks")
    texts = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.suffix in (".py", ".sh", ".md", "")]
    for path in [*filter(Path.is_file, texts), ROOT / "pyproject.toml", ROOT / "README.md"]:
        found = MACHINE_PATH.search(path.read_text())
        assert not found, f"{path}: {found[0]}"
    assert MACHINE_PATH.search('open("/home/someone/data")')
