"""One small GAN of images on every kind of mesh: the same training, and of memory and work what the mesh promises."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe
from gan_jax.engine.schedule import due
from gan_jax.engine.step import abstract_batch, compile_step
from gan_jax.errors import ConfigError
from tests.engine import games

SIDE, WIDTH, BATCH, STEPS = 16, 8, 16, 2
EVERYTHING = ((".*", "largest"),)
MESHES = {
    "one": (("data",), (1,), ()),
    "data": (("data",), (4,), ()),
    "zero": (("data",), (4,), EVERYTHING),
    "groups": (("data", "shard"), (2, 2), EVERYTHING),
    "rows": (("space", "data"), (2, 2), ()),
    "all": (("data", "shard", "space"), (1, 2, 2), EVERYTHING),
}


class Generator(nn.Module):
    @nn.compact
    def __call__(self, z):
        x = nn.Dense(8 * 8 * WIDTH)(z).reshape(-1, 8, 8, WIDTH)
        x = nn.relu(nn.BatchNorm(use_running_average=False)(jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)))
        return jnp.tanh(nn.Conv(1, (3, 3))(x))


class Discriminator(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.avg_pool(nn.leaky_relu(nn.Conv(WIDTH, (3, 3))(x), 0.2), (2, 2), (2, 2))
        return nn.Dense(1)(x.sum((1, 2)))[:, 0]


def discriminator(view, batch, key):
    fake, generator = view.net("G")(view.normal(key, (len(batch["image"]), games.DIM)))
    critic, _ = view.net("D")(jax.lax.stop_gradient(fake))
    slope = jax.grad(lambda x: view.net("D")(x)[0].sum())(batch["image"])
    value = jnp.mean(nn.softplus(critic)) + jnp.mean(nn.softplus(-view.net("D")(batch["image"])[0]))
    return value + jnp.mean(jnp.sum(jnp.square(slope), (1, 2, 3))), Out({"G": generator.stats})


def generator(view, batch, key):
    fake, _ = view.net("G")(view.normal(key, (len(batch["image"]), games.DIM)), advance=False)
    return jnp.mean(nn.softplus(-view.net("D")(fake)[0])), Out()


RECIPE = Recipe(
    networks={
        "G": Network(Generator(), lambda: (jnp.zeros((1, games.DIM)),)),
        "D": Network(Discriminator(), lambda: (jnp.zeros((1, SIDE, SIDE, 1)),)),
    },
    players={name: Player((name[0].upper(),), optax.sgd(0.05, 0.9)) for name in ("generator", "discriminator")},
    phases=(Phase("D", ("discriminator",), discriminator), Phase("G", ("generator",), generator)),
    ema=Ema(("G",), lambda images, images_per_step: 0.5),
    prior=games.prior,
    sample=games.no_sample,
)


def mesh_of(name):
    axes, shape, _ = MESHES[name]
    return sharding.make_mesh(ConfigDict({"axes": axes, "shape": shape}), jax.devices()[: int(np.prod(shape))])


@functools.cache
def trained(name):
    """The compiled step on a mesh, and the host's copy of the state after some steps."""
    mesh = mesh_of(name)
    target = state.abstract(RECIPE, mesh, MESHES[name][2])
    batch = {"image": np.random.RandomState(0).standard_normal((1, 1, BATCH, SIDE, SIDE, 1)).astype(np.float32)}
    step = compile_step(RECIPE, 0, mesh, due(RECIPE, 0), target, abstract_batch(batch, mesh))
    current = state.born(RECIPE, target, 0)
    for _ in range(STEPS):
        current, _ = step(current, sharding.put(batch, mesh))
    return step, jax.device_get(current)


@pytest.mark.parametrize("name", [name for name in MESHES if name != "one"])
def test_training_is_the_same_on_every_mesh(name):
    (_, expected), (_, found) = trained("one"), trained(name)
    assert found.step == STEPS
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), expected, found)


@pytest.mark.parametrize(("name", "state_share", "batch_share"), [("zero", 4, 4), ("groups", 2, 4), ("all", 2, 4)])
def test_a_sharded_state_takes_its_share_of_a_device(name, state_share, batch_share):
    whole = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state.abstract(RECIPE, mesh_of("one"), ())))
    batch = BATCH * SIDE * SIDE * 4
    arguments = trained(name)[0].memory_analysis().argument_size_in_bytes
    assert arguments < 1.1 * (whole / state_share + batch / batch_share)  # small leaves are not split


@pytest.mark.parametrize("name", ["data", "rows"])
def test_images_and_work_are_split_over_devices_and_rows(name):
    one, split = trained("one")[0], trained(name)[0]
    assert split.memory_analysis().temp_size_in_bytes < 0.5 * one.memory_analysis().temp_size_in_bytes
    assert 4 * split.cost_analysis()["flops"] < 1.25 * one.cost_analysis()["flops"]


def test_rows_are_exchanged_between_neighbours_and_images_never_gathered():
    text = trained("rows")[0].as_text()
    assert "collective-permute" in text
    assert not [line for line in text.splitlines() if "all-gather(" in line and f",{SIDE},{SIDE}," in line]


def test_rows_that_do_not_divide_stay_whole():
    mesh = mesh_of("rows")
    assert sharding.stacked((1, 1, 8, 5, 5, 3), mesh).spec == jax.P(None, None, ("data",))
    assert sharding.stacked((1, 1, 8, 8, 8, 3), mesh).spec == jax.P(None, None, ("data",), "space")
    assert sharding.stacked((1, 1, 8, 10), mesh).spec == jax.P(None, None, ("data",))


class Device:
    """Of a process, for meshes of machines that are not here."""

    def __init__(self, process):
        self.process_index = process


class Devices:
    """A mesh of such devices: shape by axis, so many on each process."""

    def __init__(self, per_process, **shape):
        self.shape, self.axis_names = shape, tuple(shape)
        sizes = tuple(shape.values())
        self.devices = np.array([Device(i // per_process) for i in range(int(np.prod(sizes)))]).reshape(sizes)


@pytest.mark.parametrize(
    ("per_process", "shape", "expected"),
    [
        (4, {"data": 8}, [(0, 2), (1, 2)]),
        (4, {"data": 4, "space": 2}, [(0, 2), (1, 2)]),
        (2, {"data": 2, "space": 4}, [(0, 2), (0, 2), (1, 2), (1, 2)]),
        (1, {"data": 1, "shard": 2, "space": 2}, [(0, 2), (0, 2), (1, 2), (1, 2)]),
        (4, {"space": 8, "data": 1}, [(0, 1), (0, 1)]),
    ],
)
def test_processes_that_share_images_read_the_same_part(monkeypatch, per_process, shape, expected):
    for process, part in enumerate(expected):
        monkeypatch.setattr(jax, "process_index", lambda process=process: process)
        assert sharding.share(Devices(per_process, **shape)) == part


def test_images_split_unevenly_between_processes_are_a_sentence():
    with pytest.raises(ConfigError, match=r"shape is \(2, 3\) .* splits images between 3 processes unevenly"):
        sharding.share(Devices(2, data=2, space=3))
