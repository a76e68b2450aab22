"""Names, layouts and config fields of R3GAN's networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.networks.r3gan import Discriminator, Generator
from gan_jax.weights.places import from_variables, to_variables
from gan_jax.weights.r3gan import describe, is_generator, places
from tests.reference import cases, peer_tensors

NETWORKS = ["r3_uncond32/G", "r3_uncond32/D", "r3_cond16/G", "r3_cond16/D"]


def shapes_of(network, prefix=""):
    """All names with their shapes, designed filters too."""
    return {prefix + name: tuple(shape) for name, shape, _ in cases("layout_r3gan")[network]["tensors"]}


@pytest.mark.parametrize("prefix", ["", "Model."])
@pytest.mark.parametrize("network", NETWORKS)
def test_tensors_go_there_and_back(network, prefix):
    tensors = {prefix + name: tensor for name, tensor in peer_tensors("layout_r3gan", network).items()}
    shapes = shapes_of(network, prefix)
    found = places(shapes)
    assert {name for name, place in found.items() if place is None} == {n for n in shapes if n.endswith("Kernel")}
    back = from_variables(to_variables(tensors, found), found, shapes)
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(back[name], tensor, err_msg=name)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_shapes_describe_a_network_whose_variables_they_fill(network):
    shapes = shapes_of(network, "Model.")
    assert is_generator(shapes) == network.endswith("/G")
    fields = describe(shapes)
    config = cases("r3gan")[network[:-2]]["config"]
    options = {name.split(".")[-1]: value for name, value in fields.items() if name.startswith(f"model.{network[-1]}.")}
    given = (config["resolution"], config["cond"] or 0)
    if is_generator(shapes):
        assert (fields["data.resolution"], fields["data.num_classes"]) == given
        assert (fields["data.channels"], fields["model.dim_z"]) == (3, config["nz"])
        module, inputs = Generator(*given, **options), jnp.zeros((1, config["nz"]))
    else:
        module, inputs = Discriminator(*given, **options), jnp.zeros((1, given[0], given[0], 3))
    tensors = {f"Model.{name}": tensor for name, tensor in peer_tensors("layout_r3gan", network).items()}
    found = to_variables(tensors, places(shapes))
    wanted = jax.eval_shape(module.init, jax.random.key(0), inputs, jnp.zeros(1, jnp.int32))
    assert jax.tree.map(np.shape, found) == jax.tree.map(lambda leaf: leaf.shape, wanted)


@pytest.mark.parametrize("name", ["MainLayers.0.Layers.0.Noise", "Head.weight"])
def test_an_unknown_name_is_a_sentence(name):
    with pytest.raises(UserError, match=f"no tensor {name}"):
        places({**shapes_of("r3_cond16/G"), name: (3,)})
