"""`gan-jax import`, `export` and `train --init`: published weights in and out, and training that begins with them."""

import json
import re
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from etils import epath
from PIL import Image

from gan_jax import config as configs
from gan_jax import main
from gan_jax import workdir as workdirs
from gan_jax.arguments import FORMATS
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load
from gan_jax.import_weights import matched
from gan_jax.weights import biggan_deep, formats, r3gan, stylegan2, stylegan3
from gan_jax.weights.places import to_variables
from tests import reference
from tests.reference import Peer, cases, hub_deep_tensors, integers, nchw, normal, peer_tensors
from tests.weights.torch_writer import legacy, network_pickle, state_dict, zipped

ROOT = Path(__file__).resolve().parent.parent
CASE = "bg32_hier"
SHORT = ["--config.train.length=1 step", "--config.train.batch_size=8", "--config.train.microbatches=1"]
QUIET = ["--config.report.tensorboard=False", "--config.report.rows=2", "--config.train.compilation_cache="]


@pytest.fixture(scope="module", autouse=True)
def in_the_repository():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


def run(*words) -> int:
    """A command's exit code; errors come through."""
    return main.main([*map(str, words)])


@pytest.fixture
def gan_jax(monkeypatch, capsys):
    """Runs a command as the shell would: `(exit code, stdout, stderr)`."""

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["gan-jax", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, error = capsys.readouterr()
        return ended.value.code, out, error

    return command


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Published files: a folder of BigGAN-PyTorch whose average is another than its generator."""
    folder = tmp_path_factory.mktemp("published")
    generator, discriminator = Peer(f"{CASE}/G").tensors(), Peer(f"{CASE}/D").tensors()
    average = {name: tensor + np.float32(0.125 * name.endswith("weight")) for name, tensor in generator.items()}
    (folder / "biggan").mkdir()
    (folder / "biggan/G.pth").write_bytes(zipped(state_dict(generator)))
    (folder / "biggan/G_ema.pth").write_bytes(zipped(state_dict(average)))
    (folder / "biggan/D.pth").write_bytes(legacy(state_dict(discriminator)))
    run_settings = {"itr": 134000, "config": {"BN_eps": 1e-4, "SN_eps": 1e-8}}
    (folder / "biggan/state_dict.pth").write_bytes(zipped(run_settings))
    return folder


@pytest.fixture(scope="module")
def imported(made, tmp_path_factory):
    """A workdir of that folder."""
    workdir = tmp_path_factory.mktemp("imported") / "run"
    assert run("import", "--format=biggan", f"--input={made / 'biggan'}", f"--out={workdir}", *QUIET) == 0
    return epath.Path(workdir)


def restored(workdir):
    config = configs.read(workdir)
    mesh = sharding.make_mesh(config.mesh)
    return workdirs.restore(workdir, state.abstract(load(config), mesh, config.mesh.rules))


def equal(a, b):
    return jax.tree.structure(a) == jax.tree.structure(b) and jax.tree.all(jax.tree.map(np.array_equal, a, b))


def content(folder) -> dict:
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def test_the_command_says_what_it_did_and_what_it_took_for_granted(gan_jax, made, tmp_path):
    (tmp_path / "G_ema.pth").write_bytes((made / "biggan/G_ema.pth").read_bytes())
    code, out, error = gan_jax("import", "--format=biggan", f"--input={tmp_path}", f"--out={tmp_path}/new")
    assert (code, error) == (0, "")
    first, *lines = out.splitlines()
    assert first.startswith("imported G (70,528 parameters), the average of G from ")
    assert [line.partition(":")[0] for line in lines] == [
        "there is no G.pth",
        "there is no D.pth",
        "state_dict.pth cannot be read, so BN_eps is taken for 1e-5",
        "licence",
        "pictures",
        "training on",
    ]
    notice = (tmp_path / "new/LICENCE-NOTICE.txt").read_text()
    assert f"imported as biggan from {tmp_path}" in notice
    assert "MIT License" in notice
    assert "G_ema.pth  sha256 " in notice


def test_networks_average_and_settings_are_those_of_the_folder(imported):
    current = restored(imported)
    generator, discriminator = Peer(f"{CASE}/G").variables(), Peer(f"{CASE}/D").variables()
    found = state.variables(current, averaged=False)
    assert equal(found, {"G": generator, "D": discriminator})
    np.testing.assert_array_equal(
        current.ema["G"]["params"]["stem"]["kernel"], generator["params"]["stem"]["kernel"] + np.float32(0.125)
    )
    assert (int(current.step), int(current.images)) == (0, 0)
    config = configs.read(imported)
    assert (config.model.G.bn_eps, config.model.G.sn_eps, config.model.D.sn_eps) == (1e-4, 1e-8, 1e-8)
    assert (config.data.resolution, config.data.num_classes, config.data.source) == (32, 5, "")
    assert (config.ema.start, config.evaluate.standing, config.precision.compute) == ("0 steps", 0, "float32")


def test_it_draws_the_published_pictures(made, tmp_path):
    """Those of the reference vectors, from the generator's own file."""
    source = epath.Path(made / "biggan/G.pth")
    config, networks, _ = matched(formats.read("biggan", source, None), source, ["model.G.sn_eps=1e-6"])
    about = cases("biggan")[CASE]["config"]
    z = normal("z", (about["batch"], int(reference.arrays("biggan")[f"{CASE}/z_dim"])), about["input_seed"])
    labels = integers("y", (about["batch"],), about["input_seed"], about["n_classes"])
    images = jax.jit(lambda v: load(config).sample(v, z, labels, {}))(networks)
    reference.assert_array(nchw(images)[:2], "biggan", CASE, "G_eval")


def test_sample_takes_the_workdir(imported, gan_jax, tmp_path):
    code, out, _ = gan_jax(
        "sample", f"--workdir={imported}", f"--out={tmp_path}/x.png", "--count=8", "--config.evaluate.batch=8"
    )
    assert (code, out) == (0, f"8 images in {tmp_path}/x.png\n")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A workdir as an import leaves it, of quick networks for five classes that nobody trained."""
    folder = epath.Path(tmp_path_factory.mktemp("small") / "run")
    fields = ["data.num_classes=5", "data.source=", "players.generator.learning_rate=0.0", "evaluate.metrics=()"]
    fields.append("phases.discriminator_steps=1")
    config = configs.load("configs/biggan_digits.py:quick", fields)
    workdirs.record(folder, config)
    recipe = load(config)
    current = state.born(recipe, state.abstract(recipe, sharding.make_mesh(config.mesh), ()), 7)
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(current, 0)
    (folder / "LICENCE-NOTICE.txt").write_text("for tests only")
    return folder


def test_training_begins_with_the_networks_and_goes_on_by_itself(small, tmp_path, capsys):
    before, start = content(small), restored(small)
    words = [f"--init={small}", f"--workdir={tmp_path}/new", "--config.data.source=digits", *SHORT, *QUIET]
    words += ["--config.data.num_classes=10"]
    assert run("train", *words) == 0
    said = capsys.readouterr().err
    assert f"beginning with the networks of {small}\n5 classes there, 10 here: D/params/output/projection/" in said
    assert content(small) == before
    trained = restored(epath.Path(tmp_path / "new"))
    assert equal(trained.params["G"]["block_1"], start.params["G"]["block_1"])
    assert trained.params["G"]["shared"]["embedding"].shape == (10, 32)
    assert not equal(trained.params["D"]["block_1"], start.params["D"]["block_1"])
    assert (int(trained.step), int(trained.images)) == (1, 8)
    assert (tmp_path / "new/LICENCE-NOTICE.txt").read_text() == "for tests only"
    assert (
        run("train", *words, "--config.train.length=2 steps") == 0
    )  # the same command goes on from its own checkpoint
    assert "beginning" not in capsys.readouterr().err
    assert workdirs.latest(epath.Path(tmp_path / "new")) == 2


@pytest.mark.slow
def test_an_imported_workdir_itself_may_go_on(small, tmp_path, gan_jax):
    here, random = tmp_path / "run", np.random.RandomState(0)
    for name, data in content(small).items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes(data)
    for index in range(20):
        path = tmp_path / f"data/class{index % 5}/{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.randint(0, 256, (16, 16), np.uint8)).save(path)
    words = ["train", f"--workdir={here}", f"--config.data.source=folder:{tmp_path}/data", *SHORT, *QUIET]
    code, _, error = gan_jax(*words)
    assert (code, "config.data.identity is " in error, "--accept-changes" in error) == (2, True, True)
    assert gan_jax(*words, "--accept-changes")[0] == 0
    trained = restored(epath.Path(here))
    assert equal(trained.params["G"], restored(small).params["G"])
    assert int(trained.step) == 1


def test_there_and_back_by_safetensors_is_the_identity(imported, gan_jax, tmp_path):
    code, out, _ = gan_jax("export", f"--workdir={imported}", f"--out={tmp_path}/x.safetensors")
    assert (code, out.partition(" in ")[0]) == (0, "D, G")
    about = json.loads((tmp_path / "x.json").read_text())
    assert about["config"]["model"]["G"]["channels"] == 8
    assert gan_jax("import", "--format=gan-jax", f"--input={tmp_path}/x.safetensors", f"--out={tmp_path}/back")[0] == 0
    assert configs.changes(configs.read(epath.Path(tmp_path / "back")), configs.read(imported)) == []
    before, after = restored(imported), restored(epath.Path(tmp_path / "back"))
    assert equal((before.params, before.stats, before.ema), (after.params, after.stats, after.ema))
    notice = (imported / "LICENCE-NOTICE.txt").read_text()
    assert (tmp_path / "back/LICENCE-NOTICE.txt").read_text() == notice


def arguments(case: str, network: str) -> dict:
    """The constructor's arguments of a network of the reference vectors, as its code base keeps them."""
    config = cases("stylegan2" if case.startswith("sg2") else "stylegan3")[case]["config"]
    data = {"c_dim": config["c_dim"], "img_resolution": config["res"], "img_channels": 3}
    mapping = {"num_layers": config["map_layers"]}
    if case.startswith("sg3"):
        return {**data, "z_dim": config["z"], "w_dim": config["w"], "mapping_kwargs": mapping, **config["kw"]}
    widths = {"channel_base": config["channel_base"], "channel_max": config["channel_max"]}
    widths["conv_clamp"] = config.get("conv_clamp")
    if network == "D":
        group = {"mbstd_group_size": config["mbstd_group"]}
        layers = {"num_layers": config.get("D_map_layers", 8)}
        return {**data, **widths, "architecture": config["D_arch"], "epilogue_kwargs": group, "mapping_kwargs": layers}
    synthesis = {**widths, "architecture": config["G_arch"]}
    data |= {"z_dim": config["z"], "w_dim": config["w"]}
    return {**data, "mapping_kwargs": mapping, "synthesis_kwargs": synthesis}


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("stylegan2", "sg2_uncond32"),
        ("stylegan2", "sg2_cond64"),
        ("stylegan2", "sg2_orig32"),
        ("stylegan3", "sg3t_32"),
        ("stylegan3", "sg3r_32"),
        ("r3gan", "r3_uncond32"),
        ("r3gan", "r3_cond16"),
    ],
)
def test_network_pickles_lead_to_the_networks_that_they_describe(name, case, tmp_path):
    layout, source = f"layout_{name}", epath.Path(tmp_path / "network.pkl")
    names = [network for network in "GD" if f"{case}/{network}" in cases(layout)]
    parts = {network: peer_tensors(layout, f"{case}/{network}") for network in names}
    given = {network: {} if name == "r3gan" else arguments(case, network) for network in names}
    average = {tensor: value + np.float32(1) for tensor, value in parts["G"].items()}
    source.write_bytes(network_pickle(**{n: (given[n], parts[n]) for n in names}, G_ema=(given["G"], average)))
    config, networks, averaged = matched(formats.read(name, source, None), source)
    places = {"stylegan2": stylegan2, "stylegan3": stylegan3, "r3gan": r3gan}[name].places
    for network, tensors in parts.items():
        expected = to_variables(tensors, places({key: tensor.shape for key, tensor in tensors.items()}))
        assert equal(networks[network], expected), network
    expected = to_variables(average, places({key: tensor.shape for key, tensor in average.items()}))
    assert equal(averaged["G"], expected)
    assert config.recipe == name
    assert config.data.source == ""
    assert config.ema.ramp_up is None
    published = cases("stylegan2" if case.startswith("sg2") else name)[case]["config"]
    if name != "r3gan":
        assert (config.model.dim_z, config.data.num_classes) == (published["z"], published["c_dim"])


def test_a_network_pickle_becomes_a_workdir(gan_jax, tmp_path):
    tensors = {network: peer_tensors("layout_stylegan2", f"phases_cond16_mix/{network}") for network in "GD"}
    widths = {"channel_base": 128, "channel_max": 16, "conv_clamp": None, "num_fp16_res": 0}
    data = {"c_dim": 3, "img_resolution": 16, "img_channels": 3}
    generator = {**data, "z_dim": 8, "w_dim": 10, "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": widths}
    discriminator = {**data, **widths, "mapping_kwargs": {"num_layers": 2}}
    given = {"G": (generator, tensors["G"]), "D": (discriminator, tensors["D"]), "G_ema": (generator, tensors["G"])}
    (tmp_path / "network.pkl").write_bytes(network_pickle(**given))
    code, out, _ = gan_jax("import", "--format=stylegan2", f"--input={tmp_path}/network.pkl", f"--out={tmp_path}/new")
    assert code == 0
    assert "research or evaluation only and not commercially" in out
    assert "NVIDIA Source Code License" in (tmp_path / "new/LICENCE-NOTICE.txt").read_text()
    words = [f"--workdir={tmp_path}/new", f"--out={tmp_path}/x.png", "--count=3", "--truncation=0.7"]
    assert gan_jax("sample", *words, "--config.evaluate.batch=4")[0] == 0


def test_the_tf_hub_generator_leads_to_the_network_that_it_describes(tmp_path):
    tensors, settings = hub_deep_tensors("hf_layout128"), cases("biggan_deep_hf")["hf_layout128"]["config"]["config"]
    (tmp_path / "pytorch_model.bin").write_bytes(zipped(state_dict(tensors)))
    (tmp_path / "config.json").write_text(json.dumps(settings))
    source = epath.Path(tmp_path)
    published = formats.read("biggan-deep", source, 0.5)
    config, networks, averaged = matched(published, source)
    ready = biggan_deep.with_one_row(tensors, 0.5)
    expected = to_variables(ready, biggan_deep.places({name: tensor.shape for name, tensor in ready.items()}))
    assert equal(networks, {"G": expected})
    assert equal(averaged, {"G": expected})
    assert (config.recipe, config.data.resolution, config.model.G.bn_eps) == ("biggan_deep", 128, 1e-4)
    assert published.notes[0].startswith("statistics of truncation 0.5: sample with --truncation=0.5 ")


G = Peer(f"{CASE}/G").tensors()
WIDE = np.zeros((3, 3), np.float32)


def without(name):
    return {key: tensor for key, tensor in G.items() if key != name}


# What the file G.pth holds, and what the sentence says.
BAD_TENSORS = {
    "another shape": (
        {**G, "blocks.0.0.conv2.bias": WIDE},
        r"G has blocks.0.0.conv2.bias of shape \(3, 3\), which does not",
    ),
    "other axes": ({**G, "blocks.1.0.conv2.weight": np.zeros((2, 3, 3), np.float32)}, "has no|does not fit"),
    "missing": (without("blocks.0.0.conv2.bias"), "G lacks params/block_0/conv2/bias: 1 of "),
    "missing and needed": (without("linear.weight"), "G.pth is not of this format: it lacks 'linear.weight'"),
    "foreign": ({**G, "extra.weight": WIDE}, "G.pth: BigGAN-PyTorch's networks have no tensor extra.weight"),
    "one more": ({**G, "blocks.0.0.conv3.bias": WIDE}, "which the network that the file describes does not have"),
    "a discriminator": (Peer(f"{CASE}/D").tensors(), "is not of this format: it lacks 'output_layer.2.weight'"),
    "nothing": ({}, "is not of this format: it lacks"),
}


@pytest.mark.parametrize("kind", BAD_TENSORS)
def test_weights_of_another_network_are_one_sentence(gan_jax, tmp_path, kind):
    tensors, message = BAD_TENSORS[kind]
    (tmp_path / "G.pth").write_bytes(zipped(state_dict(tensors)))
    check_refused(gan_jax, tmp_path, ["--format=biggan", f"--input={tmp_path}/G.pth"], 1, message)


def check_refused(gan_jax, tmp_path, words, expected, message):
    code, out, error = gan_jax("import", f"--out={tmp_path}/new", *words)
    assert (code, out) == (expected, ""), error
    assert error.startswith("gan-jax: ")
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert not (tmp_path / "new").exists()


# What follows `gan-jax import --out=NEW`, the exit code, and what the sentence says.
BAD_USE = [
    (["--format=biggan", "--input={tmp}/none"], 1, "none cannot be read: No such file"),
    (["--format=biggan", "--input={tmp}"], 1, "has neither G.pth nor G_ema.pth"),
    (["--format=biggan", "--input={tmp}/text.txt"], 1, "text.txt is damaged, cut off or no file of weights"),
    (["--format=stylegan2", "--input={tmp}/text.txt"], 1, "text.txt is damaged, cut off or no file of weights"),
    (["--format=stylegan3", "--input={tmp}"], 1, "cannot be read"),
    (["--format=biggan-deep", "--input={tmp}"], 1, "pytorch_model.bin cannot be read"),
    (["--format=gan-jax", "--input={tmp}/x.safetensors"], 1, "x.json cannot be read: No such file"),
    (["--format=biggan", "--input={made}/biggan", "--truncation=0.5"], 2, "--truncation is for --format=biggan-deep"),
    (["--format=biggan", "--input={made}/biggan", "--config.model.G.depth=3"], 2, "no such field"),
    (["--format=biggan", "--input={made}/biggan", "--config.model.G.channels=4"], 1, "does not fit"),
]


@pytest.mark.parametrize(("words", "code", "message"), BAD_USE, ids=lambda value: str(value)[-50:])
def test_what_cannot_be_imported_is_one_sentence(gan_jax, tmp_path, made, words, code, message):
    (tmp_path / "text.txt").write_text("these are no weights")
    words = [word.replace("{tmp}", str(tmp_path)).replace("{made}", str(made)) for word in words]
    check_refused(gan_jax, tmp_path, words, code, message)


def test_a_folder_in_use_is_left_alone(gan_jax, made, imported):
    before = content(imported)
    code, _, error = gan_jax("import", "--format=biggan", f"--input={made}/biggan", f"--out={imported}")
    assert (code, "is not empty: choose another --out" in error) == (2, True)
    assert content(imported) == before


def test_an_export_of_another_kind_or_version_is_one_sentence(gan_jax, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"")
    for about, message in (
        ("{", "is damaged"),
        ("{}", "damaged.*'format'"),
        ('{"format": 9, "config": {}, "notice": ""}', "format 9"),
    ):
        (tmp_path / "x.json").write_text(about)
        check_refused(gan_jax, tmp_path, ["--format=gan-jax", f"--input={tmp_path}/x.safetensors"], 1, message)


def test_export_says_what_it_cannot_do(gan_jax, imported, tmp_path):
    for words, message in (
        ([f"--workdir={imported}", f"--out={tmp_path}/x.pth"], "--out is .*x.pth: expected FILE.safetensors"),
        ([f"--workdir={tmp_path}", f"--out={tmp_path}/x.safetensors"], "is no workdir"),
    ):
        code, _, error = gan_jax("export", *words)
        assert code == 2
        assert re.search(message, error)


def test_networks_to_begin_with_that_do_not_fit_are_one_sentence(gan_jax, small, tmp_path):
    words = [f"--init={small}", f"--workdir={tmp_path}/new", "--config=configs/biggan_digits.py:quick"]
    words.append("--config.model.G.channels=4")
    code, _, error = gan_jax("train", *words)
    assert code == 2
    assert "the weights to begin with have" in error
    assert not (tmp_path / "new").exists()
    code, _, error = gan_jax("train", f"--init={tmp_path}", *words[1:])
    assert (code, "is no workdir" in error) == (2, True)


def test_the_command_line_knows_every_format():
    assert set(FORMATS) == set(formats.FORMATS)
