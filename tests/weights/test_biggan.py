"""BigGAN-PyTorch: where its tensors go, and what their shapes tell."""

import jax
import numpy as np
import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.networks import biggan as networks
from gan_jax.networks import biggan_deep as deep_networks
from gan_jax.weights import biggan
from tests.reference import Peer

CASES = ["bg32_hier", "bg64_hier", "bg32_unshared", "bgdeep32", "standing", "step_1acc"]


def section(fields, network):
    return {name.split(".")[2]: value for name, value in fields.items() if name.startswith(f"model.{network}.")}


@pytest.mark.parametrize("case", CASES)
def test_the_network_that_the_shapes_tell_has_the_tensors_places(case):
    generator = Peer(f"{case}/G")
    fields = biggan.describe_generator(generator.shapes)
    room = deep_networks if case == "bgdeep32" else networks
    given = {name: fields[f"data.{name}"] for name in ("resolution", "num_classes")}
    module = room.Generator(**section(fields, "G"), **given)
    check(module, (np.zeros((2, module.latent_dim), np.float32), np.zeros(2, np.int32)), generator)
    if case != "standing":
        peer = Peer(f"{case}/D")
        described = section(biggan.describe_discriminator(peer.shapes, given["resolution"]), "D")
        module = room.Discriminator(**described, **given)
        images = np.zeros((2, given["resolution"], given["resolution"], 3), np.float32)
        check(module, (images, np.zeros(2, np.int32)), peer)


def check(module, inputs, peer):
    wanted = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    found = peer.variables()
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    assert jax.tree.all(jax.tree.map(lambda a, b: a.shape == b.shape, found, wanted))


def test_what_the_shapes_tell():
    assert biggan.describe_generator(Peer("bg64_hier/G").shapes) == {
        "model.G.channels": 4,
        "model.G.attention": (32,),
        "model.G.dim_z": 30,
        "model.G.shared_dim": 8,
        "model.G.hierarchical": True,
        "model.G.shared_embedding": True,
        "data.resolution": 64,
        "data.num_classes": 4,
        "data.channels": 3,
    }
    unshared = biggan.describe_generator(Peer("bg32_unshared/G").shapes)
    assert (unshared["data.num_classes"], unshared["model.G.shared_embedding"]) == (7, False)
    deep = biggan.describe_generator(Peer("bgdeep32/G").shapes)
    assert (deep["model.G.dim_z"], deep["model.G.shared_dim"], deep["model.G.attention"]) == (10, 6, (16,))
    discriminator = biggan.describe_discriminator(Peer("bg32_hier/D").shapes, 32)
    assert (discriminator["model.D.attention"], discriminator["model.D.wide"]) == ((16, 8), True)
    assert biggan.describe_discriminator(Peer("bg32_unshared/D").shapes, 32)["model.D.wide"] is False


def test_without_vectors_there_is_no_spectral_normalisation():
    shapes = {name: shape for name, shape in Peer("bg32_hier/G").shapes.items() if not name.endswith(("u0", "sv0"))}
    assert biggan.describe_generator(shapes)["model.G.sn_eps"] is None
    assert biggan.places(shapes)["blocks.0.0.bn1.gain.weight"].path[-1] == "kernel"


def test_statistics_may_be_those_of_a_module_within():
    """As with BigGAN-PyTorch's own and with its synchronised batch normalisation."""
    for names in (("bn.stored_mean", "bn.stored_var"), ("bn.running_mean", "bn.running_var")):
        places = biggan.places({f"blocks.0.0.bn1.{name}": (8,) for name in names})
        assert [place.path for place in places.values()] == [
            ("batch_stats", "block_0", "norm1", "mean"),
            ("batch_stats", "block_0", "norm1", "var"),
        ]
    assert biggan.places({"output_layer.0.bn.accumulation_counter": (1,)}) == {
        "output_layer.0.bn.accumulation_counter": None
    }


def test_the_first_layer_puts_positions_before_channels():
    """Row 16 c + p of the published weight is column p C + c of ours."""
    weight = np.arange(32 * 3).reshape(32, 3)
    ours = biggan.STEM.ours(weight)
    assert ours.shape == (3, 32)
    np.testing.assert_array_equal(ours[:, 5 * 2 + 1], weight[16 * 1 + 5])
    assert biggan.STEM_VECTOR.ours(weight[:, :1])[5 * 2 + 1] == weight[16 * 1 + 5, 0]


@pytest.mark.parametrize(
    "name", ["colorize.weight", "blocks.x.0.conv1.weight", "blocks.1.weight.u0", "module.linear.bias"]
)
def test_a_tensor_of_another_network_is_named(name):
    with pytest.raises(UserError, match=f"no tensor {name}"):
        biggan.places({name: (3, 3)})


def test_a_number_of_blocks_that_no_network_has_is_refused():
    shapes = {name.replace("blocks.2.", "blocks.9."): shape for name, shape in Peer("bg32_hier/G").shapes.items()}
    with pytest.raises(ConfigError, match="resolution is 4096"):
        biggan.describe_generator(shapes)
