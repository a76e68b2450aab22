"""`gan-jax project`: the styles whose image comes nearest to a given one."""

import functools
import sys
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from gan_jax import projector, styles
from gan_jax.data.image import decode
from gan_jax.errors import ConfigError
from gan_jax.layers.pixels import to_float
from gan_jax.losses.perceptual import perceptual_distance
from gan_jax.report.grid import save_grid, save_image
from gan_jax.sampling import Options, labels_of_class, of_workdir


def project(
    config: ConfigDict,
    workdir: Path,
    target: Path,
    out: Path,
    steps: int,
    seed: int,
    number: int | None,
    measure: str = "pyramid",
) -> str:
    """Projects an image into W and writes target.png, projected.png, both.png and projected_w.npz into the folder `out`.

    projected.png is made of the styles with the generator's own noise, so `gan-jax sample --ws` makes it again.

    Args:
        target: an image file; its largest centred square is scaled to the generator's resolution.
        number: the class, None for a model without classes.
        measure: what is made small, one of "pyramid" and "lpips"; LPIPS needs weights in the folder `config.evaluate.weights`.

    Returns:
        A sentence that says what was written.

    Raises:
        ConfigError: no style-based GAN, no such class, steps below 1, no checkpoint, or no weights for LPIPS.
        UserError: the target cannot be read, or `out` cannot be written.
    """
    data = config.data
    if steps < 1:
        raise ConfigError(f"--steps is {steps}: expected at least 1")
    distance_of = _distance(measure, config.evaluate.weights)
    labels = labels_of_class(number, projector.STATISTICS_SAMPLES, data)
    wanted = decode(target, data.resolution, data.channels)[None]
    sampler, variables = of_workdir(config, workdir, Options(seed=seed))
    samples = []
    for ws in sampler.ws(variables, labels):
        samples.append(ws[:, 0].copy())  # all layers have the same w
    layers = ws.shape[1]

    def say(step: int, distance: float) -> None:
        print(f"step {step} of {steps}: distance {distance:.4f}", file=sys.stderr, flush=True)

    found = projector.project(
        sampler.recipe.styles,
        variables,
        to_float(wanted),
        np.concatenate(samples),
        layers,
        steps,
        seed,
        distance_of,
        say,
    )
    (image,) = sampler.of_ws(variables, found)
    styles.save(out / "projected_w.npz", found)
    save_image(out / "target.png", wanted[0])
    save_image(out / "projected.png", image[0])
    save_grid(out / "both.png", np.concatenate([wanted, image]), 2)
    distance = float(distance_of(to_float(image), to_float(wanted))[0])
    return f"distance {distance:.4f}; target and projection in {out / 'both.png'}, styles in {out / 'projected_w.npz'}"


def _distance(measure: str, weights: str) -> projector.Distance:
    if measure == "pyramid":
        return perceptual_distance
    from gan_jax.metrics.extractors import lpips

    return functools.partial(lpips.distance, lpips.load(weights).variables)
