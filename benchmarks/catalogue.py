"""What a method is for, measured: codes that control, encoders that separate, pairs that fit, critics that are smooth.

    python benchmarks/catalogue.py                                                everything with three seeds: hours
    python benchmarks/catalogue.py --only=cogan --seeds=0 --workdir=workdirs/catalogue

Trains each config named in CLAIMS once for each seed, by `gan-jax train` in a workdir of its own, so that what was
stopped goes on and what is done is only measured; draws pictures into the workdirs and prints a table for each claim.
Semi-supervised learning and LAPGAN have scripts of their own beside this one. Tables: catalogue.md.
"""

import argparse
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.data.digits import digits
from gan_jax.data.source import open_source
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import Recipe, load
from gan_jax.layers.pixels import to_float, to_uint8
from gan_jax.metrics.extractors.catalogue import open_extractor
from gan_jax.recipes import ali, bigbigan, cogan, ogan
from gan_jax.report.grid import save_grid

Row = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained workdir: its recipe, the averaged variables by network, and the players' own."""

    folder: Path
    config: Any
    recipe: Recipe
    averaged: dict[str, Any]
    present: dict[str, Any]

    def latents(self, count: int) -> jax.Array:
        """The same for every run, float32 [count, d]."""
        return jax.vmap(lambda key: self.recipe.prior(key, {}))(jax.random.split(jax.random.key(1), count))

    def images(self, z: jax.Array) -> jax.Array:
        labels = jnp.zeros(len(z), jnp.int32)
        return jax.jit(lambda z: self.recipe.sample(self.averaged, z, labels, {}))(jnp.asarray(z))

    def encoded(self, images: jax.Array) -> Any:
        """What the encoder answers to images [n, r, r, c] in [-1, 1]."""
        encode = self.recipe.networks["E"].module.apply
        return jax.jit(lambda images: encode(self.averaged["E"], images, train=False))(images)


def trained(source: str, seed: int, folder: Path, overrides: tuple[str, ...]) -> Run:
    """Trains a config to its end, goes on, or finds it done."""
    workdir = folder / "_".join(
        [source.replace(":", "_"), *(word.replace("=", "") for word in overrides), f"seed{seed}"]
    )
    path, _, argument = source.partition(":")
    words = [f"--config=configs/{path}.py{':' if argument else ''}{argument}", f"--workdir={workdir}"]
    words += [f"--config.{override}" for override in (f"seed={seed}", *overrides)]
    subprocess.run([sys.executable, "-m", "gan_jax.main", "train", *words], check=True, stdout=sys.stderr)
    config = configs.read(workdir, [])
    recipe, mesh = load(config), sharding.make_mesh(config.mesh)
    current = workdirs.restore(workdir, state.abstract(recipe, mesh, config.mesh.rules))
    averaged, present = (state.variables(current, averaged=which) for which in (True, False))
    return Run(workdir, config, recipe, averaged, present)


def seen(images: jax.Array) -> np.ndarray:
    """The digits that the built-in classifier takes images [n, r, r, 1] in [-1, 1] for: int [n]."""
    extractor = open_extractor("digits", "")
    answers = jax.jit(lambda images: extractor.apply(extractor.variables, images)[extractor.logits])
    return np.asarray(answers(to_uint8(images)).argmax(-1))


def draw(run: Run, name: str, images: jax.Array, columns: int) -> None:
    save_grid(run.folder / f"{name}.png", np.asarray(to_uint8(images)), columns)


def slant(images: jax.Array) -> np.ndarray:
    """How far the strokes of images [n, r, r, 1] in [-1, 1] lean to the right: columns by row, of a fitted line."""
    weight = (np.asarray(images)[..., 0] + 1) / 2
    weight = weight / weight.sum((1, 2), keepdims=True)
    row, column = np.mgrid[: weight.shape[1], : weight.shape[2]]
    row, column = (axis - (weight * axis).sum((1, 2))[:, None, None] for axis in (row, column))
    return -(weight * row * column).sum((1, 2)) / (weight * row**2).sum((1, 2))


def codes(run: Run) -> Row:
    """InfoGAN: what the category says of the digit, and a number of its slant."""
    categories, numbers = run.config.phases.categories, run.config.phases.numbers
    z = np.array(run.latents(2000))
    place = slice(-categories - numbers, -numbers)
    table = np.zeros((categories, 10))
    np.add.at(table, (z[:, place].argmax(1), seen(run.images(z))), 1)
    joint = table / table.sum()
    by_chance = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    information = (joint * np.log(np.maximum(joint, 1e-12) / np.maximum(by_chance, 1e-12))).sum()

    def control(entry: int) -> float:
        """Correlation of the change of an entry of z with the change of slant."""
        low, high = z[:500].copy(), z[:500].copy()
        low[:, entry], high[:, entry] = np.random.RandomState(0).uniform(-1, 1, (2, 500))
        moved = slant(run.images(high)) - slant(run.images(low))
        return abs(np.corrcoef(moved, high[:, entry] - low[:, entry])[0, 1])

    by_number = [control(-1 - i) for i in range(numbers)]
    shown = np.repeat(z[:1], 7 * categories, axis=0)
    shown[:, place] = np.repeat(np.eye(categories), 7, axis=0)
    shown[:, -1 - int(np.argmax(by_number))] = np.tile(np.linspace(-1.5, 1.5, 7), categories)
    draw(run, "codes", run.images(shown), 7)
    return {
        "information of category and digit, nats of 2.30": information,
        "category names the digit": table[linear_sum_assignment(-table)].sum() / table.sum(),
        "a number and slant, correlation": max(by_number),
        "an entry of the noise and slant": max(control(i) for i in range(numbers)),
    }


def encoder(module: ModuleType, features: Callable[[Any, int], jax.Array]) -> Callable[[Run], Row]:
    """Of ALI, BiGAN, BigBiGAN, O-GAN: digits through both networks, and probes by ten labels of each class."""

    def measure(run: Run) -> Row:
        source = digits(run.config.data.resolution)
        images = to_float(jnp.asarray(source.images))
        rebuilt = jax.jit(lambda x: module.reconstruct(run.recipe, run.averaged, x))(images)
        draw(run, "reconstructions", _side_by_side(images, rebuilt), 8)
        error, other = (jnp.square(images - x).mean() for x in (rebuilt, jnp.roll(rebuilt, 1, 0)))
        codes = np.asarray(features(run.encoded(images), run.recipe.networks["G"].module.dim_z))
        pixels = np.asarray(images).reshape(len(images), -1)
        components = PCA(codes.shape[1], random_state=0).fit_transform(pixels)
        return {
            "squared error": float(error),
            "of another's": float(other),
            "same digit": np.mean(seen(rebuilt) == source.labels),
            "numbers": codes.shape[1],
            "probe of the encoder": probe(codes, source.labels),
            "of as many principal components": probe(components, source.labels),
            "of pixels": probe(pixels, source.labels),
        }

    return measure


def probe(rows: np.ndarray, labels: np.ndarray) -> float:
    """Share of the others that a linear classifier of ten examples of each class tells; the mean of ten choices."""
    rows, shares = (rows - rows.mean(0)) / (rows.std(0) + 1e-6), []
    for seed in range(10):
        order = np.random.RandomState(seed).permutation(len(rows))
        known = np.concatenate([order[labels[order] == digit][:10] for digit in range(10)])
        others = np.setdiff1d(order, known)
        fitted = LogisticRegression(C=0.1, max_iter=1000).fit(rows[known], labels[known])
        shares.append(fitted.score(rows[others], labels[others]))
    return float(np.mean(shares))


def pairs(run: Run) -> Row:
    """CoGAN: whether both images of a latent show the same, each in the way of its domain."""
    first, second = jax.jit(lambda z: cogan.pairs(run.recipe, run.averaged, z))(run.latents(100))
    draw(run, "pairs", _side_by_side(first, second), 8)
    wanted = cogan.DOMAINS[run.config.phases.domain](first)
    flat = [np.asarray(images).reshape(len(images), -1) for images in (wanted, second)]
    table = np.corrcoef(*flat)[: len(wanted), len(wanted) :]
    return {
        "correlation with its pair": table.diagonal().mean(),
        "with others": table[~np.eye(len(table), dtype=bool)].mean(),
        "its pair is the nearest of 100": np.mean(table.argmax(1) == np.arange(len(table))),
    }


def smoothness(run: Run) -> Row:
    """WGAN-GP: norms of the critic's gradient at images between real and generated ones.

    A critic of slope s that tells the two apart by s * distance pays weight * (s - 1)^2: it does best at
    s = 1 + distance / (2 * weight), so it is 1-Lipschitz only as far as the generator has come.
    """
    source = open_source(run.config.data)
    real = to_float(jnp.asarray(source.read(np.arange(512))["image"]))
    fake, labels = run.images(run.latents(len(real))), jnp.zeros(len(real), jnp.int32)
    between = real + jax.random.uniform(jax.random.key(0), (len(real), 1, 1, 1)) * (fake - real)
    critic = run.recipe.networks["D"].module.apply
    score = jax.jit(lambda images: critic(run.present["D"], images, labels).logits.sum())
    norm = jax.jit(lambda images: jnp.sqrt(jnp.square(jax.grad(score)(images)).sum((1, 2, 3))))
    norms, weight = np.asarray(norm(between)), run.config.phases.gradient_penalty
    distance = float(score(real) - score(fake)) / len(real) / norms.mean()
    return {
        "mean": norms.mean(),
        "deviation": norms.std(),
        "largest": norms.max(),
        "at real images": norm(real).mean(),
        "distance of real and generated": distance,
        "expected": 1 + distance / (2 * weight) if weight else np.nan,
    }


def singular_values(run: Run) -> Row:
    """SNGAN: the exact largest singular values of the discriminator's weights, as its layers divide them."""
    tables, values = run.present["D"], []
    for path, u in jax.tree_util.tree_leaves_with_path(tables["spectral"]):
        weights = tables["params"]
        for key in path[:-1]:
            weights = weights[key.key]
        kernel = np.asarray(weights["embedding"]).T if "embedding" in weights else np.asarray(weights["kernel"])
        matrix = kernel.reshape(-1, len(u))
        v = matrix @ np.asarray(u)
        used = np.linalg.norm(
            v / np.linalg.norm(v) @ matrix
        )  # one step from the stored vector, see layers.spectral_norm
        values.append(np.linalg.norm(matrix, 2) / used)
    return {"layers": len(values), "least": min(values), "mean": np.mean(values), "greatest": max(values)}


def _side_by_side(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.stack([a[:32], b[:32]], 1).reshape(-1, *a.shape[1:])


_UNSCORED = "evaluate.metrics=()"
# Claim -> (config, overrides, measurement).
CLAIMS: dict[str, list[tuple[str, tuple[str, ...], Callable[[Run], Row]]]] = {
    "infogan": [("infogan_digits", (), codes)],
    "encoders": [
        ("ali_digits", (), encoder(ali, lambda code, size: code[:, :size])),
        ("ali_digits:bigan", (), encoder(ali, lambda code, size: code)),
        ("bigbigan_digits", (), encoder(bigbigan, lambda code, size: code.features)),
        ("ogan_digits", (), encoder(ogan, lambda code, size: code)),
    ],
    "cogan": [("cogan_digits", (), pairs)],
    "lipschitz": [
        ("wgan_gp_polygons", ("train.length=2000 steps", _UNSCORED), smoothness),
        ("wgan_gp_polygons", ("train.length=600 steps", _UNSCORED, "phases.gradient_penalty=100.0"), smoothness),
        ("wgan_gp_polygons", ("train.length=200 steps", _UNSCORED, "phases.gradient_penalty=0.0"), smoothness),
    ],
    "spectral": [("sngan_digits", (), singular_values)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(CLAIMS), help="claims, by commas")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--workdir", type=Path, default=Path("workdirs/catalogue"))
    options = parser.parse_args()
    for claim in options.only.split(","):
        for index, (source, overrides, measure) in enumerate(CLAIMS[claim]):
            for seed in map(int, options.seeds.split(",")):
                row = measure(trained(source, seed, options.workdir, overrides))
                if not index and seed == int(options.seeds.split(",")[0]):
                    print(f"\n### {claim}\n\n| config | seed | {' | '.join(row)} |\n|---|---:|{'---:|' * len(row)}")
                name = " ".join([source, *overrides])
                print(f"| {name} | {seed} | {' | '.join(f'{value:.4g}' for value in row.values())} |", flush=True)


if __name__ == "__main__":
    main()
