"""The recipe of the reference vectors: drawn numbers, and conversions there and back."""

import zlib

import numpy as np
import pytest

from tests.reference import Peer, cases, hub_deep_tensors, images, integers, normal, peer_tensors

NETWORKS = list(cases("layout_biggan"))


def checksum(array, dtype):
    return zlib.crc32(np.ascontiguousarray(array, dtype).tobytes())


@pytest.mark.parametrize("case", NETWORKS)
def test_drawn_weights_have_the_listed_checksums(case):
    peer = Peer(case)
    assert {name: checksum(tensor, "<f4") for name, tensor in peer.tensors().items()} == peer.checksums


def test_drawn_weights_of_the_tf_hub_generator_have_the_listed_checksums():
    """All but u and v, which an iteration changes after they are drawn."""
    layout = cases("layout_biggan_deep_hf")["hf_layout128"]
    tensors = hub_deep_tensors("hf_layout128")
    for name, _, expected in layout["tensors"]:
        if not name.endswith(("weight_u", "weight_v")):
            assert checksum(tensors[name], "<f4") == expected


@pytest.mark.parametrize("layout", ["layout_stylegan2", "layout_stylegan3", "layout_r3gan"])
def test_drawn_weights_of_the_other_families_have_the_listed_checksums(layout):
    for network, entry in cases(layout).items():
        expected = {name: value for name, _, value in entry["tensors"] if value is not None}
        assert {name: checksum(tensor, "<f4") for name, tensor in peer_tensors(layout, network).items()} == expected


def test_drawn_inputs_have_the_listed_checksums():
    assert checksum(normal("z", (3, 20), 1002), "<f4") == 818664339
    assert checksum(integers("y", (3,), 1002, 5), "<i8") == 760139203
    assert checksum(images("x", (3, 3, 32, 32), 1002).transpose(0, 3, 1, 2), "<f4") == 843377949


@pytest.mark.parametrize("case", NETWORKS)
def test_conversion_there_and_back_is_the_identity(case):
    peer = Peer(case)
    drawn, back = peer.tensors(), peer.from_ours(peer.variables())
    assert {name for name in drawn if not name.endswith("sv0")} == set(back)
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, drawn[name], err_msg=name)
