"""Configs: found, overridden, checked, written to a workdir and compared with it."""

import json
import textwrap

import pytest
from ml_collections import ConfigDict

from gan_jax import config as configs
from gan_jax.errors import ConfigError

DIGITS = "configs/biggan_digits.py"


def write(folder, text: str) -> str:
    path = folder / "experiment.py"
    path.write_text(textwrap.dedent(text))
    return str(path)


def test_a_relative_path_is_looked_up_here_and_then_beside_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert configs.load(DIGITS).recipe == "biggan"
    (tmp_path / "configs").mkdir()
    (tmp_path / DIGITS).write_text(
        "from gan_jax import config\n\ndef get_config():\n    c = config.base()\n    c.recipe = 'mine'\n"
        "    c.model = c.players = c.phases = c.ema = {}\n    return c\n"
    )
    assert configs.load(DIGITS).recipe == "mine"


def test_an_argument_reaches_the_config():
    assert configs.load("configs/biggan_imagenet128.py:64x32").train.microbatches == 32
    with pytest.raises(ConfigError, match="'quik': expected quick"):
        configs.load(f"{DIGITS}:quik")


def test_a_config_is_locked():
    config = configs.load(DIGITS)
    with pytest.raises(AttributeError):
        config.players.generator.learning_rat = 1.0


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("players.generator.learning_rate=1e-5", 1e-5),
        ("players.generator.learning_rate=1", 1.0),
        ("train.batch_size=128", 128),
        ("train.length=25 Mimg", "25 Mimg"),
        ("train.compilation_cache=", ""),
        ("train.unroll=True", True),
        ("train.unroll=none", None),
        ("report.tensorboard=false", False),
        ("data.num_classes=None", None),
        ("data.source=folder:/a=b", "folder:/a=b"),
        ("model.G.attention=8", (8,)),
        ("model.G.attention=[8, 16]", (8, 16)),
        ("model.G.attention=()", ()),
        ("evaluate.metrics=None", ()),
        ('mesh.rules=((".*", "largest"),)', ((".*", "largest"),)),
    ],
)
def test_overrides_keep_the_type_of_their_field(override, value):
    config = configs.load(DIGITS, [override])
    for key in override.partition("=")[0].split("."):
        config = config[key]
    assert config == value
    assert type(config) is type(value)


def test_an_override_is_for_one_player_though_a_file_gives_two_the_same_section(tmp_path):
    file = """
        from gan_jax.config import load

        def get_config():
            config = load("configs/biggan_digits.py").unlock()
            config.players = dict.fromkeys(("generator", "discriminator"), {"learning_rate": 1.0})
            return config
    """
    config = configs.load(write(tmp_path, file), ["players.generator.learning_rate=0.5"])
    assert [config.players[name].learning_rate for name in ("generator", "discriminator")] == [0.5, 1.0]


def test_a_file_is_read_as_it_is_now(tmp_path):
    for seed in (1, 2):
        file = f"""
            from gan_jax.config import load

            def get_config():
                return load("configs/biggan_digits.py", ["seed={seed}"]).unlock()
        """
        assert configs.load(write(tmp_path, file)).seed == seed
    assert not (tmp_path / "__pycache__").exists()


def test_networks_of_one_dict_are_changed_one_by_one():
    config = configs.load("configs/dcgan_digits.py", ["model.D.norm=none"])
    assert (config.model.G.norm, config.model.D.norm) == ("batch", "none")
    config = configs.load("configs/ali_digits.py", ["model.E.channels=8"])
    assert (config.model.E.channels, config.model.D.channels) == (8, 32)


def test_every_player_can_freeze_parameters():
    config = configs.load(DIGITS, ["players.discriminator.freeze=('D/block_0/.*',)"])
    assert (config.players.generator.freeze, config.players.discriminator.freeze) == ((), ("D/block_0/.*",))


def test_the_last_of_two_overrides_counts():
    assert configs.load(DIGITS, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("players.generator.learning_rat=1", "did you mean --config.players.generator.learning_rate?"),
        ("batch_size=1", "did you mean --config.train.batch_size?"),
        ("seed.x=1", "no such field"),
        ("zzz=1", "no such field"),
        ("=1", "no such field"),
        ("train=5", "a section with fields .*'batch_size'"),
        ("train.batch_size=many", "'many' is no int .it was 64"),
        ("train.batch_size=", "'' is no int"),
        ("train.batch_size=3.5", "no int"),
        ("train.batch_size=[8]", "no int"),
        ("train.batch_size=0", "train.batch_size is 0: expected a whole number of at least 1"),
        ("train.batch_size=-8", "at least 1"),
        ("train.batch_size=True", "config.train.batch_size is True"),
        ("train.batch_size=None", "config.train.batch_size is None"),
        ("train.microbatches=0", "config.train.microbatches"),
        ("train.keep=0", "config.train.keep"),
        ("report.columns=0", "config.report.columns"),
        ("evaluate.samples=1", "config.evaluate.samples is 1: expected a whole number of at least 2"),
        ("evaluate.batch=0", "config.evaluate.batch"),
        ("evaluate.standing=-1", "config.evaluate.standing"),
        ("seed=-1", "config.seed is -1"),
        ("seed=4294967296", "below 2"),
        ("players.generator.options.b1=high", "no float"),
        ("evaluate.metrics=digits", "no tuple"),
        ("data.flip=maybe", "no bool"),
    ],
)
def test_an_override_that_does_not_fit_is_named(override, message):
    with pytest.raises(ConfigError, match=message):
        configs.load(DIGITS, [override])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def get_config(:", "no usable config.*SyntaxError"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("x = 1", "has no attribute 'get_config'"),
        ("def get_config():\n    return {}", "get_config returned dict: expected a ConfigDict"),
        ("from gan_jax.config import base as get_config", "lacks sections .*'recipe'"),
        (
            """
            from gan_jax.config import load

            def get_config():
                config = load("configs/biggan_digits.py").unlock()
                config.trian = config.train
                return config
            """,
            "unknown ones .*'trian'",
        ),
        (
            """
            from gan_jax.config import load

            def get_config():
                config = load("configs/biggan_digits.py").unlock()
                config.data = {"source": "digits", "resolution": 16}
                return config
            """,
            r"lacks config\.data\.\w+: begin with gan_jax\.config\.base",
        ),
        (
            """
            from gan_jax.config import load

            def get_config():
                config = load("configs/biggan_digits.py").unlock()
                config.ema.ramp = lambda images: 0.9
                return config
            """,
            "can hold numbers, text, lists and sections only",
        ),
    ],
)
def test_a_file_that_is_no_config_is_a_sentence(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=message):
        configs.load(path)


@pytest.mark.parametrize(
    "name", ["configs/biggan_digit.py", "biggan_digits.py", "biggan_digits", "nothing", "", "configs"]
)
def test_a_missing_file_is_a_sentence(name):
    with pytest.raises(ConfigError, match="there is no file") as caught:
        configs.load(name)
    if "digit" in name:
        assert "did you mean configs/biggan_digits.py?" in str(caught.value)


def test_a_workdir_gives_back_the_config_it_got(tmp_path):
    config = configs.load(DIGITS, ["mesh.rules=((('.*'), 'largest'),)"])
    (tmp_path / "config.json").write_text(configs.to_json(config))
    again = configs.read(tmp_path)
    assert configs.changes(config, again) == []
    assert configs.flat(again) == configs.flat(config)
    assert again.mesh.axes == ("data",)
    assert again.is_locked
    assert configs.read(tmp_path, ["train.unroll=True", "seed=3"]).seed == 3


@pytest.mark.parametrize("content", [None, "", "{", "[1, 2]", "null", "{}", '{"seed": 1}', b"\xff\xfe"])
def test_a_folder_without_a_sound_config_is_a_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError):
        configs.read(tmp_path)
    with pytest.raises(ConfigError, match="no workdir"):
        configs.read(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="no workdir"):
        configs.read(tmp_path / "file")


def test_changes_are_named_but_for_what_is_free():
    old = configs.load(DIGITS)
    free = ["mesh.shape=(4,)", "report.every=1 step", "evaluate.samples=9", "train.length=9 steps", "train.unroll=True"]
    assert configs.changes(old, configs.load(DIGITS, free)) == []
    (change,) = configs.changes(old, configs.load(DIGITS, ["seed=5"]))
    assert change == "config.seed is 5 but 0 in the workdir"
    changes = configs.changes(old, configs.load(DIGITS, ["train.batch_size=128", "model.G.attention=8"]))
    assert [text.split(" ")[0] for text in changes] == ["config.model.G.attention", "config.train.batch_size"]


def test_a_field_that_comes_or_goes_is_a_change():
    old, new = (configs.load(DIGITS).unlock() for _ in range(2))
    new.phases.extra = 1.0
    assert configs.changes(old, new) == ["config.phases.extra is 1.0 but 'absent' in the workdir"]
    assert configs.changes(new, old) == ["config.phases.extra is 'absent' but 1.0 in the workdir"]


def test_base_is_made_anew_each_time():
    configs.base().train.batch_size = 1
    assert configs.base().train.batch_size == 64
    assert isinstance(configs.base(), ConfigDict)


def test_a_workdir_of_an_older_version_has_the_defaults_of_what_it_does_not_know(tmp_path):
    values = json.loads(configs.to_json(configs.load("configs/biggan_digits.py:quick")))
    del values["report"]["profile"], values["train"]["collapse"], values["evaluate"]["settings"]["neighbours"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    config = configs.read(tmp_path)
    assert (config.report.profile, config.train.collapse.patience, config.evaluate.settings.neighbours) == ("", 3, 3)
    assert configs.changes(config, configs.load("configs/biggan_digits.py:quick")) == []


def test_what_the_backward_pass_keeps_may_change_on_resume():
    before, after = (configs.load("configs/biggan_digits.py", [f"model.G.remat={word}"]) for word in ("None", "blocks"))
    assert configs.changes(before, after) == []
