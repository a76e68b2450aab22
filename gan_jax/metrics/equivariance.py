"""EQ-T and EQ-R: how nearly a generator's images move as one when its scene is moved (StyleGAN3, arXiv 2106.12423).

The scene is translated or rotated before synthesis, and the image that was there without is moved by a high-quality
resampling filter. The two are compared where the latter is known, as a peak signal-to-noise ratio in dB for images in
[-1, 1]: above 50 nothing is left to see, 10 to 20 is the domain of networks whose details stick to the pixels.

Source: section 2 and appendix E of the paper; NVlabs/stylegan3, metrics/equivariance.py.
"""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

KINDS = ("eq_t", "eq_t_frac", "eq_r")
_LARGEST_SHIFT = 0.125  # of the side
_LOBES = 3  # of the Lanczos windows
_UP = 4  # fine samples in a pixel, between which a rotation interpolates
_SUPPORT = 2 * _LOBES  # of the filter of a rotation, in pixels to either side
_EXTENT = 64  # pixels to either side on which that filter is computed, before most of it is cut off

Synthesize = Callable[[int, np.ndarray], jax.Array]


def equivariance(synthesize: Synthesize, batches: int, kinds: Sequence[str] = KINDS, seed: int = 0) -> dict[str, float]:
    """The PSNR in dB of each kind over all images: higher is better, infinite where nothing differs.

    eq_t moves scenes by whole pixels, up to an eighth of the side; eq_t_frac by parts of a pixel too; eq_r rotates them
    by any angle. Every batch is moved once for each kind; 50,000 images are the published number.

    Args:
        synthesize: `(number of the batch, transform [3, 3]) -> images` float [n, r, r, c] in [-1, 1]: the same scenes
            whenever the number is the same, shown at (x, y) as they are at transform (x, y, 1), with the centre at 0, a
            side of 1 and y down (`Generator.synthesize` of `gan_jax.networks.stylegan3`).
        batches: how many there are.
        kinds: which to measure, of `KINDS`.
        seed: of the motions.
    """
    random = np.random.default_rng(seed)
    totals = {kind: np.zeros(2) for kind in kinds}
    for number in range(batches):
        still = synthesize(number, np.eye(3, dtype=np.float32))
        for kind in kinds:
            if kind == "eq_r":
                angle = random.uniform(-math.pi, math.pi)
                moved = synthesize(number, _rotation(-angle))
                fine, coarse = _rotation_filter(angle, _UP), _rotation_filter(-angle, 1)
                total = _rotation_error(still, moved, angle, fine, coarse)
            else:
                shift = still.shape[1] * random.uniform(-_LARGEST_SHIFT, _LARGEST_SHIFT, 2)
                whole = kind == "eq_t"
                shift = np.round(shift) if whole else shift
                moved = synthesize(number, _translation(-shift / still.shape[1]))
                total = _translation_error(still, moved, shift, whole)
            totals[kind] += np.asarray(total, np.float64)
    return {kind: psnr(error / count) for kind, (error, count) in totals.items()}


def psnr(mean_square: float) -> float:
    """Peak signal-to-noise ratio in dB of images between -1 and 1."""
    return math.inf if mean_square == 0 else 10 * math.log10(4 / mean_square)


def _translation(shift):
    """Moves (x, y) by shift, in sides."""
    matrix = np.eye(3, dtype=np.float32)
    matrix[:2, 2] = shift
    return matrix


def _rotation(angle):
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]], np.float32)


@functools.partial(jax.jit, static_argnums=3)
def _translation_error(still, moved, shift, whole):
    """Sum of squares and number of values compared, of images moved by (x, y) pixels."""
    expected, known_x = _shifted(still, shift[0], 2, whole)
    expected, known_y = _shifted(expected, shift[1], 1, whole)
    return _compare(expected, moved, known_y[:, None] & known_x)


def _shifted(images, shift, axis, whole):
    """Images moved along an axis by a Lanczos filter, and where all that it reads lies in the image: bool [size]."""
    offsets = np.arange(1) if whole else np.arange(1 - _LOBES, _LOBES + 1)
    base = jnp.floor(shift).astype(jnp.int32)
    distances = offsets - (shift - base)
    weights = jnp.sinc(distances) * jnp.sinc(distances / _LOBES)
    weights /= weights.sum()
    result = sum(w * jnp.roll(images, base + k, axis) for w, k in zip(weights, offsets, strict=True))
    source = jnp.arange(images.shape[axis]) - base
    return result, (source - offsets[-1] >= 0) & (source - offsets[0] < images.shape[axis])


@jax.jit
def _rotation_error(still, moved, angle, fine, coarse):
    """Sum of squares and number of values compared: `still` rotated by the angle, `moved` with the same frequencies.

    A rotation loses the frequencies in the corners of the spectrum that the pixel grid cannot hold afterwards, so they
    are taken from what it is compared with too.
    """
    size = still.shape[1]
    position = jnp.arange(size) - (size - 1) / 2
    x = jnp.cos(angle) * position - jnp.sin(angle) * position[:, None] + (size - 1) / 2
    y = jnp.sin(angle) * position + jnp.cos(angle) * position[:, None] + (size - 1) / 2
    expected = _interpolated(_enlarged(_planes(still), fine), y, x)
    margin = _SUPPORT - 0.5
    known = (jnp.minimum(x, y) >= margin) & (jnp.maximum(x, y) <= size - 1 - margin)
    inside = (position >= _SUPPORT - 1 - (size - 1) / 2) & (position <= (size - 1) / 2 - (_SUPPORT - 1))
    actual = _convolved(_planes(moved), coarse[:, :, None, None])[..., 0]
    return _compare(expected[..., None], actual[..., None], known & inside & inside[:, None])


def _compare(expected, actual, known):
    known = known[None, :, :, None]
    count = known.sum() * (expected.size // known.size)
    return jnp.stack([jnp.where(known, jnp.square(expected - actual), 0).sum(), count.astype(jnp.float32)])


def _planes(images):
    """[n, h, w, c] -> [n c, h, w]."""
    return jnp.moveaxis(images.astype(jnp.float32), -1, 1).reshape(-1, *images.shape[1:3])


def _convolved(planes, kernel):
    return jax.lax.conv_general_dilated(
        planes[..., None],
        kernel,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=jax.lax.Precision.HIGHEST,
    )


def _enlarged(planes, taps):
    """Planes [n, h, w] -> [n, 4 h, 4 w] by taps at the fine rate; pixel i becomes sample 4 i."""
    n, h, w = planes.shape
    k = (len(taps) + 1) // _UP  # taps of a phase: fine sample 4 i + r reads pixel i - j by the tap at 4 j + r
    kernel = jnp.pad(taps, (1, 0)).reshape(k, _UP, k, _UP)[::-1, :, ::-1].transpose(0, 2, 1, 3).reshape(k, k, 1, -1)
    phases = _convolved(planes, kernel).reshape(n, h, w, _UP, _UP)
    return phases.transpose(0, 1, 3, 2, 4).reshape(n, h * _UP, w * _UP)


def _interpolated(fine, y, x):
    """Samples [n, 4 h, 4 w] at pixel positions y and x [h, w], bilinearly; 0 outside: [n, h, w]."""
    read = functools.partial(jax.scipy.ndimage.map_coordinates, coordinates=[y * _UP, x * _UP], order=1)
    return jax.vmap(read)(fine)


def _rotation_filter(angle, up):
    """The low pass of a rotation: float32 [2 k - 1, 2 k - 1] with k = 6 `up` samples, each phase summing to 1.

    It passes what both the pixel grid and the rotated one can hold: the convolution of a sinc along either's axes, in a
    window that is the convolution of two Lanczos windows alike. Computed on a wide grid of the same spacing, as both
    sincs decay slowly.

    On whole pixels (`up` 1) the turned sinc's corners fold back and make frequencies near the limit up to 1.9 times as
    strong. That is the published computation, kept so that figures compare; without it the PSNR of random networks
    differs by up to 2 dB either way.
    """
    count = _EXTENT * up
    taps = np.fft.ifftshift(np.arange(-count + 1, count) / up)
    x, y = np.meshgrid(taps, taps)
    matrix = _rotation(angle).astype(np.float64)
    turned_x, turned_y = matrix[0, 0] * x + matrix[0, 1] * y, matrix[1, 0] * x + matrix[1, 1] * y

    def both(function):
        straight, turned = function(x) * function(y), function(turned_x) * function(turned_y)
        return np.fft.ifft2(np.fft.fft2(straight) * np.fft.fft2(turned)).real

    wide = both(np.sinc) * both(lambda d: np.sinc(d / _LOBES) * (np.abs(d) < _LOBES))
    k = _SUPPORT * up
    cut = np.fft.fftshift(wide)[count - k : count + k - 1, count - k : count + k - 1]
    phases = np.pad(cut, ((1, 0), (1, 0))).reshape(2 * _SUPPORT, up, 2 * _SUPPORT, up)
    phases /= phases.sum((0, 2), keepdims=True)
    return phases.reshape(2 * k, 2 * k)[1:, 1:].astype(np.float32)
