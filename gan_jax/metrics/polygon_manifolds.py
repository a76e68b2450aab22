"""Sets of convex polygons that generated images are compared with, each the image of a box of parameters.

`family` holds the polygons of `gan_jax.data.polygons`, all of them and no others: on a circle, one vertex in each
segment, nearly no rotation. `free` holds all convex polygons in the image with an area of at least 1 square pixel
(Lucic et al. 2018, arXiv 1711.10337, speak of the closest triangle, not of how theirs were made). A moved or enlarged
polygon is at no distance from `free`; without a least area a white image would be at none either.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gan_jax.data.polygons import RASTER, place

LEAST_AREA = 1.0  # square pixels; a triangle's cross product is twice that
PHASES = 24  # starts of `free` that are one polygon, turned

Array = Any


@dataclasses.dataclass(frozen=True)
class Manifold:
    """Convex polygons with P parameters in [0, 1].

    Attributes:
        corners: `(parameters [n, P], numpy) -> [n, K, 2]`, vertices in pixels; `numpy` is numpy or jax.numpy.
        shortage: `(corners, numpy) -> [n, conditions]` in square pixels: how much is missing for a polygon that belongs
            to the set; 0 or less where nothing is.
        starts: `(images float [n, 28, 28], draws [n, s, K + 1]) -> float32 [n, S, P]`: where to search from, given the s
            members of `family` that look nearest.
    """

    corners: Callable[[Array, Any], Array]
    shortage: Callable[[Array, Any], Array]
    starts: Callable[[np.ndarray, np.ndarray], np.ndarray]


@functools.cache
def family(vertices: int) -> Manifold:
    """The data set's own polygons: an angle for each vertex and the rotation."""
    return Manifold(
        corners=place,
        shortage=lambda corners, numpy: numpy.zeros((len(corners), 0)),
        starts=lambda images, draws: draws.astype(np.float32),
    )


@functools.cache
def free(vertices: int) -> Manifold:
    """All convex polygons with vertices in the image and the least area."""

    def corners(parameters, numpy):
        return parameters.reshape(-1, vertices, 2) * RASTER

    def shortage(corners, numpy):
        side = numpy.roll(corners, -1, axis=1) - corners
        turn = _cross(side, numpy.roll(side, -1, axis=1))
        area = _cross(corners, numpy.roll(corners, -1, axis=1)).sum(axis=1, keepdims=True) / 2
        return numpy.concatenate([LEAST_AREA - area, -turn], axis=1)

    def starts(images, draws):
        members = place(draws.reshape(-1, vertices + 1)).reshape(*draws.shape[:2], vertices, 2)
        found = np.concatenate([members, _like(images, vertices)], axis=1)
        return np.clip(found.reshape(*found.shape[:2], -1) / RASTER, 0, 1).astype(np.float32)

    return Manifold(corners, shortage, starts)


MANIFOLDS = {"family": family, "free": free}


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _like(images: np.ndarray, vertices: int) -> np.ndarray:
    """Polygons [n, PHASES, K, 2] with the centre and the covariance of what is dark in images [n, 28, 28].

    A triangle is one of them but for the phase, as all triangles are affine images of each other.
    """
    weights = np.where(images < 0.5, 1.0 - images, 0) + 1e-6  # the latter is all there is in a white image
    weights = weights.reshape(len(images), -1) / weights.sum(axis=(1, 2))[:, None]
    pixel = np.arange(RASTER) + 1 / 16  # centre of the points that a pixel counts
    points = np.stack(np.meshgrid(pixel, pixel, indexing="ij"), axis=-1).reshape(-1, 2)
    centre = weights @ points
    covariance = np.einsum("np,pi,pj->nij", weights, points, points) - centre[:, :, None] * centre[:, None, :]
    angles = 2 * np.pi / vertices * (np.arange(PHASES)[:, None] / PHASES + np.arange(vertices))
    regular = np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # its covariance is (2 + cos(2 pi / K)) / 12
    spread = np.linalg.cholesky(covariance + 1e-3 * np.eye(2)) / np.sqrt((2 + np.cos(2 * np.pi / vertices)) / 12)
    return centre[:, None, None] + np.einsum("nij,fkj->nfki", spread, regular)
