"""What the arguments of constructors in NVIDIA's network pickles say, in fields of our config.

Sources: training/networks.py of NVlabs/stylegan2-ada-pytorch; training/networks_stylegan2.py and networks_stylegan3.py
of NVlabs/stylegan3. Arguments that only say how to compute (kinds of fused kernels, memory layouts) are not looked at;
those that we have one value of must have that value.
"""

from collections.abc import Mapping
from typing import Any

from gan_jax.errors import UserError

Arguments = Mapping[str, Any]

_STYLEGAN2 = {"activation": "lrelu", "lr_multiplier": 0.01, "resample_filter": [1, 3, 3, 1]}
_STYLEGAN3 = {
    "num_layers": 14,
    "num_critical": 2,
    "first_cutoff": 2,
    "first_stopband": 2**2.1,
    "last_stopband_rel": 2**0.3,
    "margin_size": 10,
    "output_scale": 0.25,
    "filter_size": 6,
    "lrelu_upsampling": 2,
}


def describe_stylegan2(generator: Arguments, discriminator: Arguments | None) -> dict[str, Any]:
    """The fields for both networks, such as {"model.G.dim_w": 512}; the discriminator may be missing.

    Raises:
        UserError: an argument that our networks have no counterpart of.
    """
    # stylegan3's copy of these networks has other defaults, and no section for the arguments of the synthesis.
    old = "synthesis_kwargs" in generator
    synthesis = {**generator, **generator.get("synthesis_kwargs", {})}
    _check(synthesis, _STYLEGAN2)
    fields = {
        "dim_w": generator["w_dim"],
        "mapping_layers": _mapping_layers(generator, 8),
        "architecture": synthesis.get("architecture", "skip"),
        **_shared(synthesis, old),
    }
    return _of_data(generator) | _of("G", fields) | (_of_discriminator(discriminator, old) if discriminator else {})


def describe_stylegan3(generator: Arguments, discriminator: Arguments | None) -> dict[str, Any]:
    """The same of StyleGAN3."""
    _check(generator, _STYLEGAN3)
    fields = {
        "dim_w": generator["w_dim"],
        "mapping_layers": _mapping_layers(generator, 2),
        "kernel_size": generator.get("conv_kernel", 3),
        "radial": generator.get("use_radial_filters", False),
        **_shared(generator, old=False),
    }
    return _of_data(generator) | _of("G", fields) | (_of_discriminator(discriminator, False) if discriminator else {})


def _of(network: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {f"model.{network}.{name}": value for name, value in fields.items()}


def _of_data(generator: Arguments) -> dict[str, Any]:
    return {
        "model.dim_z": generator["z_dim"],
        "data.resolution": generator["img_resolution"],
        "data.channels": generator["img_channels"],
        "data.num_classes": generator["c_dim"],
    }


def _of_discriminator(arguments: Arguments, old: bool) -> dict[str, Any]:
    _check(arguments.get("block_kwargs", {}), _STYLEGAN2)
    fields = {
        "architecture": arguments.get("architecture", "resnet"),
        "mapping_layers": _mapping_layers(arguments, 8),
        "stddev_group": arguments.get("epilogue_kwargs", {}).get("mbstd_group_size", 4),
        **_shared(arguments, old),
    }
    return _of("D", fields)


def _shared(arguments: Arguments, old: bool) -> dict[str, Any]:
    return {
        "channel_base": arguments.get("channel_base", 32768),
        "channel_max": arguments.get("channel_max", 512),
        "conv_clamp": arguments.get("conv_clamp", None if old else 256),
        "half_resolutions": arguments.get("num_fp16_res", 0 if old else 4),
    }


def _mapping_layers(arguments: Arguments, default: int) -> int:
    mapping = arguments.get("mapping_kwargs", {})
    _check(mapping, _STYLEGAN2)
    return mapping.get("num_layers", default)


def _check(arguments: Arguments, fixed: Mapping[str, Any]) -> None:
    for name, value in fixed.items():
        if arguments.get(name, value) != value:
            raise UserError(
                f"the network was made with {name} {arguments[name]!r}: expected {value!r}, the one that we have"
            )
