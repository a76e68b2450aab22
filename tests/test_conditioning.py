"""Conditioning by label vectors: one-hot vectors train and sample as class numbers do, several labels as their sum."""

import dataclasses
import functools
import re
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import check as checks
from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.data.pipeline import one_hot
from gan_jax.engine import sharding, state
from gan_jax.engine.checkpoint import Checkpoints
from gan_jax.engine.recipe import Stage, View, load
from gan_jax.engine.step import abstract_batch, compile_step
from gan_jax.errors import ConfigError
from gan_jax.pictures import picture
from gan_jax.sample import sample
from gan_jax.sampling import Options, Sampler, as_labels

CLASSES = 10
BATCH = 16
ACTIVE = (("discriminator", 1), ("generator", 1))


def make_config(labels, *overrides):
    config = configs.load("configs/biggan_digits.py:quick", [f"data.labels={labels}", *overrides])
    with config.unlocked():  # plain gradient descent: Adam would blow rounding noise up to full steps
        for player in config.players:
            config.players[player] = {"transform": "identity", "options": {}, "learning_rate": 0.01}
    return config


def make_batch(labels):
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (1, 1, BATCH, 16, 16, 1)).astype(np.uint8)
    classes = random.randint(0, CLASSES, BATCH).astype(np.int32)
    label = one_hot(classes, CLASSES) if labels == "vector" else classes
    return {"image": images, "label": label[None, None]}


def weighted(target):
    """A state of random weights, which takes no compiling; running variances must be positive."""
    random = np.random.RandomState(0)

    def leaf(path, like):
        values = random.normal(0, 0.3, like.shape)
        return np.asarray(values if "params" in sharding.path_name(path) else np.abs(values), like.dtype)

    return jax.device_put(jax.tree.map_with_path(leaf, target), state.shardings_of(target))


@functools.cache
def compiled(labels, devices):
    config, mesh = make_config(labels), sharding.data_mesh(devices)
    recipe = load(config)
    target = state.abstract(recipe, mesh, ())
    step = compile_step(recipe, 0, mesh, ACTIVE, target, abstract_batch(make_batch(labels), mesh))
    return mesh, target, step


def trained(labels, devices):
    """The state and metrics after one step of both players."""
    mesh, target, step = compiled(labels, devices)
    return jax.device_get(step(weighted(target), sharding.put(make_batch(labels), mesh)))


def collectives(text: str) -> Counter:
    return Counter(re.findall(r"= .* (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)\(", text))


@pytest.mark.parametrize("devices", [1, 4])
def test_a_step_with_one_hot_vectors_is_the_step_with_class_numbers(devices):
    expected, expected_metrics = trained("index", 1)
    found, metrics = trained("vector", devices)
    for name, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, err_msg=name)
    for part in ("params", "stats", "ema"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
            getattr(found, part),
            getattr(expected, part),
        )


def test_the_labels_of_the_batch_matter():
    """Else the test above would say little."""
    mesh, target, step = compiled("vector", 1)
    batch = make_batch("vector")
    other = {**batch, "label": np.roll(batch["label"], 1, axis=-1)}
    losses = [float(step(weighted(target), sharding.put(b, mesh))[1]["discriminator/loss"]) for b in (batch, other)]
    assert abs(losses[0] - losses[1]) > 1e-3 * abs(losses[0])


def test_vectors_are_not_sent_around():
    assert set(collectives(compiled("vector", 4)[2].as_text())) == {"all-reduce"}


def test_an_unlabelled_image_ends_the_training_of_a_model_with_classes():
    mesh, target, step = compiled("index", 1)
    batch = make_batch("index")
    batch["label"][0, 0, 3] = -1
    _, metrics = step(weighted(target), sharding.put(batch, mesh))
    assert np.isnan(metrics["discriminator/loss"])


REAL = np.repeat(np.array([0, 3, 7], np.int32), (120, 160, 40))


@pytest.mark.parametrize("labels", ["index", "vector"])
def test_generated_labels_have_the_form_and_the_distribution_asked_for(labels):
    vectors = labels == "vector"
    view = View({}, {}, {}, {}, {}, jnp.int32(0), jnp.uint32(0), Stage(), sharding.data_mesh(4))
    real = jnp.asarray(one_hot(REAL, CLASSES) if vectors else REAL)

    @functools.partial(jax.jit, static_argnums=1)
    def draw(key, source):
        return view.generated_labels(key, real, CLASSES, source)

    found = {source: draw(jax.random.key(0), source) for source in ("batch", "uniform", "empirical")}
    for source, values in found.items():
        assert (values.shape, values.dtype) == (real.shape, real.dtype)
        assert source == "batch" or not values.sharding.is_fully_replicated
    if vectors:
        assert all(((v == 0) | (v == 1)).all() and (v.sum(-1) == 1).all() for v in found.values())
    classes = {source: np.argmax(v, -1) if vectors else np.asarray(v) for source, v in found.items()}
    np.testing.assert_array_equal(classes["batch"], REAL)
    assert np.bincount(classes["uniform"], minlength=CLASSES).min() > 15  # 32 are expected, with a deviation of 5.4
    shares = [np.bincount(classes[source], minlength=CLASSES) / len(REAL) for source in ("empirical", "batch")]
    np.testing.assert_allclose(*shares, atol=0.1)
    assert np.mean(classes["empirical"] == REAL) < 0.6  # 0.41 is expected of draws that are independent of the order
    with pytest.raises(ConfigError, match='generated_labels is \'odd\': expected "uniform", "batch" or'):
        draw(jax.random.key(0), "odd")


@pytest.mark.parametrize("labels", ["index", "vector"])
def test_drawing_from_the_batch_gathers_its_labels_once(labels):
    mesh = sharding.data_mesh(4)
    view = View({}, {}, {}, {}, {}, jnp.int32(0), jnp.uint32(0), Stage(), mesh)
    real = sharding.put(make_batch(labels)["label"], mesh)
    text = (
        jax.jit(lambda key, real: view.generated_labels(key, real[0, 0], CLASSES, "empirical"))
        .lower(jax.random.key(0), real)
        .compile()
        .as_text()
    )
    assert collectives(text) == {"all-gather": 1}


def test_class_numbers_in_the_form_of_the_config():
    classes = np.array([[3, 0, 9]], np.int32)
    assert as_labels(classes, make_config("index").data) is classes
    vectors = as_labels(classes, make_config("vector").data)
    assert (vectors.shape, vectors.dtype) == ((1, 3, CLASSES), np.float32)
    np.testing.assert_array_equal(vectors.argmax(-1), classes)
    np.testing.assert_array_equal(vectors.sum(-1), np.ones((1, 3)))


def born(config, mesh):
    return weighted(state.abstract(load(config), mesh, ()))


def drawn(labels, classes):
    config, mesh = make_config(labels), sharding.data_mesh(4)
    sampler = Sampler(load(config), mesh, 4, Options(standing=2))
    variables = sampler.settle(state.variables(born(config, mesh), averaged=True), config.data)
    return sampler.draw(variables, as_labels(classes, config.data))


def test_samples_of_one_hot_vectors_are_those_of_class_numbers():
    classes = np.array([3, 3, 7, 0, 9, 1], np.int32)  # one batch and a half
    expected, found = drawn("index", classes), drawn("vector", classes)
    assert np.abs(found.astype(int) - expected).max() <= 1  # rounding to uint8
    assert len(np.unique(found.reshape(len(found), -1), axis=0)) == len(classes)


def test_the_last_batch_is_filled_with_labels_that_any_network_can_take():
    """A vector of zeros has no direction; a network that divides by its length would seem to have diverged."""
    config = make_config("vector")

    def picture(variables, latents, labels, options):
        lengths = jnp.linalg.norm(labels, axis=-1, keepdims=True)
        return jnp.broadcast_to((labels / lengths)[:, :1, None, None], (len(labels), 16, 16, 1))

    recipe = dataclasses.replace(load(config), sample=picture)
    labels = as_labels(np.array([0, 3, 0, 5, 0], np.int32), config.data)
    images = Sampler(recipe, sharding.data_mesh(4), 4, Options()).draw({}, labels)
    np.testing.assert_array_equal(images[:, 0, 0, 0], [255, 128, 255, 128, 255])


def test_the_command_samples_and_training_shows_classes_of_a_model_of_vectors(tmp_path):
    config = make_config("vector", "evaluate.standing=0", "evaluate.samples=12", "report.rows=3", "report.columns=2")
    workdir, mesh = tmp_path / "run", sharding.make_mesh(config.mesh)
    current = born(config, mesh)
    workdirs.record(workdir, config)
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(current, 1)
    sample(config, workdir, tmp_path / "files", 4, (3, 7), Options())
    names = sorted(path.name for path in (tmp_path / "files").iterdir())
    assert names == [f"{i:06d}_class{label}.png" for i, label in enumerate((3, 3, 7, 7))]

    picture(config, Sampler(load(config), mesh, 8, Options()), current, workdir)
    assert [path.name for path in (workdir / "samples").iterdir()] == ["0000000000.png"]


def test_the_contract_is_checked_with_labels_of_the_config_s_form(monkeypatch):
    config, seen = make_config("vector"), []
    recipe = load(config)
    labelled = dataclasses.replace(
        recipe, sample=lambda v, z, labels, o: seen.append(labels) or recipe.sample(v, z, labels, o)
    )
    monkeypatch.setattr(checks, "load", lambda config: labelled)
    subject = checks.Subject(config)
    label = subject._batch(2, 4)["label"]
    assert (label.shape, label.dtype) == ((2, 1, 4, CLASSES), np.float32)
    assert (label.sum(-1) == 1).all()
    subject.after = weighted(subject.target)
    subject.sample()
    assert [labels.shape for labels in seen] == [(4, CLASSES)]


def test_a_model_without_classes_ignores_vectors():
    config, mesh = make_config("vector", "data.num_classes=0", "phases.conditioning.name=none"), sharding.data_mesh(4)
    variables = state.variables(born(config, mesh), averaged=True)
    labels = as_labels(np.zeros(3, np.int32), config.data)
    images = Sampler(load(config), mesh, 4, Options()).draw(variables, labels)
    assert images.shape == (3, 16, 16, 1)
