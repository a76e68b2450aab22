"""StyleGAN3's generator: names and layouts there and back, and what has no place."""

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.weights.places import from_variables, to_variables
from gan_jax.weights.stylegan3 import places
from tests.reference import cases, peer_tensors


@pytest.mark.parametrize("network", list(cases("layout_stylegan3")))
def test_names_and_layouts_there_and_back(network):
    tensors = peer_tensors("layout_stylegan3", network)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    back = from_variables(to_variables(tensors, places(shapes)), places(shapes), shapes)
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(back[name], tensor, err_msg=name)


def test_designed_filters_and_the_transform_of_the_input_have_no_place():
    shapes = {"synthesis.L0_36_12.up_filter": (12,), "synthesis.input.transform": (3, 3)}
    assert set(places(shapes).values()) == {None}


def test_a_tensor_of_another_network_is_refused():
    with pytest.raises(UserError, match=r"StyleGAN3's generator has no tensor synthesis\.b8\.conv0\.noise_strength"):
        places({"synthesis.b8.conv0.noise_strength": ()})
