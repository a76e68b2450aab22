"""Two batches joined in turns."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.engine import sharding
from gan_jax.layers.pairs import apart, in_turns


def test_they_come_in_turns_and_come_apart_again():
    a, b = np.arange(6).reshape(3, 2), np.arange(10, 16).reshape(3, 2)
    joined = in_turns(a, b)
    np.testing.assert_array_equal(joined[:, 0], [0, 10, 2, 12, 4, 14])
    for found, expected in zip(apart(joined), (a, b), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_on_several_devices_nothing_is_sent():
    mesh = sharding.data_mesh(4)
    split = jax.NamedSharding(mesh, jax.P("data"))
    images = jax.ShapeDtypeStruct((8, 4, 4, 3), jnp.float32, sharding=split)

    def judged(a, b):
        return apart(in_turns(a, b).sum((1, 2, 3)))

    text = jax.jit(judged, out_shardings=split).lower(images, images).compile().as_text()
    assert not [word for word in ("all-", "collective-permute", "reduce-scatter") if word in text]
