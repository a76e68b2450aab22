"""Scores by nearest neighbours: improved precision and recall, density and coverage, realism.

Around every feature row of a set lies a ball that reaches to its k-th nearest neighbour in the set; the balls together
are where the set is. Kynkaanniemi et al. 2019 (precision, recall, realism); Naeem et al. 2020 (density, coverage).

Distances are float64, computed by tiles of 2,048 x 2,048 through inner products, and again by differences where rounding
could decide whether a row is in a ball: so that ties, as of repeated images, are exact. Beside the rows given, less than
300 MB are held with 2,048 features, whatever their number; time grows with its square: 30 s of processor time for 10,000
rows of each set, 107 s for 20,000.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics.rows import checked_pair

TILE = 2048
_PAIRS = 2048  # whose differences are taken at a time
_RELEASED_EPSILON = 1e-5  # of the released code's realism


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 3, strict: bool = False) -> tuple[float, float]:
    """Share of generated rows in a ball of the real ones, and of real rows in a ball of the generated ones.

    Args:
        real, fake: rows [n, d] and [m, d].
        k: which neighbour a ball reaches to.
        strict: whether the surface is outside, as in prdc and dgm-eval; only ties tell.

    Raises:
        UserError: a set has no k-th neighbours, or the rows are not usable.
    """
    return Neighbourhood(real, fake, (k,)).precision_recall(k, strict)


def density_coverage(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """How many real balls a generated row is in, over k, and the share of real balls with a generated row in them.

    Density may exceed 1. Surfaces are outside. Arguments and errors as of `precision_recall`.
    """
    return Neighbourhood(real, fake, (k,)).density_coverage(k)


def realism(real: np.ndarray, fake: np.ndarray, k: int = 3, released: bool = False) -> np.ndarray:
    """For each generated row the largest ratio of a real ball's radius to its distance from the centre, float64 [m].

    Above 1 it is in a ball, infinite at a centre.

    Args:
        real, fake: rows [n, d] and [m, d].
        k: which neighbour a ball reaches to.
        released: the number that the authors' code gives, of squared radii and distances plus 1e-5 of all balls; else
            the paper's, of the balls smaller than the median.

    Raises:
        UserError: as `precision_recall`, or no ball is smaller than the median.
    """
    real, fake = _checked(real, fake, k)
    squares = _squared_radii(real, (k,))[k]
    taken = squares > 0 if released else (squares > 0) & (squares < np.median(squares))
    if not taken.any():
        raise UserError(
            f"realism: no ball of the {len(real):,} real features has a radius above 0"
            f"{'' if released else ' and below the median'}: expected features that differ, look for repeated images"
        )
    epsilon = _RELEASED_EPSILON if released else 0
    smallest = np.full(len(fake), np.inf)  # of squared distances over squared radii
    for rows, columns, tile in _tiles(fake, real[taken]):
        tiny = np.nonzero(tile.squares <= tile.error)
        tile.squares[tiny] = _squares(tile.a, tile.b, *tiny)
        ratios = (tile.squares + epsilon) / squares[taken][columns]
        np.minimum(smallest[rows], ratios.min(axis=1), out=smallest[rows])
    with np.errstate(divide="ignore"):
        return 1 / smallest if released else np.sqrt(1 / smallest)


def nearest(queries: np.ndarray, references: np.ndarray, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices of the nearest references of each query, nearest first: float64 and int64 [n, count].

    Equally near ones stand in the order of their indices; if they are more than fit, any of them are left out.

    Args:
        queries, references: rows [n, d] and [m, d].
        count: how many of the references.

    Raises:
        UserError: there are fewer references, or the rows are not usable.
    """
    references, queries = checked_pair(references, queries)
    if not 1 <= count <= len(references):
        raise UserError(
            f"the nearest {count} of {len(references):,} references: expected from 1 to as many as there are"
        )
    found = _Nearest(len(queries), count)
    for rows, columns, tile in _tiles(queries, references):
        found.offer(rows, columns, tile.squares)
    squares, indices = found.settle(queries, references)
    return np.sqrt(squares), indices


class Neighbourhood:
    """Which rows of two sets lie in which balls of the other, for several k from one sweep over the distances.

    Args:
        real, fake: rows [n, d] and [m, d].
        ks: which neighbours balls reach to.

    Raises:
        UserError: a set has no k-th neighbours, or the rows are not usable.
    """

    def __init__(self, real: np.ndarray, fake: np.ndarray, ks: Sequence[int] = (3, 5)):
        real, fake = _checked(real, fake, *ks)
        real_squares, fake_squares = _squared_radii(real, ks), _squared_radii(fake, ks)
        self._seen = {k: _Seen(len(real), len(fake)) for k in ks}
        for rows, columns, tile in _tiles(fake, real):
            for k, seen in self._seen.items():
                inside, touching = tile.within(real_squares[k][columns])
                seen.balls_around_fake[rows] += inside.sum(axis=1)
                seen.fake_touching[rows] |= touching.any(axis=1)
                seen.balls_with_fake[columns] |= inside.any(axis=0)
                inside, touching = tile.within(fake_squares[k][rows, None])
                seen.real_inside[columns] |= inside.any(axis=0)
                seen.real_touching[columns] |= touching.any(axis=0)

    def precision_recall(self, k: int, strict: bool = False) -> tuple[float, float]:
        """As the function of this name."""
        seen = self._seen[k]
        if strict:
            return float((seen.balls_around_fake > 0).mean()), float(seen.real_inside.mean())
        return float(seen.fake_touching.mean()), float(seen.real_touching.mean())

    def density_coverage(self, k: int) -> tuple[float, float]:
        """As the function of this name."""
        seen = self._seen[k]
        return float(seen.balls_around_fake.mean() / k), float(seen.balls_with_fake.mean())


class _Seen:
    """What a sweep has seen for one k. "Inside" leaves the surface out, "touching" does not."""

    def __init__(self, real: int, fake: int):
        self.balls_around_fake = np.zeros(fake, np.int64)
        self.fake_touching = np.zeros(fake, bool)
        self.balls_with_fake, self.real_inside, self.real_touching = np.zeros((3, real), bool)


@dataclasses.dataclass(frozen=True)
class _Tile:
    """Squared distances [r, c] of rows a [r, d] and b [c, d], to within an error."""

    a: np.ndarray
    b: np.ndarray
    squares: np.ndarray
    error: float

    def within(self, squared_radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where distances are below, and where not above, squared radii that broadcast to [r, c]."""
        below, not_above = self.squares < squared_radii - self.error, self.squares <= squared_radii + self.error
        close = np.nonzero(below != not_above)
        if len(close[0]):
            squares, radii = _squares(self.a, self.b, *close), np.broadcast_to(squared_radii, below.shape)[close]
            below[close], not_above[close] = squares < radii, squares <= radii
        return below, not_above


def _tiles(a: np.ndarray, b: np.ndarray, half: bool = False) -> Iterator[tuple[slice, slice, _Tile]]:
    """Tiles of the distances between rows [n, d] and [m, d], and where they lie; `half` leaves out those below the diagonal.

    Rows are taken from the mean, as the error of inner products grows with the rows' length.
    """
    centre = b.mean(axis=0, dtype=np.float64)
    for rows in _runs(len(a)):
        left = a[rows] - centre
        left_squares = np.square(left).sum(axis=1)
        for columns in _runs(len(b)):
            if half and columns.start < rows.start:
                continue
            right = b[columns] - centre
            right_squares = np.square(right).sum(axis=1)
            squares = left @ right.T
            squares *= -2
            squares += left_squares[:, None]
            squares += right_squares
            error = (a.shape[1] + 8) * np.finfo(np.float64).eps * float(left_squares.max() + right_squares.max())
            yield rows, columns, _Tile(a[rows], b[columns], squares, error)


def _squared_radii(rows: np.ndarray, ks: Sequence[int]) -> dict[int, np.ndarray]:
    """The squared distance of each row [n, d] to its k-th nearest other row, float64 [n], by k."""
    found = _Nearest(len(rows), max(ks))
    for here, there, tile in _tiles(rows, rows, half=True):
        if here == there:
            np.fill_diagonal(tile.squares, np.inf)
        else:
            found.offer(there, here, tile.squares.T)
        found.offer(here, there, tile.squares)
    squares, _ = found.settle(rows, rows)
    return {k: squares[:, k - 1] for k in ks}


class _Nearest:
    """The nearest references of each of n rows, among those offered so far."""

    def __init__(self, n: int, count: int):
        self._squares, self._indices = np.full((n, count), np.inf), np.zeros((n, count), np.int64)

    def offer(self, rows: slice, references: slice, squares: np.ndarray) -> None:
        """Squared distances [r, c] of some rows to some references."""
        count = self._squares.shape[1]
        best = np.argpartition(squares, min(count, squares.shape[1]) - 1, axis=1)[:, :count]
        squares = np.hstack([self._squares[rows], np.take_along_axis(squares, best, axis=1)])
        indices = np.hstack([self._indices[rows], best + references.start])
        best = np.argpartition(squares, count - 1, axis=1)[:, :count]
        self._squares[rows] = np.take_along_axis(squares, best, axis=1)
        self._indices[rows] = np.take_along_axis(indices, best, axis=1)

    def settle(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and indices [n, count], nearest first, by differences of the rows a to the references b."""
        n, count = self._indices.shape
        squares = _squares(a, b, np.repeat(np.arange(n), count), self._indices.ravel()).reshape(n, count)
        order = np.lexsort((self._indices, squares), axis=1)
        return np.take_along_axis(squares, order, axis=1), np.take_along_axis(self._indices, order, axis=1)


def _squares(a: np.ndarray, b: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Squared distances of pairs of rows by their differences: equal pairs give equal bits, in either order."""
    squares = np.empty(len(i))
    for start in range(0, len(i), _PAIRS):
        pairs = slice(start, start + _PAIRS)
        squares[pairs] = np.square(np.subtract(a[i[pairs]], b[j[pairs]], dtype=np.float64)).sum(axis=1)
    return squares


def _runs(n: int) -> list[slice]:
    return [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]


def _checked(real: np.ndarray, fake: np.ndarray, *ks: int) -> tuple[np.ndarray, np.ndarray]:
    real, fake = checked_pair(real, fake)
    for rows, name in ((real, "real"), (fake, "generated")):
        for k in ks:
            if not 1 <= k < len(rows):
                raise UserError(
                    f"{k} neighbours of each of {len(rows):,} {name} rows: expected at least 1 and fewer than rows, take "
                    "more images or fewer neighbours"
                )
    return real, fake
