"""The filters against those of StyleGAN2-ADA, and what makes them wavelets."""

import numpy as np

from gan_jax.augment.wavelets import LOW_PASS, filter_bank
from tests import reference


def test_the_filters_are_the_published_ones():
    reference.assert_array(LOW_PASS, "augment", "constants", "Hz_geom")
    reference.assert_array(filter_bank(), "augment", "constants", "Hz_fbank")


def test_the_low_pass_is_orthogonal_to_itself_shifted_by_twos():
    taps = LOW_PASS * 2**0.5
    products = [taps[2 * shift :] @ taps[: len(taps) - 2 * shift] for shift in range(6)]
    np.testing.assert_allclose(products, [1, 0, 0, 0, 0, 0], atol=1e-10)


def test_the_bands_are_symmetric_and_sum_up_to_the_impulse():
    bank = filter_bank()
    assert bank.shape == (4, 43)
    np.testing.assert_allclose(bank.sum(1), [1, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(bank.sum(0), np.arange(43) == 21, atol=1e-12)
    np.testing.assert_allclose(bank, bank[:, ::-1], atol=1e-12)


def test_each_band_is_strongest_in_its_octave():
    spectra = np.abs(np.fft.rfft(filter_bank(), 512, axis=1))  # index 256 is half the sampling rate
    edges = [0, 32, 64, 128, 257]
    for spectrum, low, high in zip(spectra, edges, edges[1:], strict=False):
        assert low <= np.argmax(spectrum) < high
