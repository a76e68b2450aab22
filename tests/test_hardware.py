"""The table of accelerators, and the words that choose from it."""

import jax
import pytest
from jax.experimental import topologies

from gan_jax import hardware, topology
from gan_jax.errors import ConfigError

ACCELERATORS = {word: device for word, device in hardware.DEVICES.items() if word != "cpu"}


@pytest.mark.parametrize("word", ACCELERATORS)
def test_every_entry_is_whole_and_says_where_it_is_from(word):
    device = ACCELERATORS[word]
    assert device.source
    assert device.assumed
    assert 100e12 <= device.float32 <= device.bfloat16 < 5e15
    assert 15e9 < device.memory < 300e9
    assert 0.5e12 < device.bandwidth < 10e12
    assert device.link < device.bandwidth / 2
    # Only a product of large matrices keeps a chip busy: some hundred operations for each byte of its memory.
    assert 100 < device.bfloat16 / device.bandwidth < 600
    assert (device.ring > 0) == word.startswith("tpu")
    assert (device.gpu is not None) == (device.network is not None) == word.startswith("gpu")


def test_of_kind_knows_a_device_by_its_whole_name():
    assert hardware.of_kind("TPU v5 lite").name == "TPU v5e"
    assert hardware.of_kind("TPU v5").name == "TPU v5p"
    assert hardware.of_kind("cpu").peak("bfloat16") is None
    for word, device in ACCELERATORS.items():
        assert all(hardware.of_kind(kind) is device for kind in device.kinds)
        assert device.gpu is None or hardware.of_kind(device.gpu.name) is device, word


@pytest.mark.parametrize(
    "kind",
    [
        "NVIDIA H100 PCIe",
        "NVIDIA H100 NVL",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "NVIDIA H200 NVL",
        "NVIDIA A100 80GB PCIe",
        "NVIDIA A100-SXM4-40GB",
        "TPU v4 lite",
        "Cerebras",
    ],
)
def test_of_kind_takes_no_other_for_one_that_it_knows(kind):
    assert hardware.of_kind(kind) is None


@pytest.mark.parametrize(
    "words",
    ["tpu", "tpu:v5e", "tpu:v9:2x2", "tpu:v5e:2x2x2", "tpu:v4:4x4", "tpu:v5e:0x4", "gpu:h200:8", "cpu:0", "cpu", ""],
)
def test_words_that_name_no_target(words):
    with pytest.raises(ConfigError, match=r"expected tpu:v4\|v5p\|v5e\|v6e:AxB .* gpu:a100\|h100") as error:
        topology.open_target(words)
    assert repr(words) in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("words", "raised", "install"),
    [
        ("tpu:v5e:2x2", RuntimeError("JAX TPU support not installed; cannot generate TPU topology."), "jax[tpu]"),
        ("gpu:h200:1x1x8", NotImplementedError("topology not implemented for cuda"), "jax[cuda13]"),
    ],
)
def test_an_absent_compiler_is_named_with_the_command_that_installs_it(monkeypatch, words, raised, install):
    def absent(**kwargs):
        raise raised

    monkeypatch.setattr(topologies, "get_topology_desc", absent)
    with pytest.raises(ConfigError) as error:
        topology.open_target(words)
    assert f"--target={words} needs" in str(error.value)
    assert f"pip install '{install}'" in str(error.value)


def test_a_slice_that_the_compiler_does_not_know(monkeypatch):
    def refuse(**kwargs):
        raise RuntimeError('INVALID_ARGUMENT: Topology layout "v5e:3x3" is not divisible\nmore')

    monkeypatch.setattr(topologies, "get_topology_desc", refuse)
    with pytest.raises(ConfigError, match="no such slice .*not divisible") as error:
        topology.open_target("tpu:v5e:3x3")
    assert "\n" not in str(error.value)


def test_a_part_of_the_cpu_s_devices():
    assert len(jax.devices()) == 4  # found here, as else the target would decide how many the tests have
    target = topology.open_target("cpu:2")
    assert len(target.devices) == 2
    assert target.hosts == 1
    with pytest.raises(ConfigError, match="device_count=64"):
        topology.open_target("cpu:64")


@pytest.mark.parametrize(
    ("words", "links"),
    [
        ("v5e:16x16", 4),  # two rings
        ("v5e:8x16", 3),  # a line of 8 and a ring
        ("v5e:2x2", 2),
        ("v5e:1x1", 0),
        ("v4:4x4x4", 6),  # a cube: three rings
        ("v4:4x4x2", 3),  # less than a cube: lines
        ("v5p:8x8x8", 6),
    ],
)
def test_links_that_a_slice_keeps_busy(words, links):
    kind, _, shape = words.partition(":")
    sizes = tuple(map(int, shape.split("x")))
    assert topology.Target(f"tpu:{words}", "tpu", hardware.DEVICES[f"tpu:{kind}"], sizes, ()).links() == links
