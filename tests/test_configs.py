"""The shipped configs: each loads, says how it is run, and trains as a quick variant."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.metrics import catalogue, direct
from gan_jax.train import train

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted((ROOT / "configs").glob("*.py"))
# Trained for two steps by the default run; the others by `launch/test.sh --all`.
BY_DEFAULT = (
    "ali_digits",
    "progan_digits",
    "wgan_digits",
)


def spec(path: Path, argument: str = "") -> str:
    return f"configs/{path.name}" + (f":{argument}" if argument else "")


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


def test_it_loads_and_its_recipe_builds(path):
    config = configs.load(spec(path))
    recipe = load(config)
    assert set(recipe.players) == set(config.players)
    assert configs.changes(config, configs.load(spec(path))) == []


def test_its_docstring_gives_the_command_and_the_paper(path):
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert f"    gan-jax train --config={spec(path)} --workdir=workdirs/" in text
    assert "Paper: " in text or "arXiv" in text


def test_its_metrics_fit_it_in_every_variant_that_the_docstring_shows(path):
    for name in {spec(path), *re.findall(rf"{spec(path)}:\w+", path.read_text())}:
        config = configs.load(name)
        features = [word for word in config.evaluate.metrics if word not in direct.METRICS]
        assert all(catalogue.request(word, config.data.num_classes or 0) for word in features)


def test_an_unknown_argument_is_refused(path):
    with pytest.raises(ConfigError, match="'nonsense': expected"):
        configs.load(spec(path, "nonsense"))


def test_arguments_change_what_they_say():
    assert configs.load("configs/wgan_gp_polygons.py:full").model.G.channels == 64
    for name in ("biggan_imagenet128", "biggan_imagenet256", "biggan_imagenet512", "biggan_deep_imagenet128"):
        for argument, expected in (("", (2048, 8)), ("2048x1", (2048, 1)), ("64x32", (2048, 32)), ("16x4", (64, 4))):
            config = configs.load(f"configs/{name}.py" + (f":{argument}" if argument else ""))
            assert (config.train.batch_size, config.train.microbatches) == expected
        for argument in ("0x8", "8x0", "x", "8", "8x", "-8x8", "8x8x8"):
            with pytest.raises(ConfigError, match='expected such as "256x8"'):
                configs.load(f"configs/{name}.py:{argument}")
    big = configs.load("configs/biggan_imagenet256.py")
    assert (big.data.resolution, big.model.G.attention, big.model.D.attention) == (256, (128,), (64,))
    big = configs.load("configs/biggan_imagenet512.py")
    assert (big.data.resolution, big.model.G.attention, big.model.D.attention) == (512, (64,), (64,))


def test_the_quick_variant_is_the_same_recipe(path):
    config, quick = configs.load(spec(path)), configs.load(spec(path, "quick"))
    assert (quick.recipe, quick.players, quick.phases, quick.ema) == (
        config.recipe,
        config.players,
        config.phases,
        config.ema,
    )
    assert quick.train.length == "2 steps"
    assert quick.data.source in ("digits", "digits:train", "polygons:train")  # needs no download


def trainings() -> Iterator:
    """Every config on one and on four devices; by default a few of them, on four."""
    for path in SHIPPED:
        for devices in (1, 4):
            quick = path.stem in BY_DEFAULT and devices == 4
            marks = () if quick else (pytest.mark.slow,)
            yield pytest.param(path, devices, id=f"{path.stem}-{devices}", marks=marks)


@pytest.mark.parametrize(("path", "devices"), list(trainings()))
def test_the_quick_variant_trains(path, devices, tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "make_mesh", lambda section: sharding.data_mesh(devices))
    overrides = ["report.tensorboard=False", "train.compilation_cache=", "report.rows=2"]
    scanned = "train.unroll=False"  # several critic steps compile as one
    assert train(configs.load(spec(path, "quick"), [*overrides, scanned]), tmp_path) == 0
    assert workdirs.latest(tmp_path) == 2
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert all(value is not None for line in lines for value in line.values())
    assert len(list((tmp_path / "samples").iterdir())) == 2
    assert (tmp_path / "report.html").stat().st_size > 1000
