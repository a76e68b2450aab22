"""The wavelets of adaptive augmentation: a low-pass filter to resample by, and a bank that splits an image into octaves.

Source: arXiv 2006.06676, appendix B; taps are those of Daubechies' least asymmetric ("symlet") wavelets.
"""

import numpy as np

_SYM2 = np.array([1 - 3**0.5, 3 - 3**0.5, 3 + 3**0.5, 1 + 3**0.5]) / (4 * 2**0.5)
_SYM6 = np.array(
    [
        *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
        *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
        *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
    ]
)
LOW_PASS = _SYM6 / _SYM6.sum()  # 12 taps, nearly but not quite symmetric


def filter_bank(bands: int = 4) -> np.ndarray:
    """Symmetric filters float64 [bands, taps] of the octaves from the lowest; four have 43 taps.

    They sum up to the unit impulse, so filtering by all and adding gives the image back; the first one's taps sum to 1,
    those of the others to 0.
    """
    high = _SYM2 * (-1.0) ** np.arange(len(_SYM2))
    low_band, high_band = (np.convolve(taps, taps[::-1]) / 2 for taps in (_SYM2, high))
    bank = np.eye(bands, 1)
    for band in range(1, bands):
        stretched = np.zeros((bands, 2 * bank.shape[1] - 1))
        stretched[:, ::2] = bank
        bank = np.stack([np.convolve(row, low_band) for row in stretched])
        beside = (bank.shape[1] - len(high_band)) // 2
        bank[band, beside : beside + len(high_band)] += high_band
    return bank
