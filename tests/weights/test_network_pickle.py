"""Network pickles: what they describe is read, what they would run is not."""

import os
from pathlib import Path

import numpy as np
import pytest
from etils import epath

from gan_jax.errors import UserError
from gan_jax.weights import network_pickle
from tests.weights import torch_writer
from tests.weights.torch_writer import Module, Tensor, dumps
from tests.weights.torch_writer import network_pickle as written

REAL = Path(__file__).parent / "files" / "network.pkl"
TENSORS = {
    "synthesis.b4.const": np.arange(32, dtype=np.float32).reshape(2, 4, 4),
    "synthesis.b4.conv1.weight": np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3),
    "synthesis.b4.conv1.noise_strength": np.float32(0.5),
    "mapping.w_avg": np.arange(3, dtype=np.float32),
}


@pytest.fixture
def read(tmp_path):
    """Reads the content of a file."""

    def of(content: bytes):
        (tmp_path / "network.pkl").write_bytes(content)
        return network_pickle.read(epath.Path(tmp_path / "network.pkl"))

    return of


def check(network, arguments, tensors):
    assert (network.class_name, dict(network.arguments)) == ("Generator", arguments)
    assert network.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert network.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(network.tensors[name], tensor)


def test_a_pickle_by_pytorch_is_read():
    """See files/README.md; its source code would end the test run."""
    networks = network_pickle.read(epath.Path(REAL))
    check(networks["G"], {"z_dim": 3, "synthesis_kwargs": {"channel_base": 64}}, TENSORS)
    check(networks["G_ema"], {"z_dim": 3}, {name: tensor + 1 for name, tensor in TENSORS.items()})
    assert "D" not in networks


def test_networks_come_with_arguments_and_tensors(read):
    networks = read(written(Generator=({}, {}), G=({"z_dim": 3, "nested": {"a": [1, 3]}}, TENSORS), D=({}, {})))
    assert list(networks) == ["G", "D"]
    assert networks["G"].arguments == {"z_dim": 3, "nested": {"a": [1, 3]}}
    np.testing.assert_array_equal(networks["G"].tensors["mapping.w_avg"], [0, 1, 2])
    assert networks["D"].tensors == {}


def test_half_precision_becomes_single(read):
    module = Module("Generator", {}, {})
    module.state["_parameters"]["weight"] = Tensor(np.arange(3).astype(np.float16))
    assert read(dumps({"G": module}))["G"].tensors["weight"].dtype == np.float32


def test_modules_pickled_by_name_are_read(read):
    """As R3GAN's are, without arguments."""
    inner = torch_writer.MODULE_LIST()
    inner.__dict__ |= {"_parameters": {"Basis": Tensor(np.ones((2, 4, 4), np.float32))}, "_buffers": {}, "_modules": {}}
    network = torch_writer.R3GAN_GENERATOR()
    network.__dict__ |= {"_parameters": {}, "_buffers": {}, "_modules": {"Layers": inner}}
    found = read(dumps({"G_ema": network}))["G_ema"]
    assert (found.class_name, found.arguments, list(found.tensors)) == ("Generator", {}, ["Layers.Basis"])


class Trap:
    """Pickles as a call of os.system."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("place", ["beside", "in the arguments", "in the state", "as a tensor", "as source code"])
def test_calls_are_refused_wherever_they_are(read, tmp_path, place):
    trap, module = Trap(tmp_path / "trap"), Module("Generator", {}, TENSORS)
    content = {"G": module}
    if place == "beside":
        content["training_set_kwargs"] = trap
    elif place == "in the arguments":
        module.state["_init_kwargs"]["z_dim"] = trap
    elif place == "in the state":
        module.state["hook"] = trap
    elif place == "as a tensor":
        module.state["_modules"]["mapping"].state["_parameters"]["w_avg"] = trap
    else:
        module.source = trap
    with pytest.raises(UserError, match="network.pkl is refused, and nothing of it was run: it names '.*system'"):
        read(dumps(content))
    assert not (tmp_path / "trap").exists()


def test_calls_in_a_nested_storage_are_refused(read, tmp_path):
    class Storage:
        def __reduce__(self):
            return torch_writer.NESTED, (torch_writer.legacy(Trap(tmp_path / "trap")),)

    tensor = Tensor(np.ones(2, np.float32))
    tensor.storage = Storage()
    module = Module("Generator", {}, {})
    module.state["_parameters"]["weight"] = tensor
    with pytest.raises(UserError, match="refused.*system"):
        read(dumps({"G": module}))
    assert not (tmp_path / "trap").exists()


def test_data_that_are_read_again_and_again_are_refused(read):
    content = torch_writer.legacy(torch_writer.Storage(np.ones(1000, np.float32)))

    class Again:
        def __reduce__(self):
            return torch_writer.NESTED, (content,)

    with pytest.raises(UserError, match="refused.*again and again"):
        read(dumps({"G": [Again() for _ in range(10)]}))


def test_a_module_in_two_places_is_refused(read):
    module = Module("Generator", {}, TENSORS)
    module.state["_modules"]["again"] = module.state["_modules"]["mapping"]
    with pytest.raises(UserError, match="refused.*again. is no module, or one of two places"):
        read(dumps({"G": module}))


def test_a_module_within_itself_is_refused(read):
    inner = torch_writer.MODULE_LIST()
    inner.__dict__ |= {"_parameters": {}, "_buffers": {}, "_modules": {"0": inner}}
    with pytest.raises(UserError, match="refused.*one of two places"):
        read(dumps({"G": inner}))


@pytest.mark.parametrize("content", [{}, [1], None, {"G": {"weight": 1}}, {"generator": Module("G", {}, TENSORS)}])
def test_a_pickle_without_networks_is_one_sentence(read, content):
    with pytest.raises(UserError, match="network.pkl holds none of the networks G, D and G_ema"):
        read(dumps(content))


def test_a_pickle_of_tensorflow_is_refused(read):
    with pytest.raises(UserError, match="names 'dnnlib.tflib.network.Network', which weights have no need of"):
        read(b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81.")


def test_every_part_of_a_file_is_one_sentence(read):
    content = written(G=({"z_dim": 3}, TENSORS))
    for length in range(0, len(content), 97):
        with pytest.raises(UserError, match="network.pkl is (damaged|refused)"):
            read(content[:length])


def test_a_state_without_its_parts_is_one_sentence(read):
    module = Module("Generator", {}, TENSORS)
    del module.state["_buffers"]
    with pytest.raises(UserError, match="network.pkl is damaged.*KeyError: '_buffers'"):
        read(dumps({"G": module}))
