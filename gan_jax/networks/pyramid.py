"""The resolutions of StyleGAN's networks, 4 pixels doubled time and again, with their widths and precisions."""

import jax.numpy as jnp

from gan_jax.errors import ConfigError


def resolutions(resolution: int) -> tuple[int, ...]:
    """4, 8, ..., resolution.

    Raises:
        ConfigError: the resolution is no power of two of at least 8.
    """
    if resolution < 8 or resolution & (resolution - 1):
        raise ConfigError(f"config.data.resolution is {resolution}: expected a power of two of at least 8")
    return tuple(2**i for i in range(2, resolution.bit_length()))


def width(resolution: int, channel_base: int, channel_max: int) -> int:
    """Channels at a resolution: as many as make `channel_base` with it, at most `channel_max`."""
    return min(channel_base // resolution, channel_max)


def dtype_at(resolution: int, full: int, half_resolutions: int, dtype: jnp.dtype) -> jnp.dtype:
    """Compute dtype at a resolution of a network for `full` pixels: `dtype` in the highest ones, else float32.

    The `half_resolutions` highest ones count, but none below 8 pixels (StyleGAN2-ADA, `num_fp16_res`).
    """
    lowest = max(2 * full // 2**half_resolutions, 8) if half_resolutions else full + 1
    return jnp.dtype(dtype if resolution >= lowest else jnp.float32)
