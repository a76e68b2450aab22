"""The InceptionV3 of FID against the published codes, with random weights; and the files of its weights."""

import dataclasses
import functools
import hashlib
import json
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest
from etils import epath
from jax.extend.core import jaxprs_in_params

from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics import frechet, kernel
from gan_jax.metrics.extractors import inception
from gan_jax.metrics.extractors.inception import shapes
from gan_jax.metrics.extractors.inception_names import graph_places, torch_places
from gan_jax.metrics.inception_score import inception_score
from gan_jax.weights import torch_file
from tests.metrics.extractors import recipes
from tests.reference import DATA, arrays, cases
from tests.weights import graph_writer, torch_writer

FILE = "eval_inception_random"
RULES = {"tf": "tf1", "clean": "clean", "torch": "torch"}  # by the names in the vectors
OURS = {"2048": "pool3"}
BATCH = 16
PUBLISHED = inception.TORCH_FILE


@functools.cache
def layout() -> dict[str, list[int]]:
    return json.loads((DATA / "eval_inception_state_dict_layout.json").read_text())


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    """All tensors of the PyTorch file."""
    return {name: recipes.tensor(name, tuple(shape), cases(FILE)["weight_seed"]) for name, shape in layout().items()}


@pytest.fixture(scope="module")
def any_weights():
    """Takes files whatever their hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "TORCH_FILE", dataclasses.replace(inception.TORCH_FILE, sha256=""))
        yield


@pytest.fixture(scope="module")
def extractor(drawn, any_weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    counter = {"Conv2d_1a_3x3.bn.num_batches_tracked": np.zeros((), np.int64)}
    content = torch_writer.zipped(torch_writer.state_dict(drawn | counter))
    (folder / inception.TORCH_FILE.names[0]).write_bytes(content)
    return inception.open_inception(folder)


@pytest.fixture(scope="module")
def forward(extractor):
    """Outputs, and the first branch of Mixed_6d, of images float32 [n, 299, 299, 3], in batches of one size."""

    @jax.jit
    def run(variables, x):
        def wanted(module, _):
            return module.path == ("Mixed_6d", "branch1x1")

        with jax.default_matmul_precision("highest"):
            outputs, seen = inception.InceptionV3().apply(variables, x, capture_intermediates=wanted)
        return outputs | {"branch": seen["intermediates"]["Mixed_6d"]["branch1x1"]["__call__"][0]}

    def batches(x):
        parts = [run(extractor.variables, x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
        return jax.tree.map(lambda *rows: np.concatenate(rows), *parts)

    return batches


@functools.cache
def images(name: str) -> np.ndarray:
    entry = cases(FILE)["sets"][name]
    return recipes.images(*(entry[field] for field in ("seed", "kind", "n", "h", "w")))


def stored() -> list[tuple[str, str]]:
    return sorted({tuple(key.split("/")[:2]) for key in arrays(FILE)})


@pytest.fixture(scope="module")
def outputs(forward):
    """`{(set, path): {output: rows}}` of all images of the vectors."""
    prepared = jax.jit(inception.prepared, static_argnums=0)
    x = [np.asarray(prepared(RULES[path], images(name))) for name, path in stored()]
    rows, ends = forward(np.concatenate(x)), np.cumsum([len(part) for part in x])
    return {
        case: {key: value[end - len(part) : end] for key, value in rows.items()}
        for case, part, end in zip(stored(), x, ends, strict=True)
    }


def test_the_recipes_are_those_of_the_vectors(drawn):
    for name, entry in cases(FILE)["weights_crc32"].items():
        assert zlib.crc32(drawn[name].tobytes()) == entry["crc32_of_float32_bytes"], name
    for name, entry in cases(FILE)["sets"].items():
        assert zlib.crc32(images(name).tobytes()) == entry["crc32"], name


def test_tensors_have_the_published_names_and_shapes():
    places = torch_places(shapes())
    ours = {name: place.layout.theirs(np.zeros(shapes()[place.path])).shape for name, place in places.items()}
    assert ours == {name: tuple(shape) for name, shape in layout().items()}
    assert sum(map(np.prod, shapes().values())) == 23_885_392


@pytest.mark.parametrize(("name", "path"), stored())
def test_features_are_those_of_the_published_codes(outputs, name, path):
    checked = 0
    for key, expected in arrays(FILE).items():
        if key.startswith(f"{name}/{path}/"):
            output = key.rpartition("/")[2]
            tolerance = 5e-5 if output.startswith("logits") else 2e-5
            found = outputs[name, path][OURS.get(output, output)]
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=key)
            checked += 1
    assert checked


def test_spatial_features_are_seven_channels_of_a_branch_at_every_place(outputs):
    found = outputs["a_noise32", "tf"]
    assert found["branch"].shape == (2, 17, 17, 192)
    np.testing.assert_array_equal(found["spatial"].reshape(2, 17, 17, 7), found["branch"][..., :7])
    assert found["branch"].min() == 0  # behind the ReLU


def test_the_extractor_prepares_images_itself_and_makes_three_channels_of_one(extractor, outputs):
    apply = jax.jit(lambda variables, images: extractor.apply(variables, images)[extractor.features])
    colours = images("a_noise32")
    found = apply(extractor.variables, colours)
    np.testing.assert_allclose(found, outputs["a_noise32", "tf"]["pool3"], rtol=0, atol=1e-5)
    grey = jax.jit(functools.partial(inception.prepared, "tf1"))
    three = np.repeat(colours[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(grey(colours[..., :1]), grey(three))


def test_every_product_has_the_highest_precision(extractor):
    """On accelerators the default may be coarser by 1e-3."""
    jaxpr = jax.make_jaxpr(extractor.apply)(extractor.variables, images("a_noise32"))
    highest = jax.lax.Precision.HIGHEST
    products = [e for e in equations(jaxpr.jaxpr) if e.primitive.name in ("conv_general_dilated", "dot_general")]
    assert len(products) == 94 + 2
    assert {e.params["precision"] for e in products} == {(highest, highest)}


def equations(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)


def test_from_images_to_scores(forward):
    """The whole way of two sets of 40 images, by the published codes."""
    expected = cases(FILE)["end_to_end"]
    first = [recipes.images(31, "blocks", 20, 32, 32), recipes.images(32, "noise", 20, 32, 32)]
    second = [recipes.images(33, "blocks", 30, 32, 32), recipes.images(133, "noise", 10, 32, 32)]
    sets = [np.concatenate(first), np.concatenate(second)]
    assert [zlib.crc32(part.tobytes()) for part in sets] == expected["images"]["crc32"]
    prepared = jax.jit(functools.partial(inception.prepared, "tf1"))
    both = forward(np.asarray(prepared(np.concatenate(sets))))
    one, two = ({key: value[part] for key, value in both.items()} for part in (slice(40), slice(40, None)))
    for key in ("64", "192", "768", "2048"):
        rows = one[OURS.get(key, key)], two[OURS.get(key, key)]
        fid = expected["fid_2048_exact" if key == "2048" else f"fid_{key}"]
        assert frechet.frechet_of_rows(*rows) == pytest.approx(fid, rel=1e-4)
        assert kernel.mmd2_unbiased(*rows) == pytest.approx(expected[f"mmd2_unbiased_full_{key}"], abs=1e-5)
    for splits in (1, 4):
        scores = expected[f"is_set1_splits{splits}_noshuffle"]
        mean, deviation = inception_score(one["logits_unbiased"], splits)
        assert mean == pytest.approx(scores["inception_score_mean"], rel=1e-4)
        assert deviation == pytest.approx(scores["inception_score_std"], abs=1e-5)


# ----------------------------------------------------------------------------------------------------------- files


def test_an_opened_network_says_what_it_is(extractor):
    assert (extractor.name, extractor.resize, extractor.features) == ("inception", "tf1", "pool3")
    assert extractor.logits == "logits_unbiased"


def test_the_frozen_graph_has_its_own_names():
    """Pairs from the conversion in toshas/torch-fidelity: one of every branch of every kind of block."""
    published = {
        "conv/conv2d_params": "Conv2d_1a_3x3.conv.weight",
        "conv_4/batchnorm/gamma": "Conv2d_4a_3x3.bn.weight",
        "mixed/conv/batchnorm/beta": "Mixed_5b.branch1x1.bn.bias",
        "mixed/tower/conv_1/conv2d_params": "Mixed_5b.branch5x5_2.conv.weight",
        "mixed_2/tower_1/conv_2/batchnorm/moving_mean": "Mixed_5d.branch3x3dbl_3.bn.running_mean",
        "mixed_1/tower_2/conv/batchnorm/moving_variance": "Mixed_5c.branch_pool.bn.running_var",
        "mixed_3/conv/conv2d_params": "Mixed_6a.branch3x3.conv.weight",
        "mixed_3/tower/conv_2/conv2d_params": "Mixed_6a.branch3x3dbl_3.conv.weight",
        "mixed_4/conv/conv2d_params": "Mixed_6b.branch1x1.conv.weight",
        "mixed_6/tower/conv_1/conv2d_params": "Mixed_6d.branch7x7_2.conv.weight",
        "mixed_7/tower_1/conv_4/conv2d_params": "Mixed_6e.branch7x7dbl_5.conv.weight",
        "mixed_5/tower_2/conv/conv2d_params": "Mixed_6c.branch_pool.conv.weight",
        "mixed_8/tower/conv_1/conv2d_params": "Mixed_7a.branch3x3_2.conv.weight",
        "mixed_8/tower_1/conv_3/conv2d_params": "Mixed_7a.branch7x7x3_4.conv.weight",
        "mixed_9/tower/conv/conv2d_params": "Mixed_7b.branch3x3_1.conv.weight",
        "mixed_9/tower/mixed/conv/conv2d_params": "Mixed_7b.branch3x3_2a.conv.weight",
        "mixed_9/tower/mixed/conv_1/conv2d_params": "Mixed_7b.branch3x3_2b.conv.weight",
        "mixed_10/tower_1/conv_1/conv2d_params": "Mixed_7c.branch3x3dbl_2.conv.weight",
        "mixed_10/tower_1/mixed/conv/conv2d_params": "Mixed_7c.branch3x3dbl_3a.conv.weight",
        "mixed_10/tower_1/mixed/conv_1/conv2d_params": "Mixed_7c.branch3x3dbl_3b.conv.weight",
        "mixed_10/tower_2/conv/conv2d_params": "Mixed_7c.branch_pool.conv.weight",
        "softmax/weights": "fc.weight",
        "softmax/biases": "fc.bias",
    }
    names = dict(zip(graph_places(shapes()), torch_places(shapes()), strict=True))
    assert len(names) == len(set(names.values())) == 472
    assert {name: names[name] for name in published} == published


def test_the_frozen_graph_gives_the_same_network(drawn, extractor, tmp_path):
    """It holds other constants too, which do not matter."""
    constants = {
        name: place.layout.ours(drawn[torch_name])
        for (torch_name, place), name in zip(torch_places(shapes()).items(), graph_places(shapes()), strict=True)
    }
    content = graph_writer.graph({"Sub/y": np.float32(128)} | constants)
    (tmp_path / inception.GRAPH_FILE.names[0]).write_bytes(content)
    found = inception.open_inception(tmp_path, "clean")
    jax.tree.map(np.testing.assert_array_equal, found.variables, extractor.variables)
    assert (found.name, found.resize) == ("inception-clean", "clean")
    assert found.sha256 == hashlib.sha256(content).hexdigest()


def tiny(folder: Path, changes: dict[str, np.ndarray | None]) -> Path:
    """A file with all names and hardly a number; changes are by name, with None for what is left out."""
    tensors = {name: np.zeros((), np.float32) for name in layout()} | changes
    kept = {name: value for name, value in tensors.items() if value is not None}
    path = folder / inception.TORCH_FILE.names[1]
    path.write_bytes(torch_writer.zipped(torch_writer.state_dict(kept)))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fc.bias": None}, "lacks fc.bias: 1 of 472 tensors are not in the file$"),
        ({"AuxLogits.fc.bias": np.zeros(3)}, "holds AuxLogits.fc.bias, which this network does not have"),
        ({}, r"holds \S+ of shape \(\), expected \(\d+,.*\)$"),
    ],
)
def test_other_tensors_are_a_sentence(any_weights, tmp_path, changes, message):
    path = tiny(tmp_path, changes)
    with pytest.raises(UserError, match=message) as raised:
        inception.open_inception(tmp_path)
    assert str(raised.value).startswith(f"{path} ")


def test_another_file_under_the_name_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(inception, "TORCH_FILE", PUBLISHED)
    path = tiny(tmp_path, {})
    with pytest.raises(UserError, match=r"has SHA-256 \w{16}\.\.\., expected 6726825d\.\.\.: it is damaged") as raised:
        inception.open_inception(tmp_path)
    assert str(path) in str(raised.value)


def test_absent_files_are_a_sentence_that_says_where_they_come_from(tmp_path):
    with pytest.raises(ConfigError) as raised:
        inception.open_inception(tmp_path)
    message = str(raised.value)
    assert message.startswith(
        f"{tmp_path / 'pt_inception-2015-12-05-6726825d.pth'} is missing: get it from https://github.com"
    )
    assert "--config.evaluate.weights=FOLDER" in message


@pytest.mark.parametrize("name", ["eval_mini_zip.pth", "eval_mini_legacy.pth"])
def test_both_formats_of_pytorch_are_read(name):
    """Written by PyTorch 2.13, with a view of a shared storage and three dtypes."""
    found, expected = torch_file.read(epath.Path(DATA / name)), arrays("eval_mini_expected")
    assert set(found) >= set(expected)
    for key, value in expected.items():
        assert (found[key].dtype, found[key].shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(found[key], value)
