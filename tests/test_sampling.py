"""Sampling: the same image for the same seed and index, truncation, standing statistics, grids and folders."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError, UserError
from gan_jax.game.latents import latents
from gan_jax.sample import sample
from gan_jax.sampling import Options, Sampler, labels_by_row

CONFIG = configs.load("configs/biggan_digits.py:quick", ["evaluate.standing=0", "evaluate.batch=8"])
LABELS = np.arange(11, dtype=np.int32) % 10


@pytest.fixture(scope="module")
def recipe():
    return load(CONFIG)


@pytest.fixture(scope="module")
def born(recipe):
    return state.born(recipe, state.abstract(recipe, sharding.data_mesh(4), ()), 0)


@pytest.fixture(scope="module")
def variables(born):
    """On the host, so that every mesh may take them."""
    return jax.device_get(state.variables(born, averaged=True))


@pytest.fixture(scope="module")
def images(recipe, variables):
    return Sampler(recipe, sharding.data_mesh(4), 8, Options()).draw(variables, LABELS)


@pytest.fixture(scope="module")
def workdir(born, tmp_path_factory):
    """A run of which only the first weights are there."""
    folder = tmp_path_factory.mktemp("sampling") / "run"
    workdirs.record(folder, CONFIG)
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(born, 1)
    return folder


def assert_close(a, b):
    """Equal but for the rounding to uint8."""
    assert a.shape == b.shape
    assert np.abs(a.astype(int) - b.astype(int)).max() <= 1


def test_images_are_of_the_data_s_shape_and_differ(images):
    assert (images.shape, images.dtype) == ((11, 16, 16, 1), np.uint8)
    assert len(np.unique(images.reshape(11, -1), axis=0)) == 11


@pytest.mark.parametrize(("devices", "batch"), [(1, 11), (4, 3), (1, 3)])
def test_the_same_image_whatever_the_batch_and_the_devices(recipe, variables, images, devices, batch):
    found = Sampler(recipe, sharding.data_mesh(devices), batch, Options()).draw(variables, LABELS)
    assert_close(found, images)


def test_an_image_is_found_again_by_its_index(recipe, variables, images):
    sampler = Sampler(recipe, sharding.data_mesh(4), 8, Options())
    assert_close(sampler.draw(variables, LABELS[7:9], first=7), images[7:9])
    parts = list(sampler.stream(variables, LABELS))
    assert [len(part) for part in parts] == [8, 3]
    np.testing.assert_array_equal(np.concatenate(parts), images)


def test_seed_and_label_make_a_difference(recipe, variables, images):
    mesh = sharding.data_mesh(4)
    other = Sampler(recipe, mesh, 8, Options(seed=2**32 - 1)).draw(variables, LABELS)
    assert not any(np.array_equal(a, b) for a, b in zip(other, images, strict=True))
    relabelled = Sampler(recipe, mesh, 8, Options()).draw(variables, (LABELS + 1) % 10)
    assert not any(np.array_equal(a, b) for a, b in zip(relabelled, images, strict=True))


@pytest.mark.parametrize("devices", [1, 4])
def test_an_image_of_a_list_of_seeds_is_the_first_of_its_seed(recipe, variables, devices):
    """Whatever stands beside it in the list."""
    mesh, seeds = sharding.data_mesh(devices), (85, 2**32 - 1, 0)
    found = Sampler(recipe, mesh, 2, Options(seed=5)).draw(variables, LABELS[:3], seeds=seeds)
    for seed, label, image in zip(seeds, LABELS, found, strict=False):
        alone = Sampler(recipe, mesh, 1, Options(seed=seed)).draw(variables, LABELS[label : label + 1])
        assert_close(image[None], alone)
    with pytest.raises(ConfigError, match="the seed is 4294967296"):
        Sampler(recipe, mesh, 2, Options()).draw(variables, LABELS[:1], seeds=(2**32,))


def test_several_truncations_share_what_is_compiled_and_are_those_of_samplers_of_their_own(recipe, variables):
    mesh, labels = sharding.data_mesh(4), LABELS[:4]
    sampler = Sampler(recipe, mesh, 4, Options(truncation=0.5))
    drawn = {psi: sampler.at(psi).draw(variables, labels) for psi in (0.5, 0.1, None)}
    assert sampler._images._cache_size() == 2  # with and without truncation
    for psi in (0.1, None):
        assert_close(drawn[psi], Sampler(recipe, mesh, 4, Options(truncation=psi)).draw(variables, labels))
        assert np.abs(drawn[psi].astype(int) - drawn[0.5]).max() > 1
    with pytest.raises(ConfigError, match="truncation is 0.0"):
        sampler.at(0.0)


def test_images_of_given_latents_are_those_of_the_seeds_that_have_them(recipe, variables):
    sampler = Sampler(recipe, sharding.data_mesh(4), 4, Options(truncation=0.5))
    latents = sampler.latents(6, first=2)
    assert np.abs(latents).max() <= 0.5
    found = np.concatenate(list(sampler.of_latents(variables, latents, LABELS[:6])))
    assert_close(found, sampler.draw(variables, LABELS[:6], first=2))


def test_a_gan_without_styles_has_none(recipe, variables):
    sampler = Sampler(recipe, sharding.data_mesh(4), 4, Options())
    for asked in (sampler.ws(variables, LABELS), sampler.of_ws(variables, np.zeros((1, 2, 3), np.float32))):
        with pytest.raises(ConfigError, match="this recipe's generator has no styles"):
            next(asked)


def test_truncation_forms():
    def draw(truncation, form):
        keys, options = jax.random.split(jax.random.key(0), 200), {"truncation": truncation, "form": form}
        return np.asarray(jax.vmap(lambda key: latents("normal", 100).prior(key, options))(keys))

    free = draw(None, None)
    assert np.abs(free).max() > 3.5
    resampled = draw(0.5, "resampled")
    assert np.abs(resampled).max() <= 0.5
    np.testing.assert_allclose(resampled.std(), 0.2838, atol=0.003)  # of a normal cut at one half
    threshold = draw(0.5, "threshold")
    assert 0.95 < np.abs(threshold).max() <= 1.0  # beyond 2 drawn again, then halved
    np.testing.assert_allclose(threshold.std(), 0.5 * 0.8796, atol=0.005)
    np.testing.assert_allclose(draw(1e3, "resampled").std(), 1, atol=0.02)
    with pytest.raises(ConfigError, match="truncation form is 'nearest'"):
        draw(0.5, "nearest")


def test_truncation_reaches_the_images(recipe, variables):
    """With latents that are all but zero only the class is left."""
    same = Sampler(recipe, sharding.data_mesh(4), 8, Options(truncation=1e-6)).draw(variables, np.zeros(4, np.int32))
    assert_close(same, same[[1, 2, 3, 0]])


def statistics(variables) -> dict:
    return {sharding.path_name(p): np.asarray(x) for p, x in jax.tree.leaves_with_path(variables["G"]["batch_stats"])}


def test_standing_statistics_are_those_of_batches_at_hand(recipe, variables):
    def settled(devices, **options):
        sampler = Sampler(recipe, sharding.data_mesh(devices), 8, Options(**options))
        return jax.device_get(sampler.settle(variables, CONFIG.data))

    assert settled(4) is not None
    assert jax.tree.all(jax.tree.map(np.array_equal, settled(4), variables))  # none asked for
    one, four = settled(1, standing=6), settled(4, standing=6)
    changed = [not np.array_equal(new, statistics(variables)[name]) for name, new in statistics(four).items()]
    assert all(changed)
    for name, value in statistics(one).items():
        np.testing.assert_allclose(value, statistics(four)[name], rtol=1e-4, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, four["G"]["params"], variables["G"]["params"])
    assert any(
        not np.array_equal(v, statistics(four)[n]) for n, v in statistics(settled(4, standing=6, seed=1)).items()
    )


def test_truncation_that_a_recipe_would_ignore_is_a_sentence(recipe):
    deaf = dataclasses.replace(recipe, truncates=False)
    Sampler(deaf, sharding.data_mesh(4), 8, Options(form="threshold"))
    with pytest.raises(ConfigError, match="truncation is 0.5, but this recipe does not truncate: leave it out"):
        Sampler(deaf, sharding.data_mesh(4), 8, Options(truncation=0.5))


def test_weights_that_diverged_are_a_sentence(recipe, variables):
    broken = jax.tree.map(lambda x: np.full_like(x, np.nan), variables)
    with pytest.raises(UserError, match="NaN or infinite values"):
        Sampler(recipe, sharding.data_mesh(4), 8, Options()).draw(broken, LABELS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truncation": 0.0}, "truncation is 0.0: expected a number above 0"),
        ({"truncation": -1.0}, "above 0"),
        ({"truncation": float("nan")}, "above 0"),
        ({"form": "nearest"}, "expected one of"),
        ({"standing": -1}, "standing statistics is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ConfigError, match=message):
        Options(**options)


def test_labels_by_row():
    assert labels_by_row((3, 7), 3).tolist() == [3, 3, 3, 7, 7, 7]


def sampled(workdir, out, count=None, classes=(), config=CONFIG, seeds=(), truncations=(), **options) -> str:
    return sample(config, workdir, out, count, classes, Options(**options), seeds, truncations)


def test_a_grid_has_a_row_of_ten_for_each_class(workdir, tmp_path):
    assert sampled(workdir, tmp_path / "deep" / "grid.png") == f"100 images in {tmp_path}/deep/grid.png"
    with Image.open(tmp_path / "deep" / "grid.png") as grid:
        assert grid.mode == "L"
        assert grid.height >= 10 * 16
        assert grid.width > grid.height  # the labels of the rows stand at the left
    sampled(workdir, tmp_path / "two.PNG", count=6, classes=(3, 7))
    with Image.open(tmp_path / "two.PNG") as grid:
        assert grid.width > grid.height


def test_a_folder_has_a_file_per_image_named_by_class(workdir, tmp_path, images):
    assert sampled(workdir, tmp_path / "files", count=5, classes=(3, 7)).startswith("5 images in")
    names = sorted(path.name for path in (tmp_path / "files").iterdir())
    assert names == [f"{i:06d}_class{label}.png" for i, label in enumerate((3, 3, 3, 7, 7))]
    sampled(workdir, tmp_path / "more", count=20)
    with Image.open(tmp_path / "more" / "000003_class1.png") as image:
        assert (image.size, image.mode) == ((16, 16), "L")
    sampled(workdir, tmp_path / "again", count=20, config=configs.read(workdir, ["evaluate.batch=20"]))
    for path in (tmp_path / "more").iterdir():
        assert_close(np.asarray(Image.open(path)), np.asarray(Image.open(tmp_path / "again" / path.name)))


def test_how_many_are_asked_for_does_not_change_an_image(workdir, tmp_path):
    """Nor the standing statistics, which have batches of their own."""
    for name, count in (("few", 2), ("many", 11)):
        sampled(workdir, tmp_path / name, count=count, classes=(3,), standing=3)
    for path in (tmp_path / "few").iterdir():
        assert_close(np.asarray(Image.open(path)), np.asarray(Image.open(tmp_path / "many" / path.name)))


def test_a_list_of_seeds_gives_an_image_of_each_of_every_class(workdir, tmp_path, recipe, variables):
    assert sampled(workdir, tmp_path / "files", classes=(3, 7), seeds=(85, 2)).startswith("4 images in")
    names = ["seed0085_class3.png", "seed0002_class3.png", "seed0085_class7.png", "seed0002_class7.png"]
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == sorted(names)
    found = np.stack([np.asarray(Image.open(tmp_path / "files" / name)) for name in names])[..., None]
    expected = Sampler(recipe, sharding.data_mesh(4), 8, Options()).draw(
        variables, np.int32([3, 3, 7, 7]), seeds=(85, 2, 85, 2)
    )
    assert_close(found, expected)
    sampled(workdir, tmp_path / "x.png", classes=(3, 7), seeds=(85, 2, 4))  # two rows of three
    with Image.open(tmp_path / "x.png") as grid:
        assert 1.4 < grid.width / grid.height < 1.8


def test_several_truncations_give_a_row_each_of_the_same_images(workdir, tmp_path):
    told = sampled(workdir, tmp_path / "files", count=3, classes=(3,), truncations=(0.5, 1.0))
    assert told.startswith("6 images in")
    for psi in ("0.5", "1"):
        sampled(workdir, tmp_path / psi, count=3, classes=(3,), truncation=float(psi))
        for path in (tmp_path / psi).iterdir():
            other = tmp_path / "files" / path.name.replace(".png", f"_psi{psi}.png")
            assert_close(np.asarray(Image.open(path)), np.asarray(Image.open(other)))
    assert len(list((tmp_path / "files").iterdir())) == 6
    assert sampled(workdir, tmp_path / "x.png", truncations=(0.3, 0.5, 1)) == f"30 images in {tmp_path}/x.png"
    with Image.open(tmp_path / "x.png") as grid:  # three rows of ten, a class each
        assert 3 < grid.width / grid.height < 4


@pytest.mark.parametrize(
    ("out", "arguments", "message"),
    [
        ("x.png", {"count": 0}, "--count is 0"),
        ("x.png", {"count": 2, "seeds": (1, 2)}, "--count beside --seeds: give one"),
        ("x.png", {"seeds": (1, 2**32)}, "the seed is 4294967296"),
        ("x.png", {"truncations": (0.5, -1)}, "truncation is -1"),
        ("x.png", {"classes": (3, 10)}, "--classes names 10, but the model has classes 0 to 9"),
        ("x.png", {"classes": (-1,)}, "--classes names -1"),
        ("x.jpg", {}, "expected FILE.png for one grid, or a folder"),
    ],
)
def test_what_cannot_be_sampled_is_a_sentence(workdir, tmp_path, out, arguments, message):
    with pytest.raises(ConfigError, match=message):
        sampled(workdir, tmp_path / out, **arguments)
    assert not list(tmp_path.iterdir())


def test_a_model_without_classes_has_none_to_choose(workdir, tmp_path):
    with pytest.raises(ConfigError, match="the model has no classes"):
        sampled(workdir, tmp_path / "x.png", classes=(0,), config=configs.read(workdir, ["data.num_classes=0"]))


def test_a_place_that_cannot_be_written_is_a_sentence(workdir, tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "x.png"):
        with pytest.raises(UserError, match="cannot be written"):
            sampled(workdir, out, count=1)
