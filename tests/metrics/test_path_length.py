"""The perceptual path length of generators for which it is known, and its parts against published codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.metrics.path_length import lerp, perceptual_path_length, slerp, slerp_any, without_outliers
from tests.reference import cases

EPSILON = 2**-6  # large enough for float32 to show five digits
SIDE, LATENT = 4, 6
MATRIX = np.random.RandomState(1).standard_normal((LATENT, SIDE * SIDE * 3)).astype(np.float32)


@jax.jit
def linear(z, labels):
    """Images that are a linear function of z, moved by something of the labels' that both points of a pair share."""
    return (z @ MATRIX + labels[:, None]).reshape(-1, SIDE, SIDE, 3)


@jax.jit
def squares(a, b):
    return jnp.square(a - b).sum((1, 2, 3))


def endpoints(first, count):
    """z and labels by the index of the pair."""
    drawn = np.stack([np.random.RandomState(i).standard_normal((2, LATENT)) for i in range(first, first + count)])
    return drawn[:, 0].astype(np.float32), drawn[:, 1].astype(np.float32), np.arange(first, first + count) % 3 / 8


def test_a_linear_generator_moves_by_the_difference_of_its_endpoints():
    """|A (a + (t + e) (b - a)) - A (a + t (b - a))|^2 / e^2 = |A (b - a)|^2, wherever on the path."""
    a, b, _ = endpoints(0, 150)
    expected = without_outliers(np.square((b - a).astype(np.float64) @ MATRIX).sum(1)).mean()
    for full in (False, True):
        found = perceptual_path_length(
            linear, endpoints, squares, lerp, pairs=150, batch=32, full=full, epsilon=EPSILON
        )
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_along_a_circle_an_isometry_moves_by_the_chord():
    """Of an angle of e times the whole one: 4 sin^2(angle e / 2) / e^2."""
    matrix = np.linalg.qr(MATRIX.T.astype(np.float64))[0].T.astype(np.float32)
    isometry = jax.jit(lambda z, _: (z @ matrix).reshape(-1, SIDE, SIDE, 3))
    a, b, _ = (x.astype(np.float64) for x in endpoints(0, 50))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    expected = without_outliers(4 * np.sin(np.arccos(cosine) * EPSILON / 2) ** 2 / EPSILON**2).mean()
    found = perceptual_path_length(isometry, endpoints, squares, slerp, pairs=50, batch=50, epsilon=EPSILON)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_t_is_zero_or_anywhere():
    """G(z) = z^2 from 0 to 1 moves by (2 t + e)^2: e^2 at the end, 4/3 on the average along the path."""
    square = jax.jit(lambda z, _: jnp.square(z)[:, :, None, None])

    def unit(first, count):
        return np.zeros((count, 1), np.float32), np.ones((count, 1), np.float32), None

    def length(full, seed=0):
        return perceptual_path_length(square, unit, squares, lerp, 4000, 1000, full, epsilon=EPSILON, seed=seed)

    np.testing.assert_allclose(length(False), EPSILON**2, rtol=1e-5)
    np.testing.assert_allclose(length(True), 4 / 3, rtol=0.05)
    assert length(True) == length(True) != length(True, seed=1)


def test_the_size_of_the_batches_does_not_matter():
    def length(batch):
        return perceptual_path_length(linear, endpoints, squares, lerp, 50, batch, True, epsilon=EPSILON)

    np.testing.assert_allclose(length(7), length(50), rtol=1e-6)


def test_every_pair_is_two_calls_with_the_same_labels():
    calls = []

    def recorded(z, labels):
        calls.append((np.asarray(z), np.asarray(labels)))
        return linear(z, labels)

    perceptual_path_length(recorded, endpoints, squares, lerp, pairs=20, batch=10, epsilon=EPSILON)
    assert [len(z) for z, _ in calls] == [10] * 4
    for (here, labels), (there, again) in zip(calls[::2], calls[1::2], strict=True):
        np.testing.assert_array_equal(labels, again)
        assert (here != there).any(axis=1).all()


def test_images_are_not_rounded():
    """A step far below one of 255 levels counts in full."""
    faint = jax.jit(lambda z, labels: 1e-3 * linear(z, 0 * labels))
    arguments = (endpoints, squares, lerp, 20, 20)
    loud = perceptual_path_length(linear, *arguments, epsilon=EPSILON)
    np.testing.assert_allclose(perceptual_path_length(faint, *arguments, epsilon=EPSILON), 1e-6 * loud, rtol=1e-4)


@pytest.mark.parametrize(("side", "seen"), [(128, 128), (256, 256), (512, 256), (1024, 256)])
def test_what_is_compared(side, seen):
    """Means of cells to 256 pixels."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    picture = np.stack([y, x], -1)[None]
    shown = []

    def distance(a, b):
        shown.append(np.asarray(a))
        return jnp.zeros(len(a))

    def ends(first, count):
        return np.zeros((count, 1), np.float32), np.ones((count, 1), np.float32), None

    perceptual_path_length(
        lambda z, _: jnp.broadcast_to(picture, (len(z), *picture.shape[1:])), ends, distance, lerp, 1, 1
    )
    assert shown[0].shape == (1, seen, seen, 2)
    np.testing.assert_allclose(shown[0][0, 0, 0], [0, 0], atol=1 / seen)
    np.testing.assert_allclose(shown[0][0, -1, -1], [1, 1], atol=1 / seen)


def test_images_that_are_not_finite_are_one_sentence():
    broken = jax.jit(lambda z, labels: jnp.where(labels[:, None, None, None] == 0, jnp.nan, linear(z, labels)))
    with pytest.raises(UserError, match="4 of 10 steps of the path length are NaN or infinite"):
        perceptual_path_length(broken, endpoints, squares, lerp, pairs=10, batch=4)


def test_outliers_are_cut_off_as_published():
    expected = cases("eval_metrics")["cases"]["ppl_percentiles"]
    lengths = np.exp(2 * np.random.RandomState(702).standard_normal(1000))
    kept = without_outliers(lengths)
    assert len(kept) == expected["kept"]
    np.testing.assert_allclose([kept.min(), kept.max()], [expected["lo"], expected["hi"]], rtol=1e-12)
    np.testing.assert_allclose(kept.mean(), expected["mean"], rtol=1e-12)


@pytest.fixture
def drawn():
    random = np.random.RandomState(701)
    with jax.enable_x64(True):
        yield random.standard_normal((5, 16)), random.standard_normal((5, 16)), random.random_sample((5, 1))[:, 0]


def test_slerp_is_the_published_one(drawn):
    expected = cases("eval_metrics")["cases"]["ppl_slerp"]
    a, b, t = drawn
    found = np.asarray(slerp(a, b, t))
    np.testing.assert_allclose(found[0], expected["out_first_row"], atol=1e-12)
    np.testing.assert_allclose(found.sum(), expected["out_sum"], atol=1e-12)
    moved = np.linalg.norm(np.asarray(slerp(a, b, t + 1e-4)) - found, axis=1)
    np.testing.assert_allclose(moved, expected["moved_l2"], rtol=1e-8)


def test_slerp_of_vectors_of_any_length_is_the_published_one(drawn):
    expected = cases("eval_metrics")["cases"]["ppl_slerp"]["torch_fidelity_slerp_any_first_row"]
    np.testing.assert_allclose(slerp_any(*drawn)[0], expected, atol=1e-12)


def test_slerp_of_vectors_of_any_length_keeps_their_ends_and_takes_lines(drawn):
    a, b, t = drawn
    np.testing.assert_allclose(slerp_any(a, b, jnp.zeros(5)), a, atol=1e-12)
    np.testing.assert_allclose(slerp_any(a, b, jnp.ones(5)), b, atol=1e-12)
    np.testing.assert_allclose(slerp_any(a, 3 * a, t), lerp(a, 3 * a, t), atol=1e-12)
    np.testing.assert_allclose(slerp_any(a, -a, t), lerp(a, -a, t), atol=1e-12)


def test_lerp_is_beside_every_axis():
    w = np.arange(12.0).reshape(2, 3, 2)
    np.testing.assert_allclose(lerp(w, w + 4, np.array([0.0, 0.5])), w + np.array([0, 2])[:, None, None])
