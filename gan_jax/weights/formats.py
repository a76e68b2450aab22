"""The formats of published weights by name, and what reads each."""

from collections.abc import Callable

from etils import epath

from gan_jax.errors import ConfigError
from gan_jax.weights import biggan_files, exported, network_files
from gan_jax.weights.published import Published

FORMATS: dict[str, Callable[..., Published]] = {
    "biggan": biggan_files.read,
    "biggan-deep": biggan_files.read_deep,
    "stylegan2": network_files.read_stylegan2,
    "stylegan3": network_files.read_stylegan3,
    "r3gan": network_files.read_r3gan,
    "gan-jax": exported.read,
}


def read(name: str, path: epath.Path, truncation: float | None) -> Published:
    """Published weights from a file or folder.

    Args:
        name: the format, a key of `FORMATS`.
        truncation: of the statistics, for `biggan-deep`; None for the largest.

    Raises:
        ConfigError: truncation is given for another format, or is none of the file's.
        UserError: the file cannot be read, is damaged, refused, or holds something else.
    """
    if truncation is None:
        return FORMATS[name](path)
    if name != "biggan-deep":
        raise ConfigError(f"--truncation is for --format=biggan-deep: leave it out for {name}")
    return FORMATS[name](path, truncation)
