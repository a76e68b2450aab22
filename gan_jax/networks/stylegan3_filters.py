"""The signals between StyleGAN3's layers, and the low-pass filters that keep them free of aliasing.

Every layer is seen as an operation on continuous signals, each with a frequency up to which it holds content (its
cutoff) and one above which it must hold none. They grow geometrically from layer to layer; sampling rates, filters and
numbers of channels follow from them. All of it is known when the network is built: numpy in float64, nothing is traced.

Source: arXiv 2106.12423, section 3 and appendix C. Frequencies and rates are in units of one over the side of the
image, so an image of 256 pixels has the rate 256 and its highest frequency is 128.
"""

import dataclasses
import functools
import math

import numpy as np

from gan_jax.errors import ConfigError

NUM_LAYERS = 14  # and one that turns features into colours
_CRITICAL_LAYERS = 2  # the last ones use the whole spectrum, for sharp images
_MARGIN = 10  # pixels kept around the image, so that what lies outside is a signal too and not zeros
_FILTER_SIZE = 6  # taps per sample at the lower of both rates
_NONLINEARITY_RATE = 2  # the leaky ReLU runs at twice the rate, which leaves room for the frequencies it adds
_FIRST_CUTOFF, _FIRST_STOPBAND = 2.0, 2**2.1
_LAST_STOPBAND = 2**0.3  # relative to the last cutoff


@dataclasses.dataclass(frozen=True)
class Signal:
    """What flows between two layers.

    Attributes:
        channels: number of features.
        size: side in samples, margins included.
        rate: samples per side of the image.
        cutoff: the highest frequency with content.
        half_width: of the filter's transition band around the cutoff.
    """

    channels: int
    size: int
    rate: int
    cutoff: float
    half_width: float


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer: from which signal to which, and by which filters.

    Attributes:
        name: that of the published code, such as L0_36_512.
        source, target: the signals before and after it.
        kernel_size: side of the convolution.
        radial: the filter before sampling down is round instead of separable, so that it commutes with rotations.
        to_image: the last layer, which has neither a leaky ReLU nor filters.
    """

    name: str
    source: Signal
    target: Signal
    kernel_size: int
    radial: bool
    to_image: bool

    @property
    def up(self) -> int:
        """How many times the samples of the source are multiplied before the leaky ReLU."""
        return self._rate // self.source.rate

    @property
    def down(self) -> int:
        """How many times fewer samples remain behind it."""
        return self._rate // self.target.rate

    @property
    def up_filter(self) -> np.ndarray:
        """float64 [taps], summing to 1."""
        return low_pass(_FILTER_SIZE * self.up, self.source.cutoff, 2 * self.source.half_width, self._rate)

    @property
    def down_filter(self) -> np.ndarray:
        """float64 [taps], or [taps, taps] if radial, summing to 1."""
        design = radial_low_pass if self.radial else low_pass
        return design(_FILTER_SIZE * self.down, self.target.cutoff, 2 * self.target.half_width, self._rate)

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before and after the dilated samples (negative: samples cut off) that lead to the target's size.

        The convolution before has padded its input by kernel_size - 1 on either side.
        """
        taps = _FILTER_SIZE * (self.up + self.down)
        needed = (self.target.size - 1) * self.down + 1 + taps - 2
        total = needed - (self.source.size + self.kernel_size - 1) * self.up
        before = (total + self.up) // 2  # shifts by one sample are undone by those of the filters of even length
        return before, total - before

    @property
    def _rate(self) -> int:
        return max(self.source.rate, self.target.rate) * _NONLINEARITY_RATE


def layers(
    resolution: int, channel_base: int, channel_max: int, kernel_size: int, radial: bool, image_channels: int = 3
) -> tuple[Layer, ...]:
    """The table of all 15 layers, the one that makes the image included.

    Args:
        resolution: side of the images, a power of two from 16.
        channel_base: features times the frequency they reach to, but
        channel_max: at most so many features.
        kernel_size: side of the convolutions (3 in StyleGAN3-T, 1 in -R).
        radial: round filters wherever the signal is not critically sampled (StyleGAN3-R).
        image_channels: channels of the images.

    Raises:
        ConfigError: on another resolution.
    """
    signals = _signals(resolution, channel_base, channel_max, image_channels)
    table = []
    for i, target in enumerate(signals):
        to_image = i == NUM_LAYERS
        table.append(
            Layer(
                name=f"L{i}_{target.size}_{target.channels}",
                source=signals[max(i - 1, 0)],
                target=target,
                kernel_size=1 if to_image else kernel_size,
                radial=radial and i < NUM_LAYERS - _CRITICAL_LAYERS,
                to_image=to_image,
            )
        )
    return tuple(table)


def _signals(resolution, channel_base, channel_max, image_channels):
    if resolution < 16 or resolution & (resolution - 1):
        raise ConfigError(
            f"config.data.resolution is {resolution}: StyleGAN3 needs a power of two from 16, such as 256 or 1024"
        )
    growth = np.minimum(np.arange(NUM_LAYERS + 1) / (NUM_LAYERS - _CRITICAL_LAYERS), 1)
    last_cutoff = resolution / 2
    cutoffs = _FIRST_CUTOFF * (last_cutoff / _FIRST_CUTOFF) ** growth
    stopbands = _FIRST_STOPBAND * (last_cutoff * _LAST_STOPBAND / _FIRST_STOPBAND) ** growth
    rates = np.exp2(np.ceil(np.log2(np.minimum(2 * stopbands, resolution)))).astype(int)
    half_widths = np.maximum(stopbands, rates / 2) - cutoffs
    sizes = rates + 2 * _MARGIN
    sizes[-2:] = resolution
    channels = np.rint(np.minimum(channel_base / 2 / cutoffs, channel_max)).astype(int)
    channels[-1] = image_channels
    if not channels.all():
        raise ConfigError(
            f"config.model.G.channel_base is {channel_base}: StyleGAN3 needs at least the resolution, {resolution}, to "
            "have a channel left at the highest frequency"
        )
    columns = zip(*(a.tolist() for a in (channels, sizes, rates, cutoffs, half_widths)), strict=True)
    return [Signal(*row) for row in columns]


@functools.cache
def low_pass(taps: int, cutoff: float, width: float, rate: float) -> np.ndarray:
    """A windowed sinc: float64 [taps], summing to 1.

    Args:
        taps: length of the filter.
        cutoff: frequency of half the amplitude.
        width: of the transition band, which sets the Kaiser window.
        rate: of the samples it runs on; frequencies are in the same unit.
    """
    time = (np.arange(taps) - (taps - 1) / 2) / rate
    filtered = np.sinc(2 * cutoff * time) * np.kaiser(taps, _kaiser_beta(taps, width, rate))
    return filtered / filtered.sum()


@functools.cache
def radial_low_pass(taps: int, cutoff: float, width: float, rate: float) -> np.ndarray:
    """A windowed jinc, the round counterpart of `low_pass`: float64 [taps, taps], summing to 1; `taps` is even."""
    time = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(time[:, None], time)
    window = np.kaiser(taps, _kaiser_beta(taps, width, rate))
    filtered = _bessel_j1(2 * np.pi * cutoff * radius) / (np.pi * radius) * np.outer(window, window)
    return filtered / filtered.sum()


def _kaiser_beta(taps, width, rate):
    """Shape of the Kaiser window for a transition band, by Kaiser's formulas (IEEE ISCAS 1974)."""
    attenuation = 2.285 * (taps - 1) * np.pi * width / (rate / 2) + 7.95
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return 0.0


def _bessel_j1(x):
    """The Bessel function J_1 by its integral; the trapezoidal rule is exact here once it has more points than x."""
    angle = np.linspace(0, 2 * math.pi, 256, endpoint=False)
    return np.cos(angle - x[..., None] * np.sin(angle)).mean(-1)
