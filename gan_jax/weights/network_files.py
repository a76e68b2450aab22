"""Network pickles of StyleGAN2-ADA, StyleGAN3 and R3GAN, and to which of our configs they lead."""

from collections.abc import Callable, Mapping
from typing import Any

from etils import epath

from gan_jax.weights import licences, network_pickle, nvidia, r3gan, stylegan2, stylegan3
from gan_jax.weights.network_pickle import Network
from gan_jax.weights.published import AS_PUBLISHED, MISSING, Published, current, described, shapes_of, with_places


def read_stylegan2(path: epath.Path) -> Published:
    """A pickle of StyleGAN2-ADA, or of StyleGAN2 by stylegan3's code."""
    networks = network_pickle.read(path)
    with described(path):
        fields = nvidia.describe_stylegan2(*_arguments(networks))
    return _of_pickle(path, networks, "configs/stylegan2_ffhq1024.py", fields, stylegan2.places, licences.NVIDIA)


def read_stylegan3(path: epath.Path) -> Published:
    """A pickle of StyleGAN3-T or -R."""
    networks = network_pickle.read(path)
    with described(path):
        fields = nvidia.describe_stylegan3(*_arguments(networks))
    config = "configs/stylegan3t_ffhq1024.py" + (":r" if fields["model.G.radial"] else "")
    return _of_pickle(path, networks, config, fields, stylegan3.places, licences.NVIDIA)


def _arguments(networks: Mapping[str, Network]) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """Those of the constructors of generator and discriminator."""
    generator = networks["G_ema"] if "G_ema" in networks else networks["G"]
    return generator.arguments, networks["D"].arguments if "D" in networks else None


def read_r3gan(path: epath.Path) -> Published:
    """A pickle of R3GAN."""
    networks = network_pickle.read(path)
    with described(path):
        shapes = {name: shapes_of(network.tensors) for name, network in networks.items()}
        fields = r3gan.describe(shapes["G_ema"] if "G_ema" in shapes else shapes["G"])
        if "D" in shapes:
            fields |= r3gan.describe(shapes["D"])
    # From the start, where the schedule of the config would begin with no average at all.
    fields["ema.half_life"] = "500 kimg"
    return _of_pickle(path, networks, "configs/r3gan_cifar10.py", fields, r3gan.places, licences.R3GAN)


def _of_pickle(
    path: epath.Path,
    networks: Mapping[str, Network],
    config: str,
    fields: Mapping[str, Any],
    places_of_generator: Callable[[Any], Any],
    licence: str,
) -> Published:
    """The networks of a pickle. StyleGAN3's discriminator is StyleGAN2's."""
    places = {"D": stylegan2.places if places_of_generator is stylegan3.places else places_of_generator}
    with described(path):
        parts = {
            name: with_places(network.tensors, places.get(name, places_of_generator))
            for name, network in networks.items()
        }
    return Published(
        config,
        {**AS_PUBLISHED, "ema.ramp_up": None, **fields},
        current(parts),
        {"G": parts["G_ema"]} if "G_ema" in parts else {},
        tuple(f"there is no {name} in it{instead}" for name, instead in MISSING.items() if name not in parts),
        licence,
        files=(path,),
    )
