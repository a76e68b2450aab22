"""Training on somebody's own images without a config: what is picked, what is prepared, what is said."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_jax import config as configs
from gan_jax import main, preset
from gan_jax.data import manifest
from gan_jax.data.origin import Item, Origin
from gan_jax.engine import recipe
from gan_jax.errors import ConfigError, UserError
from gan_jax.preset import Facts, look, pick_resolution, resolve

TINY = {
    "model.G.channels": 2,
    "model.G.max_channels": 4,
    "model.D.channels": 2,
    "model.D.max_channels": 4,
    "train.batch_size": 4,
    "train.compilation_cache": "",
    "report.tensorboard": False,
    "report.rows": 2,
    "report.columns": 2,
    "evaluate.batch": 4,
    "phases.r1_every": 1,
}
TINY = [f"--config.{field}={value}" for field, value in TINY.items()]


def picture(path: Path, width=40, height=36, mode="RGB", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.random.RandomState(seed).randint(0, 256, (height, width, 3), np.uint8))
    image.convert(mode).save(path)


def photos(root: Path, *classes: str, count=4, side=36) -> str:
    for name in classes or ("",):
        for number in range(count):
            picture(root / name / f"{number}.png", side + 4, side, seed=number)
    return f"folder:{root}"


class Sizes(Origin):
    """Images that exist only as (width, height, mode); None for a damaged one."""

    def __init__(self, *images, classes=()):
        self.name, self.class_names, self.label_dim = "folder:sizes", classes, 0
        self._images, self.splits, self.opened = images, {"train": len(images)}, []

    def items(self, split, start, stop):
        for index in range(start, stop):
            yield Item(f"{index}.png", -1, lambda index=index: self._open(index))

    def _open(self, index):
        self.opened.append(index)
        if self._images[index] is None:
            raise OSError("cut short")
        width, height, mode = self._images[index]
        return Image.new(mode, (width, height))


class Prepared(Exception):
    """What `prepare` was asked for."""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(preset, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def asked(monkeypatch, cache):
    """Resolves and returns what is asked of `prepare`, which does nothing: (origin, options, folder)."""

    def refuse(*arguments, **_):
        raise Prepared(*arguments)

    monkeypatch.setattr(preset, "prepare", refuse)

    def run(*arguments, **options):
        with pytest.raises(Prepared) as asked:
            resolve(*arguments, **options)
        return asked.value.args

    return run


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """(words of a folder of two classes, the prepared folder, the config that came out)."""
    root = tmp_path_factory.mktemp("preset")
    words = photos(root / "photos", "cat", "dog", side=16)
    config = resolve(words, "r1", prepared=root / "set")
    return words, root / "set", config


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([64] * 10, 64),
        ([64] * 9 + [63], 64),
        ([64] * 8 + [63, 63], 32),
        ([100] * 10, 64),
        ([5000] * 10, 256),
        ([256] * 10, 256),
        ([8] * 10, 16),
        ([31] * 10, 16),
    ],
)
def test_the_resolution_is_the_largest_power_of_two_that_nine_in_ten_images_reach(sides, expected):
    resolution, why = pick_resolution(np.array(sides))
    assert resolution == expected
    assert "%" in why


def test_headers_tell_the_shorter_side_and_whether_all_is_grey():
    assert look(Sizes((64, 300, "L"), (300, 70, "1"), (64, 64, "LA")))[0] == {"resolution": 64, "channels": 1}
    picked, reasons = look(Sizes((64, 300, "L"), (300, 70, "RGB"), None))
    assert picked == {"resolution": 64, "channels": 3}
    assert "1 of 2 images looked at are in colour" in reasons["data.channels"]
    with pytest.raises(UserError, match=r"none of 2 images of folder:sizes can be read, 0\.png \(cut short\) first"):
        look(Sizes(None, None))


@pytest.mark.parametrize("count", [1, 100, 1999, 2000, 2001, 2050, 50_000])
def test_at_most_two_thousand_images_are_looked_at_from_all_over_the_set(count):
    origin = Sizes(*[(64, 64, "RGB")] * count)
    look(origin)
    assert len(set(origin.opened)) == len(origin.opened) == min(count, 2000)
    assert min(origin.opened) == 0
    assert max(origin.opened) >= 0.94 * count - 1


@pytest.mark.parametrize(
    ("devices", "resolution", "batch", "gamma"),
    [(1, 32, 32, 0.0064), (1, 256, 16, 0.8192), (2, 256, 32, 0.4096), (8, 128, 64, 0.0512), (8, 512, 64, 0.8192)],
)
def test_r1_takes_batch_gamma_and_average_by_stylegan2_ada_s_rules(devices, resolution, batch, gamma):
    config = preset.load("r1")["get_config"](Facts("digits", resolution, 3, 0, "index", 1000, devices))
    assert (config.train.batch_size, config.phases.gamma) == (batch, pytest.approx(gamma))
    assert config.ema.half_life == f"{batch * 10 / 32:g} kimg"


def test_stylegan2_is_stylegan2_ada_s_auto():
    def config(resolution, devices=1):
        return preset.load("stylegan2")["get_config"](Facts("digits", resolution, 3, 0, "index", 1000, devices))

    small, large = config(128, 2), config(1024, 8)
    assert (small.train.batch_size, small.phases.gamma, small.ema.half_life) == (64, 0.0512, "20 kimg")
    assert (small.model.G.channel_base, small.players.generator.learning_rate) == (16384, 2.5e-3)
    assert (large.train.batch_size, large.phases.gamma, large.ema.half_life) == (32, 6.554, "10 kimg")
    assert (large.model.G.channel_base, large.players.discriminator.learning_rate) == (32768, 2e-3)
    assert config(512, 3).model.D.stddev_group == 4
    assert (config(128, 3).train.batch_size, config(128, 3).model.D.stddev_group) == (66, 2)


def test_biggan_takes_the_published_settings_of_the_nearest_resolution():
    def config(resolution, devices=1):
        return preset.load("biggan")["get_config"](Facts("digits", resolution, 3, 0, "index", 1000, devices))

    small, large, larger = config(32), config(128, 8), config(256)
    assert (small.train.batch_size, small.players.generator.learning_rate, small.model.G.attention) == (50, 2e-4, ())
    rates = [player.learning_rate for player in (large.players.generator, large.players.discriminator)]
    assert (large.train.batch_size, large.train.microbatches, rates) == (256, 1, [5e-5, 2e-4])
    assert (large.phases.discriminator_steps, large.model.D.attention) == (2, (64,))
    assert (larger.train.microbatches, larger.model.G.attention, larger.model.D.attention) == (32, (128,), (64,))


@pytest.mark.parametrize("name", ["biggan", "r1", "stylegan2"])
@pytest.mark.parametrize("resolution", [16, 64, 128, 512])
def test_presets_make_configs_that_build_for_any_data_and_devices(name, resolution):
    rules = preset.load(name)
    for devices, classes, channels in ((1, 0, 1), (3, 2, 3), (8, 1000, 3)):
        facts = Facts("prepared:x", resolution, channels, classes, "index", 5000, devices)
        config = configs.finish(rules["get_config"](facts))
        built = recipe.load(config)
        assert config.train.batch_size % (devices * config.train.microbatches) == 0
        assert {field: config.data[field] for field in facts.data} == facts.data
        assert not config.data.flip
        assert set(rules["REASONS"]) <= set(configs.flat(config))
        assert set(built.players) == set(config.players)


def test_every_preset_says_how_it_is_used():
    for path in preset.PRESETS.glob("*.py"):
        assert f"    gan-jax train --data=folder:PATH --preset={path.stem} --workdir=" in path.read_text()


@pytest.mark.parametrize(("examples", "expected"), [(10, "10"), (5000, "50"), (10**6, "200")])
def test_checkpoints_come_after_ten_passes_within_bounds(examples, expected):
    assert Facts("digits", 16, 1, 10, "index", examples, 1).snapshot == f"{expected} kimg"


def test_a_folder_is_prepared_as_its_images_are(asked, tmp_path, cache):
    origin, options, folder = asked(photos(tmp_path / "my photos", "a", "b"), "r1")
    assert (options.resolution, options.channels, options.crop) == (32, 3, "center")
    assert (origin.class_names, origin.splits) == (("a", "b"), {"train": 8})
    assert folder.parent == cache
    assert folder.name.startswith("my_photos-32-")
    picture(tmp_path / "grey/0.png", 20, 20, "L")
    picture(tmp_path / "grey/1.png", 20, 20, "L")
    _, options, _ = asked(f"folder:{tmp_path}/grey", "biggan")
    assert (options.resolution, options.channels) == (16, 1)


def test_what_is_set_wins_over_what_is_picked(asked, tmp_path):
    words = photos(tmp_path / "photos", "a", "b")
    overrides = ["data.resolution=64", "data.channels=1", "data.crop=biggan"]
    _, options, folder = asked(words, "r1", overrides, tmp_path / "here")
    assert (options.resolution, options.channels, options.crop) == (64, 1, "biggan")
    assert folder == tmp_path / "here"


def test_other_files_or_wishes_are_another_prepared_set(asked, tmp_path, monkeypatch):
    words = photos(tmp_path / "photos")
    first = asked(words, "r1")[2]
    monkeypatch.chdir(tmp_path)
    assert asked("folder:photos/", "r1")[2] == first
    (tmp_path / "photos/readme.txt").write_text("no image")
    assert asked(words, "biggan")[2] == first
    others = [asked(words, "r1", [wish])[2] for wish in ("data.resolution=64", "data.channels=1", "data.crop=biggan")]
    picture(tmp_path / "photos/0.png", seed=9)
    others.append(asked(words, "r1")[2])
    picture(tmp_path / "photos/new.png")
    others.append(asked(words, "r1")[2])
    assert len({first, *others}) == 6


def test_a_mistake_is_known_before_anything_is_prepared(asked, tmp_path, cache):
    words = photos(tmp_path / "photos")
    for override, message in [
        ("data.resolution=100", "BigGAN's resolution is 100"),
        ("train.batch=8", "did you mean --config.train.batch_size"),
        ("phases.loss=mean", "'mean'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            resolve(words, "biggan", [override])
    assert not cache.exists()


def test_a_preparation_that_was_stopped_ends_the_command_with_42(monkeypatch, tmp_path, cache):
    monkeypatch.setattr(preset, "prepare", lambda *_, **__: (42, {}, "stopped at 3 of 4 images"))
    with pytest.raises(SystemExit) as ended:
        resolve(photos(tmp_path / "photos"), "r1")
    assert ended.value.code == 42


def test_the_prepared_set_is_what_the_config_trains_on(prepared):
    _, folder, config = prepared
    data = config.data
    assert data.source == f"prepared:{folder}"
    assert (data.resolution, data.channels, data.num_classes, data.flip) == (16, 3, 2, False)
    assert config.phases.gamma == pytest.approx(0.0002 * 16**2 / 64)  # four devices


def test_a_finished_set_is_used_again_and_its_images_are_not_looked_at(prepared, monkeypatch, capsys):
    words, folder, config = prepared
    monkeypatch.setattr(preset, "open_origin", None)
    again = resolve(words, "r1", prepared=folder)
    assert configs.changes(config, again) == []
    assert f"{words} lies prepared in {folder}" in capsys.readouterr().err
    direct = resolve(f"prepared:{folder}", "r1", ["data.num_classes=0"])
    assert (direct.data.source, direct.data.resolution, direct.data.num_classes) == (f"prepared:{folder}", 16, 0)


def test_every_pick_is_said_with_its_reason_and_then_all_fields(prepared, capsys):
    _, folder, _ = prepared
    config = resolve(f"prepared:{folder}", "r1", ["train.batch_size=16"])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"preset r1 for 8 images of prepared:{folder} on 4 device(s):"
    said = {line.split(" = ")[0].strip(): line for line in lines if " = " in line}
    assert set(said) == set(configs.flat(config))
    assert said["train.batch_size"].split() == ["train.batch_size", "=", "16", "as", "you", "set", "it"]
    assert "cat, dog" in said["data.num_classes"]
    assert "0.0002 * resolution^2 / batch" in said["phases.gamma"]


def test_a_preset_knows_what_was_set_of_the_data(monkeypatch):
    seen, real = [], preset.load("r1")["get_config"]
    monkeypatch.setattr(preset, "load", lambda name: {"get_config": lambda facts: seen.append(facts) or real(facts)})
    resolve("digits", "r1", ["data.num_classes=0", "data.resolution=32", "data.channels=3"])
    assert seen == [Facts("digits", 32, 3, 0, "index", 1797, 4)]


def test_built_in_data_need_no_preparation(capsys):
    config = resolve("digits", "biggan")
    assert (config.data.source, config.data.resolution, config.data.channels) == ("digits", 16, 1)
    assert config.data.num_classes == 10


def test_images_without_classes_or_with_several_labels_make_a_model_without_classes(tmp_path, cache, capsys):
    words = photos(tmp_path / "photos")
    labels = [[f"{number}.png", [number, 1.5]] for number in range(4)]
    (tmp_path / "photos/dataset.json").write_text(json.dumps({"labels": labels}))
    config = resolve(words, "r1")
    assert (config.data.num_classes, config.data.labels) == (0, "vector")
    assert "images have 2 labels each" in capsys.readouterr().err


# What follows `gan-jax train --workdir=NEW`; {tmp} holds two photos, one alone and a set prepared from others.
MISTAKES = [
    (["--data={photos}"], "--preset is missing"),
    (["--preset=r1"], "--data is missing"),
    (["--prepared=x"], "--data is missing"),
    (["--data={photos}", "--preset=r1", "--config=configs/biggan_digits.py"], "--config is configs/biggan_digits.py"),
    (
        ["--data={photos}", "--preset=bigan"],
        "--preset is 'bigan': expected one of biggan, r1, stylegan2; did you mean biggan?",
    ),
    (["--data={tmp}/photos", "--preset=r1"], "expected folder:PATH, .*; did you mean folder:.*photos"),
    (["--data=folder:{tmp}/none", "--preset=r1"], "there is no folder .*none"),
    (["--data=floder:{tmp}/photos", "--preset=r1"], "--data is 'floder:.*expected folder:PATH"),
    (["--data=folder:", "--preset=r1"], "--data is 'folder:': expected folder:PATH"),
    (["--data=digits:x", "--preset=r1"], "--data is 'digits:x'"),
    (["--data=folder:{tmp}/single", "--preset=r1"], "single has .*1.*: expected at least two"),
    (["--data=digits", "--preset=r1", "--prepared=x"], "--prepared is x, but digits needs no preparation"),
    (["--data={photos}", "--preset=r1", "--prepared={set}"], "--prepared is .*, which holds folder:"),
    (["--data={photos}", "--preset=r1", "--config.data.source=digits"], "data.source is 'digits' beside --data"),
    (["--data={photos}", "--preset=r1", "--config.data.resolution=many"], "'many' is no int"),
    (["--data={photos}", "--preset=r1", "--config.data.resolution=30"], "resolution is 30: the ResNet needs"),
    (["--data=prepared:{set}", "--preset=r1", "--config.data.resolution=64"], "was prepared with 16"),
    (["--data=polygons", "--preset=biggan", "--config.data.count=10"], "BigGAN's resolution is 28"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=lambda value: str(value)[-50:])
def test_a_mistake_is_one_sentence_with_exit_code_2_and_leaves_nothing(
    words, message, tmp_path, cache, prepared, monkeypatch, capsys
):
    photos_words = photos(tmp_path / "photos", count=2)
    picture(tmp_path / "single/0.png")
    words = [word.format(tmp=tmp_path, photos=photos_words, set=prepared[1]) for word in words]
    monkeypatch.setattr(sys, "argv", ["gan-jax", "train", f"--workdir={tmp_path}/new", *words])
    with pytest.raises(SystemExit) as ended:
        main.run()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert line.startswith("gan-jax: ")
    assert re.search(message, line)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "single"]


def test_training_on_a_folder_and_going_on_with_the_same_command(prepared, tmp_path, monkeypatch):
    words, folder, _ = prepared
    command = ["train", f"--data={words}", "--preset=r1", f"--prepared={folder}", f"--workdir={tmp_path}/run", *TINY]
    assert main.main([*command, "--config.train.length=2 steps"]) == 0
    assert (tmp_path / "run/checkpoints/2").is_dir()
    recorded = configs.read(tmp_path / "run")
    assert recorded.data.source == f"prepared:{folder}"
    assert recorded.data.identity == manifest.read(folder).splits["train"].hash
    assert main.main([*command, "--config.train.length=3 steps"]) == 0
    assert (tmp_path / "run/checkpoints/3").is_dir()
    with pytest.raises(ConfigError, match=r"config\.phases\.gamma is 5\.0 but"):
        main.main([*command, "--config.phases.gamma=5.0"])
