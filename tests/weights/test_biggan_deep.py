"""The TF-Hub generators in PyTorch; that their images are the published ones is in networks/test_biggan_deep.py."""

import json

import numpy as np
import pytest

from gan_jax.errors import ConfigError, UserError
from gan_jax.weights import biggan_deep
from tests.reference import cases, hub_deep_tensors

CASE = "hf_layout128"
SETTINGS = cases("biggan_deep_hf")[CASE]["config"]["config"]
# With blocks that change their width without doubling, and attention within a resolution.
IRREGULAR = json.loads(
    """{"output_dim": 32, "z_dim": 10, "class_embed_dim": 10, "channel_width": 4, "num_classes": 5, "layers":
    [[false, 16, 16], [true, 16, 8], [false, 8, 8], [true, 8, 4], [false, 4, 4], [true, 4, 2], [false, 2, 2], [false, 2, 1]],
    "attention_layer_position": 5, "eps": 0.0001, "n_stats": 51}"""
)
PUBLISHED = {  # blocks behind the 4x4 input by resolution, attention at 64 in all of them
    128: [[False, 16, 16], [True, 16, 16], [False, 16, 16], [True, 16, 8], [False, 8, 8], [True, 8, 4]],
    256: [[False, 16, 16], [True, 16, 16], [False, 16, 16], [True, 16, 8], [False, 8, 8], [True, 8, 8]],
}
PUBLISHED[128] += [[False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]]
PUBLISHED[256] += [[False, 8, 8], [True, 8, 4], [False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]]
PUBLISHED[512] = [*PUBLISHED[256], [False, 1, 1], [True, 1, 1]]


@pytest.fixture(scope="module")
def tensors():
    return hub_deep_tensors(CASE)


@pytest.mark.parametrize("resolution", PUBLISHED)
def test_the_published_settings(resolution):
    settings = {
        "output_dim": resolution,
        "layers": PUBLISHED[resolution],
        "attention_layer_position": 8,
        "channel_width": 128,
        "z_dim": 128,
        "class_embed_dim": 128,
        "num_classes": 1000,
        "eps": 1e-4,
        "n_stats": 51,
    }
    fields = biggan_deep.describe(settings)
    assert (fields["data.resolution"], fields["data.num_classes"]) == (resolution, 1000)
    assert (fields["model.G.attention"], fields["model.G.channels"], fields["model.G.wide_rgb"]) == ((64,), 128, True)
    assert fields["model.G.bn_eps"] == fields["model.G.output_bn_eps"] == fields["model.G.sn_eps"] == 1e-4


def test_blocks_that_nobody_published_are_refused():
    with pytest.raises(UserError, match=r"has layers \[\[False, 16, 16\].* and attention at 5: expected"):
        biggan_deep.describe(IRREGULAR)
    with pytest.raises(UserError, match="attention at 7"):
        biggan_deep.describe({**SETTINGS, "attention_layer_position": 7})


@pytest.mark.parametrize(("truncation", "row"), [(0.0, 0), (0.02, 1), (0.4, 20), (0.58, 29), (1.0, 50)])
def test_a_truncation_takes_its_row_of_the_statistics(tensors, truncation, row):
    ready = biggan_deep.with_one_row(tensors, truncation)
    for name in ("generator.bn.running_means", "generator.layers.0.bn_2.running_vars"):
        np.testing.assert_array_equal(ready[name], tensors[name][row])


@pytest.mark.parametrize("truncation", [0.43, -0.02, 1.02, float("nan")])
def test_a_truncation_between_the_rows_is_refused(tensors, truncation):
    with pytest.raises(ConfigError, match=f"--truncation is {truncation}: expected 0 to 1 in steps of 0.02"):
        biggan_deep.with_one_row(tensors, truncation)


def test_one_iteration_from_u_leads_to_the_stored_vectors(tensors):
    ready = biggan_deep.with_one_row(tensors, 1.0)
    names = [name.removesuffix("_u") for name in tensors if name.endswith("weight_u")]
    assert len(names) > 50
    for name in names:
        matrix = tensors[f"{name}_orig"].reshape(len(tensors[f"{name}_orig"]), -1).astype(np.float64)
        v = matrix.T @ ready[f"{name}_u"]
        v /= np.linalg.norm(v)
        np.testing.assert_allclose(v, tensors[f"{name}_v"], atol=2e-5, err_msg=name)
        stored = tensors[f"{name}_u"] @ matrix @ tensors[f"{name}_v"]
        np.testing.assert_allclose(np.linalg.norm(matrix @ v), stored, rtol=1e-6, err_msg=name)


def test_a_tensor_of_another_network_is_named(tensors):
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    for name in ("discriminator.weight_orig", "generator.layers.0.bn_9.scale.weight_orig", "generator.bn.momentum"):
        with pytest.raises(UserError, match=f"no tensor {name}"):
            biggan_deep.places({**shapes, name: (3,)})
