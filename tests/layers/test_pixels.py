import numpy as np

from gan_jax.layers.pixels import to_float, to_uint8


def test_floats_become_bytes_by_rounding_and_clipping():
    values = np.array([-2.0, -1.0, -0.999, 0.0, 0.5, 1.0, 1.5], np.float32)
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 128, 191, 255, 255])


def test_every_byte_survives_the_way_through_floats():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(to_float(values)), values)
