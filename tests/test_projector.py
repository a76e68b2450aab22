"""The search of a projection: its schedule, its noise, and that it finds what is there to be found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import projector
from gan_jax.engine.recipe import Styles
from gan_jax.losses.perceptual import perceptual_distance
from gan_jax.projector import fresh_noise, project, rate, unlike_noise, whitened, with_leaves

LAYERS, DIM, SIDE = 3, 8, 16
RANDOM = np.random.RandomState(0)
PICTURES = jnp.asarray(RANDOM.normal(0, 0.3, (LAYERS, DIM, SIDE, SIDE)), jnp.float32)
W = (1 + RANDOM.normal(0, 0.5, (1000, DIM))).astype(np.float32)


def synthesize(variables, ws):
    """A sum of pictures, a weight of each in every layer, and noise."""
    noise = variables["G"]["buffers"]["layer"]["noise_const"]
    images = jnp.einsum("nld,ldhw->nhw", ws, PICTURES) + variables["G"]["params"]["strength"] * noise
    return images[..., None] / LAYERS


STYLES = Styles(lambda *inputs: None, synthesize)
VARIABLES = {
    "G": {
        "params": {"strength": jnp.float32(0.0)},
        "buffers": {"layer": {"noise_const": jnp.zeros((SIDE, SIDE))}, "w_avg": jnp.zeros(DIM)},
    }
}


def search(target, steps=200, variables=VARIABLES, w=W, told=None, seed=0):
    say = (lambda *news: told.append(news)) if told is not None else (lambda *news: None)
    return project(STYLES, variables, target, w, LAYERS, steps, seed, perceptual_distance, say)


def image_of(w):
    return np.asarray(synthesize(VARIABLES, np.broadcast_to(w, (1, LAYERS, DIM)).astype(np.float32)))


def test_a_known_w_is_found_again():
    w, told = (1 + RANDOM.normal(0, 0.5, DIM)).astype(np.float32), []
    target = np.clip(image_of(w), -1, 1)
    found = search(target, told=told)
    assert (found.shape, found.dtype) == ((1, LAYERS, DIM), np.float32)
    assert (found == found[:, :1]).all()
    before, after = (perceptual_distance(np.clip(image_of(x), -1, 1), target)[0] for x in (W.mean(0), found[0, 0]))
    assert after < before / 20
    assert np.abs(found[0, 0] - w).max() < 0.05
    assert [step for step, _ in told] == list(range(10, 201, 10))
    assert told[-1][1] < told[0][1] / 10


def test_one_step_goes_nowhere_as_the_rate_begins_at_0():
    np.testing.assert_array_equal(search(image_of(W[0]), steps=1)[0, 0], W.mean(0))


def test_the_seed_makes_a_difference_and_nothing_else_does():
    target = np.clip(image_of(W[0]), -1, 1)
    first, again, other = (search(target, steps=30, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_noise_is_searched_for_too_but_the_variables_stay_as_they_were(monkeypatch):
    """What only noise can explain: with a strength the distance falls further than without, if noise need not be white."""
    monkeypatch.setattr(projector, "NOISE_WEIGHT", 1.0)
    loud = {"G": {**VARIABLES["G"], "params": {"strength": jnp.float32(0.2 * LAYERS)}}}
    target = np.clip(image_of(W[0]) + RANDOM.normal(0, 0.2, (1, SIDE, SIDE, 1)), -1, 1).astype(np.float32)
    plain, noisy = [], []
    search(target, told=plain)
    search(target, variables=loud, told=noisy)
    assert noisy[-1][1] < 0.7 * plain[-1][1]
    assert (loud["G"]["buffers"]["layer"]["noise_const"] == 0).all()


def test_large_images_are_compared_at_256_pixels():
    seen = []

    def distance(a, b):
        seen.append((a.shape, b.shape))
        return jnp.square(a - b).mean((1, 2, 3))

    styles = Styles(None, lambda variables, ws: jnp.broadcast_to(ws[:, :1, None, :1], (1, 512, 512, 1)))
    project(styles, {"G": {}}, np.zeros((1, 512, 512, 1), np.float32), W, LAYERS, 1, 0, distance, lambda *news: None)
    assert seen == [((1, 256, 256, 1), (1, 256, 256, 1))]


@pytest.mark.parametrize(
    ("t", "expected"), [(0, 0), (0.025, 0.05), (0.05, 0.1), (0.5, 0.1), (0.75, 0.1), (0.875, 0.05)]
)
def test_the_rate_rises_in_a_line_and_falls_along_a_cosine(t, expected):
    np.testing.assert_allclose(rate(jnp.float32(t)), expected, rtol=1e-5, atol=1e-8)


def test_noise_images_are_the_buffers_named_so():
    tree = {
        "G": {"buffers": {"a": {"noise_const": np.zeros((4, 4)), "w_avg": 1}, "b": {"noise": np.zeros((1, 8, 8, 1))}}}
    }
    tree["G"]["params"] = {"a": {"noise_strength": np.zeros(())}}
    fresh = fresh_noise(tree, jax.random.key(0))
    assert {path: x.shape for path, x in fresh.items()} == {
        "G/buffers/a/noise_const": (4, 4),
        "G/buffers/b/noise": (1, 8, 8, 1),
    }
    changed = with_leaves(tree, fresh)
    assert changed["G"]["buffers"]["b"]["noise"] is fresh["G/buffers/b/noise"]
    assert changed["G"]["buffers"]["a"]["w_avg"] == 1


def test_noise_is_told_from_structure_on_every_scale():
    """Against the sums written out; a checkerboard of 2 x 2 pixels is white to the last pixel but not one scale down."""
    noise = RANDOM.normal(size=(32, 32)).astype(np.float32)
    halves = [noise, noise.reshape(16, 2, 16, 2).mean((1, 3))]
    halves.append(halves[1].reshape(8, 2, 8, 2).mean((1, 3)))
    expected = sum((x * np.roll(x, 1, axis)).mean() ** 2 for x in halves for axis in (0, 1))
    np.testing.assert_allclose(unlike_noise(noise), expected, rtol=1e-5)
    np.testing.assert_allclose(unlike_noise(noise.reshape(1, 32, 32, 1)), expected, rtol=1e-5)
    small = RANDOM.normal(size=(4, 4)).astype(np.float32)
    np.testing.assert_allclose(
        unlike_noise(small), sum((small * np.roll(small, 1, axis)).mean() ** 2 for axis in (0, 1)), rtol=1e-5
    )
    squares = np.kron((-1.0) ** np.add.outer(np.arange(8), np.arange(8)), np.ones((4, 4))).astype(np.float32)
    assert unlike_noise(squares) > 20 * unlike_noise(noise)


def test_whitened_noise_has_mean_0_and_mean_square_1():
    noise = np.asarray(whitened(jnp.asarray(3 + 2 * RANDOM.normal(size=(16, 16)))))
    np.testing.assert_allclose([noise.mean(), np.square(noise).mean()], [0, 1], atol=1e-5)


def test_the_jitter_of_w_is_a_twentieth_of_its_spread_and_fades(monkeypatch):
    """Seen from the distance: an image that is w itself, and its second half."""
    seen = []
    styles = Styles(None, lambda variables, ws: jnp.broadcast_to(ws[:, :1, None, :], (1, 8, 8, DIM)) / 100)

    def distance(a, b):
        jax.debug.callback(lambda x: seen.append(100 * np.asarray(x)[0, 0, 0]), a)
        return jnp.zeros(1)

    project(styles, {"G": {}}, np.zeros((1, 8, 8, DIM), np.float32), W, LAYERS, 100, 0, distance, lambda *news: None)
    jax.effects_barrier()
    away = np.stack(seen) - W.mean(0)  # without a gradient w stays where it was
    spread = np.sqrt(np.square(W - W.mean(0)).sum(1).mean())
    np.testing.assert_allclose(away[:5].std() / (0.05 * spread), 0.95, atol=0.2)
    np.testing.assert_allclose(away[76:], 0, atol=1e-4)
