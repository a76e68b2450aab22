"""How far an image is from the nearest convex polygon: the squared Euclidean distance over its 784 pixels.

The distance of Lucic et al. 2018 (arXiv 1711.10337, section 5), who search by gradient descent on the vertices from
several starts. Here all polygons on a grid of angles are compared with the image, the best local minima among them are
refined by damped least squares on a rendering with gradients, and the result is polished with the rendering that made
the data set. What is returned is the distance to an image of the data set's kind, so at worst too large.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.polygons import RASTER, SUBPIXELS, place, render
from gan_jax.errors import UserError
from gan_jax.metrics.polygon_manifolds import MANIFOLDS, Manifold
from gan_jax.metrics.polygon_render import brightness

GRID = 30_000  # polygons on the grid, at most
MINIMA = 8  # of them that are refined
STEPS, KEPT, LAST_STEPS = 4, 4, 16  # least-squares steps of all starts, how many go on, and for how long
MARGIN = 0.05  # square pixels that the least squares stay away from what a manifold forbids
HINGE = 3.0  # weight of a square pixel less
POLISH = np.geomspace(0.008, 0.0005, 8)  # standard deviations of random moves, in parameters
MOVES = 16
CHUNK = 32  # images at a time


def squared_distances(images: np.ndarray, manifold: str = "family", vertices: int = 3) -> np.ndarray:
    """Squared distances float64 [n] of images [n, 28, 28], float in [0, 1] with white 1, to a manifold.

    It takes 18 ms an image for "family" and 31 ms for "free" on two CPU cores that do other work too.

    Args:
        manifold: "family" or "free", see `gan_jax.metrics.polygon_manifolds`.
        vertices: of the polygons.

    Raises:
        UserError: the images have another size, or hold NaN or infinite numbers.
    """
    images, chosen = checked(images), MANIFOLDS[manifold](vertices)
    with jax.default_matmul_precision("highest"):
        chunks = [_distances(images[i : i + CHUNK], chosen, vertices) for i in range(0, len(images), CHUNK)]
    return np.concatenate(chunks)


def pixels(images):
    """Images [n, 28, 28, 1], uint8 or float in [-1, 1], to brightness [n, 28, 28] in [0, 1]; numpy or traced.

    Raises:
        UserError: they have another size.
    """
    _check_shape(images.shape[1:], (RASTER, RASTER, 1))
    images = images[..., 0]
    return images / np.float32(255) if images.dtype == np.uint8 else (images.astype(np.float32) + 1) / 2


def checked(images: np.ndarray) -> np.ndarray:
    """Images as float32 [n, 28, 28].

    Raises:
        UserError: there are none, they have another size, or they hold NaN or infinite numbers.
    """
    images = np.asarray(images, np.float32)
    if not len(images):
        raise UserError("there are no images to compare with polygons: expected at least one")
    _check_shape(images.shape[1:], (RASTER, RASTER))
    if not np.isfinite(images).all():
        raise UserError("the images to compare with polygons hold NaN or infinite values: expected numbers in [0, 1]")
    return images


def _check_shape(found, expected):
    if found != expected:
        raise UserError(
            f"the images to compare with polygons have shape {found}: expected {expected}, as the polygons have; evaluate a "
            "model that was trained on them"
        )


def _distances(images, manifold: Manifold, vertices):
    """As `squared_distances`, of at most CHUNK images; white ones make up the number, so that compiling happens once."""
    padded = np.ones((CHUNK, RASTER, RASTER), np.float32)
    padded[: len(images)] = images
    starts = manifold.starts(padded, _nearest_on_grid(padded, vertices))
    parameters, cost = _refine(manifold, STEPS, padded, starts)
    kept = np.argsort(cost, axis=1)[:, :KEPT, None]
    refined, _ = _refine(manifold, LAST_STEPS, padded, np.take_along_axis(np.asarray(parameters), kept, axis=1))
    # The starts are members; what is refined may by a hair be none.
    candidates = np.concatenate([refined, starts], axis=1, dtype=np.float64)
    return _polish(manifold, images, candidates[: len(images)])


def _nearest_on_grid(images, vertices):
    """Draws [n, MINIMA, K + 1] of the members of `family` on the grid that are nearest to images [n, 28, 28]."""
    side, draws, members = _grid(vertices)
    return draws[np.asarray(_minima(images, members, side, vertices))]


@functools.lru_cache(maxsize=2)
def _grid(vertices):
    """Number of angles for each vertex, draws [g, K + 1] with the rotation in its middle, images float32 [784, g]."""
    side = int(GRID ** (1 / vertices))
    angles = (np.indices([side] * vertices).reshape(vertices, -1).T + 0.5) / side
    draws = np.concatenate([angles, np.full((len(angles), 1), 0.5)], axis=1)
    images = render(place(draws)).reshape(len(draws), -1).T / np.float32(SUBPIXELS**2)
    return side, draws, jnp.asarray(images)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _minima(images, members, side, vertices):
    """Indices [n, MINIMA] of the best members that are no worse than their neighbours on the grid."""
    scores = jnp.square(members).sum(axis=0) - 2 * images.reshape(len(images), -1) @ members
    scores = scores.reshape(-1, *[side] * vertices)
    minimum = jnp.full(scores.shape, True)
    for axis in range(1, vertices + 1):
        step = jnp.diff(scores, axis=axis)
        before, after = ([(0, 0)] * axis + [pad] + [(0, 0)] * (vertices - axis) for pad in ((1, 0), (0, 1)))
        minimum &= jnp.pad(step <= 0, before, constant_values=True) & jnp.pad(step >= 0, after, constant_values=True)
    return jax.lax.top_k(jnp.where(minimum, -scores, -jnp.inf).reshape(len(images), -1), MINIMA)[1]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _refine(manifold, steps, images, starts):
    """Levenberg-Marquardt from starts [n, S, P] in the box: parameters [n, S, P] and costs [n, S].

    A polygon pays for what it lacks, so that the search can slide along a limit.
    """
    target = jnp.repeat(images, starts.shape[1], axis=0)

    def residuals(parameters):
        corners = manifold.corners(parameters, jnp)
        missing = jnp.maximum(manifold.shortage(corners, jnp) + MARGIN, 0)
        error = brightness(corners) - target
        return jnp.concatenate([error.reshape(len(error), -1), HINGE * missing], axis=1)

    def linearised(parameters):
        """The cost [n], half its gradient [n, P] and half its curvature [n, P, P]."""
        directions = jnp.broadcast_to(unit[:, None], (len(unit), *parameters.shape))
        along = lambda direction: jax.jvp(residuals, (parameters,), (direction,))  # noqa: E731
        value, slopes = jax.vmap(along, out_axes=(None, 1))(directions)
        gradient = jnp.einsum("npr,nr->np", slopes, value)
        return jnp.square(value).sum(axis=1), gradient, jnp.einsum("npr,nqr->npq", slopes, slopes)

    def step(_, state):
        current, damping = state
        parameters, cost, gradient, curvature = current
        moving = ~((parameters <= 0) & (gradient > 0) | (parameters >= 1) & (gradient < 0))
        curvature = curvature * moving[:, :, None] * moving[:, None, :]
        damped = curvature * (1 + damping[:, None, None] * unit) + 1e-3 * unit
        move = jnp.linalg.solve(damped, (gradient * moving)[..., None])[..., 0]
        proposal = jnp.clip(parameters - move, 0, 1)
        proposed = (proposal, *linearised(proposal))
        better = proposed[1] < cost
        choose = lambda new, old: jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)  # noqa: E731
        return jax.tree.map(choose, proposed, current), damping * jnp.where(better, 0.3, 4.0)

    unit = jnp.eye(starts.shape[-1])
    parameters = starts.reshape(-1, len(unit))
    state = (parameters, *linearised(parameters)), jnp.full(len(parameters), 0.01)
    (parameters, cost, *_), _ = jax.lax.fori_loop(0, steps, step, state)
    return parameters.reshape(starts.shape), cost.reshape(starts.shape[:2])


def _polish(manifold, images, candidates):
    """Least distances [n] of images to candidates [n, S, P] and to what random moves from the best of them find."""
    random = np.random.RandomState(0)  # the same moves for every image
    best, distances = _best(manifold, images, candidates)
    for scale in POLISH:
        moves = scale * random.standard_normal((MOVES + 1, best.shape[-1]))
        moves[0] = 0
        best, distances = _best(manifold, images, np.clip(best[:, None] + moves, 0, 1))
    return distances


def _best(manifold, images, candidates):
    """The nearest allowed candidate [n, P] of [n, S, P], and its distance [n] in the data set's rendering."""
    corners = manifold.corners(candidates.reshape(-1, candidates.shape[-1]), np)
    drawn = render(corners).reshape(*candidates.shape[:2], -1) / np.float32(SUBPIXELS**2)
    distances = np.square(drawn - images.reshape(len(images), 1, -1)).sum(axis=-1, dtype=np.float64)
    forbidden = (manifold.shortage(corners, np) > 0).any(axis=1).reshape(distances.shape)
    distances = np.where(forbidden, np.inf, distances)
    best = np.argmin(distances, axis=1, keepdims=True)
    nearest = np.take_along_axis(candidates, best[..., None], axis=1)
    return nearest[:, 0], np.take_along_axis(distances, best, axis=1)[:, 0]
