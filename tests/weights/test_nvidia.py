"""Constructors' arguments of NVIDIA's pickles in our config's words."""

import pytest

from gan_jax.errors import UserError
from gan_jax.weights.nvidia import describe_stylegan2, describe_stylegan3

DATA = {"z_dim": 512, "c_dim": 0, "w_dim": 512, "img_resolution": 1024, "img_channels": 3}
# As training of FFHQ at 1024 pixels by stylegan2-ada-pytorch keeps them.
ADA = {"channel_base": 32768, "channel_max": 512, "num_fp16_res": 4, "conv_clamp": 256}
GENERATOR = {**DATA, "mapping_kwargs": {"num_layers": 8}, "synthesis_kwargs": ADA}
DISCRIMINATOR = {
    "c_dim": 0,
    "img_resolution": 1024,
    "img_channels": 3,
    **ADA,
    "epilogue_kwargs": {"mbstd_group_size": 4},
}


def test_stylegan2_ada():
    shared = {"channel_base": 32768, "channel_max": 512, "conv_clamp": 256, "half_resolutions": 4, "mapping_layers": 8}
    generator = {**shared, "dim_w": 512, "architecture": "skip"}
    discriminator = {**shared, "stddev_group": 4, "architecture": "resnet"}
    assert describe_stylegan2(GENERATOR, DISCRIMINATOR) == {
        "model.dim_z": 512,
        "data.resolution": 1024,
        "data.channels": 3,
        "data.num_classes": 0,
        **{f"model.G.{name}": value for name, value in generator.items()},
        **{f"model.D.{name}": value for name, value in discriminator.items()},
    }
    assert not any(name.startswith("model.D") for name in describe_stylegan2(GENERATOR, None))


def test_what_is_not_said_is_the_default_of_its_code_base():
    """stylegan2-ada-pytorch has its arguments in a section; the same network in stylegan3 has them beside the others."""
    first = describe_stylegan2({**DATA, "synthesis_kwargs": {}}, {})
    second = describe_stylegan2(DATA, {"c_dim": 0})
    for fields, expected in ((first, (None, 0)), (second, (256, 4))):
        assert (fields["model.G.conv_clamp"], fields["model.G.half_resolutions"]) == expected
        assert fields["model.G.mapping_layers"] == 8
    assert (second["model.D.conv_clamp"], second["model.D.half_resolutions"]) == (256, 4)
    assert second["model.D.stddev_group"] == 4


def test_stylegan3():
    arguments = {**DATA, "mapping_kwargs": {"num_layers": 2}, "channel_base": 65536, "channel_max": 1024}
    fields = describe_stylegan3({**arguments, "conv_kernel": 1, "use_radial_filters": True}, {"block_kwargs": {}})
    assert (fields["model.G.kernel_size"], fields["model.G.radial"], fields["model.G.channel_max"]) == (1, True, 1024)
    assert (fields["model.D.channel_base"], fields["model.D.mapping_layers"]) == (32768, 8)
    plain = describe_stylegan3(DATA, None)
    assert (plain["model.G.kernel_size"], plain["model.G.radial"], plain["model.G.mapping_layers"]) == (3, False, 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mapping_kwargs": {"activation": "relu"}}, "activation 'relu': expected 'lrelu'"),
        ({"mapping_kwargs": {"lr_multiplier": 1}}, "lr_multiplier 1: expected 0.01"),
        ({"synthesis_kwargs": {"resample_filter": [1, 2, 1]}}, r"resample_filter \[1, 2, 1\]: expected \[1, 3, 3, 1\]"),
    ],
)
def test_what_we_have_no_counterpart_of_is_refused(change, reason):
    with pytest.raises(UserError, match=reason):
        describe_stylegan2({**GENERATOR, **change}, None)


def test_another_number_of_layers_of_stylegan3_is_refused():
    with pytest.raises(UserError, match="num_layers 10: expected 14"):
        describe_stylegan3({**DATA, "num_layers": 10}, None)
