"""`gan-jax interpolate`: the way from one seed's image to the next one's, as a film or as a strip."""

from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from gan_jax.errors import ConfigError
from gan_jax.report.film import ffmpeg, save_film
from gan_jax.report.grid import save_grid
from gan_jax.sampling import Options, labels_of_class, of_workdir

FRAMES = {".gif": 60, ".mp4": 60, ".png": 8}  # from a seed to the next, if not given


def interpolate(
    config: ConfigDict,
    workdir: Path,
    out: Path,
    seeds: tuple[int, ...],
    frames: int | None,
    rate: int,
    number: int | None,
    options: Options,
) -> str:
    """Writes a film that ends where it begins (`out` ends in .gif or .mp4), or a PNG with a row from each seed to the next.

    The way is a straight line in w for style-based GANs, a great circle in z for others.

    Args:
        frames: images from a seed to the next; None for 60, in a PNG 8.
        rate: images a second of a film.
        number: the class, None for a model without classes.

    Returns:
        A sentence that says what was written.

    Raises:
        ConfigError: fewer than two seeds, no such class, no checkpoint, or .mp4 without ffmpeg.
        UserError: `out` cannot be written.
    """
    kind = out.suffix.lower()
    if kind not in FRAMES:
        raise ConfigError(f"--out is {out}: expected FILE.gif, FILE.mp4 or FILE.png")
    if kind == ".mp4":
        ffmpeg()  # lest all is computed first
    if len(seeds) < 2:
        raise ConfigError(f"--seeds names {len(seeds)}: expected at least two")
    frames = FRAMES[kind] if frames is None else frames
    if frames < 2:
        raise ConfigError(f"--frames is {frames}: expected at least 2")
    if not 1 <= rate <= 100:
        raise ConfigError(f"--rate is {rate}: expected 1 to 100 images a second")
    is_film = kind != ".png"
    legs = len(seeds) if is_film else len(seeds) - 1
    labels = labels_of_class(number, legs * frames, config.data)
    sampler, variables = of_workdir(config, workdir, options)
    variables = sampler.settle(variables, config.data)
    if sampler.recipe.styles:
        ends = np.concatenate(list(sampler.ws(variables, labels[: len(seeds)], seeds=seeds)))
        drawn = sampler.of_ws(variables, way(ends, frames, lerp, closed=is_film))
    else:
        ends = sampler.latents(len(seeds), seeds=seeds)
        drawn = sampler.of_latents(variables, way(ends, frames, slerp, closed=is_film), labels)
    if is_film:
        save_film(out, drawn, rate)
    else:
        save_grid(out, np.concatenate(list(drawn)), frames)
    return f"{legs * frames} images in {out}"


def way(ends: np.ndarray, frames: int, between, closed: bool) -> np.ndarray:
    """Points on the way from each of the ends [n, ...] to the next.

    Args:
        frames: points of each leg; both ends are among them.
        between: `(a, b, t) -> point`, a at t = 0 and b at t = 1.
        closed: from the last back to the first too; then the end of a leg is left to the leg that begins there.
    """
    pairs = list(zip(ends, np.roll(ends, -1, axis=0), strict=True))[: None if closed else -1]
    return np.stack([between(a, b, t) for a, b in pairs for t in np.linspace(0, 1, frames, endpoint=not closed)])


def lerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """A point of the straight line."""
    return (a + t * (b - a)).astype(np.float32)


def slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """A point of the great circle from a to b, after Shoemake 1985; of the line where they have all but one direction.

    Latents keep their usual length, which those on a line between two do not: in many dimensions normal latents are
    all about as long, and generators know no others.
    """
    cosine = np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b))
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.sin(angle) < 1e-6:
        return lerp(a, b, t)
    return ((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)).astype(np.float32)
