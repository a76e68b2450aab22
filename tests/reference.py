"""Reference vectors of published codes: reads them, draws the weights they belong to, converts to our layout.

The vectors and the recipe that draws weights and inputs are described in data/README.md. Layouts on the peers' side
are NCHW, OIHW and (out, in); the maps of names are those of `gan_jax.weights`.
"""

import json
import re
import zlib
from functools import cache
from pathlib import Path

import jax
import numpy as np

from gan_jax.weights import biggan
from gan_jax.weights.places import from_variables, to_variables

DATA = Path(__file__).parent / "data"


# ---------------------------------------------------------------------------------------------- reading, comparing


@cache
def cases(file: str) -> dict:
    """`{case: description}` of data/FILE.json."""
    return json.loads((DATA / f"{file}.json").read_text())


@cache
def arrays(file: str) -> dict[str, np.ndarray]:
    """`{case/key: array}` of data/FILE.npz."""
    with np.load(DATA / f"{file}.npz") as stored:
        return dict(stored)


def assert_array(actual, file: str, case: str, key: str) -> None:
    """Compares with a stored array in the peers' layout, in the tolerance of the vectors."""
    expected, entry = arrays(file)[f"{case}/{key}"], cases(file)[case]["arrays"][key]
    np.testing.assert_allclose(
        np.asarray(actual), expected, rtol=0, atol=20 * entry["f32_err"] + 2e-6 * entry["max_abs"], err_msg=key
    )


def assert_scalar(actual, file: str, case: str, key: str) -> None:
    """Compares with a stored scalar, in the tolerance of the vectors."""
    entry = cases(file)[case]["scalars"][key]
    tolerance = 20 * entry["f32_err"] + 2e-6 * abs(entry["value"])
    np.testing.assert_allclose(float(actual), entry["value"], rtol=0, atol=tolerance, err_msg=key)


def assert_summaries(tensors: dict[str, np.ndarray], file: str, case: str, group: str, skip: set[str] = frozenset()):
    """Compares tensors in the peers' layout with the stored norms, first numbers and (small ones) whole arrays.

    Tensors that are exactly zero in theory are left out, and so are those in `skip`.
    """
    summaries = cases(file)[case]["summaries"][group]
    largest = max(entry["norm"] for entry in summaries.values())
    for name, entry in summaries.items():
        if entry.get("exact_zero_in_theory") or name in skip or name.endswith("sv0"):
            continue
        tensor = np.asarray(tensors[name], np.float64)
        tolerance = max((20 * entry["f32_rel"] + 1e-5) * entry["norm"], 1e-6 * largest)
        where = f"{case}/{group}/{name}"
        np.testing.assert_allclose(np.linalg.norm(tensor), entry["norm"], rtol=0, atol=tolerance, err_msg=where)
        first = tensor.ravel()[: len(entry["first"])]
        np.testing.assert_allclose(first, entry["first"], rtol=0, atol=tolerance, err_msg=where)
        if where in arrays(file):
            np.testing.assert_allclose(tensor, arrays(file)[where], rtol=0, atol=tolerance, err_msg=where)


def nchw(x) -> np.ndarray:
    """Images [n, h, w, c] to the peers' [n, c, h, w]."""
    return np.asarray(x).transpose(0, 3, 1, 2)


# --------------------------------------------------------------------------------------------------------- drawing


def _random(name, seed):
    return np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)


def normal(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A float32 input of kind `normal`."""
    return _random(name, seed).standard_normal(shape).astype(np.float32)


def uniform(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A float32 input of kind `uniform`, in [0, 1)."""
    return _random(name, seed).random_sample(shape).astype(np.float32)


def integers(name: str, shape: tuple[int, ...], seed: int, below: int) -> np.ndarray:
    """An int32 input of kind `int`."""
    return _random(name, seed).randint(0, below, shape).astype(np.int32)


def images(name: str, shape: tuple[int, int, int, int], seed: int) -> np.ndarray:
    """A float32 input of kind `img`, drawn in the peers' shape [n, c, h, w] and returned as [n, h, w, c]."""
    random = _random(name, seed)
    n, c, h, w = shape
    coarse, fine = random.random_sample((n, c, 4, 4)), random.random_sample(shape)
    coarse = coarse[:, :, 4 * np.arange(h)[:, None] // h, 4 * np.arange(w) // w]
    return (1.4 * coarse + 0.6 * fine - 1).astype(np.float32).transpose(0, 2, 3, 1)


def weight(name: str, shape: tuple[int, ...], seed: int, family: str = "other") -> np.ndarray:
    """A tensor of a peer's network, float32, by the table in data/README.md."""
    random, last = _random(name, seed), name.rpartition(".")[2]
    if last in ("stored_var", "running_vars", "gamma", "magnitude_ema"):
        return np.asarray(0.5 + random.random_sample(shape), np.float32)
    if last == "noise_strength":
        return np.asarray(0.1 + 0.2 * random.random_sample(shape), np.float32)
    if last == "phases":
        return np.asarray(random.random_sample(shape) - 0.5, np.float32)
    if last == "sv0":
        return np.ones(shape, np.float32)
    drawn = np.asarray(random.standard_normal(shape))
    if last in ("u0", "weight_u"):
        drawn /= np.linalg.norm(drawn)
    elif last == "freqs":
        norms = np.linalg.norm(drawn, axis=1, keepdims=True)
        drawn = 2 * drawn / (norms * np.exp(norms**2) ** 0.25)
    elif last == "gain" and len(shape) == 1:
        drawn = 1 + 0.1 * drawn
    elif name == "generator.bn.weight":
        drawn = 0.3 + 0.03 * drawn
    elif name.endswith("input.affine.bias"):
        drawn = np.array([1, 0, 0, 0]) + 0.1 * drawn
    elif name.endswith("affine.bias"):
        drawn = 1 + 0.1 * drawn
    elif mapping := re.search(r"(?:^|\.)mapping\.fc\d+\.(bias|weight)$", name):
        drawn = (10 if mapping[1] == "bias" else 100) * drawn
    elif len(shape) == 1 or last == "running_means":
        drawn = 0.1 * drawn
    elif name.endswith("input.affine.weight"):
        drawn = 0.3 * drawn
    elif last not in ("const", "noise_const", "Basis") and name not in ("shared.weight", "embeddings.weight"):
        drawn = drawn if family == "stylegan" else drawn / np.sqrt(np.prod(shape[1:]))
    return drawn.astype(np.float32)


def peer_tensors(layout: str, network: str) -> dict[str, np.ndarray]:
    """All drawn tensors of a peer's network, in its layout: `network` such as "sg2_uncond32/G" of data/LAYOUT.json."""
    entry = cases(layout)[network]
    return {
        name: weight(name, tuple(shape), entry["seed"], entry["family"])
        for name, shape, checksum in entry["tensors"]
        if checksum is not None
    }


# ------------------------------------------------------------------------------------------------------ converting


class Peer:
    """A network of BigGAN-PyTorch: its tensors, and their places in our variables.

    Args:
        case: `CASE/G` or `CASE/D` in data/layout_biggan.json.
    """

    def __init__(self, case: str):
        self._case, tensors = case, cases("layout_biggan")[case]["tensors"]
        self.shapes = {name: tuple(shape) for name, shape, _ in tensors}
        self.checksums = {name: checksum for name, _, checksum in tensors if checksum is not None}
        self.places = biggan.places(self.shapes)

    def tensors(self) -> dict[str, np.ndarray]:
        """All drawn tensors in the peer's layout."""
        return peer_tensors("layout_biggan", self._case)

    def variables(self) -> dict:
        """All drawn tensors as our variables."""
        return to_variables(self.tensors(), self.places)

    def from_ours(self, variables: dict) -> dict[str, np.ndarray]:
        """The tensors that `variables` (all or some collections) hold, under the peer's names in its layout."""
        return from_variables(variables, self.places, self.shapes)

    def flat(self, variables: dict, buffer: str) -> np.ndarray:
        """All tensors called `buffer` (u0, stored_mean, stored_var), flattened and put one behind the other."""
        tensors = self.from_ours(variables)
        return np.concatenate([tensors[name].ravel() for name in self.shapes if name.endswith(f".{buffer}")])


def hub_deep_tensors(case: str) -> dict[str, np.ndarray]:
    """The BigGAN-deep generator of pytorch-pretrained-BigGAN: u and v are those after one iteration from the drawn u."""
    layout = cases("layout_biggan_deep_hf")[case]
    tensors = {name: weight(name, tuple(shape), layout["seed"]) for name, shape, _ in layout["tensors"]}
    for name in [name.removesuffix("_orig") for name in tensors if name.endswith(".weight_orig")]:
        matrix = tensors[f"{name}_orig"].reshape(len(tensors[f"{name}_orig"]), -1).astype(np.float64)
        v = matrix.T @ tensors[f"{name}_u"]
        v /= np.linalg.norm(v)
        u = matrix @ v
        tensors[f"{name}_v"], tensors[f"{name}_u"] = v.astype(np.float32), (u / np.linalg.norm(u)).astype(np.float32)
    return tensors


def check_generator(module, peer: Peer, case: str) -> None:
    """Evaluation, a training call, the statistics it leaves, and a second training call, against data/biggan."""
    variables, (z, labels) = peer.variables(), _inputs(case)
    evaluate = jax.jit(lambda v: module.apply(v, z, labels, train=False))
    train = jax.jit(lambda v: module.apply(v, z, labels, train=True, mutable=["batch_stats", "spectral"]))

    assert_array(nchw(evaluate(variables))[:2], "biggan", case, "G_eval")
    images, advanced = train(variables)
    assert_array(nchw(images)[:2], "biggan", case, "G_train")
    for buffer in ("u0", "stored_mean", "stored_var"):
        assert_array(peer.flat(advanced, buffer), "biggan", case, f"G_after_train_call/{buffer}")
    images, _ = train({**variables, **advanced})
    assert_array(nchw(images)[:1], "biggan", case, "G_train_2nd")


def check_discriminator(module, peer: Peer, case: str) -> None:
    """Evaluation, a training call, the u it leaves, and a second training call, against data/biggan."""
    variables, (_, labels) = peer.variables(), _inputs(case)
    config = cases("biggan")[case]["config"]
    x = images("x", (config["batch"], 3, config["resolution"], config["resolution"]), config["input_seed"])
    evaluate = jax.jit(lambda v: module.apply(v, x, labels).logits[:, None])
    train = jax.jit(lambda v: module.apply(v, x, labels, mutable=["spectral"]))

    assert_array(evaluate(variables), "biggan", case, "D_eval")
    verdict, advanced = train(variables)
    assert_array(verdict.logits[:, None], "biggan", case, "D_train")
    assert_array(peer.flat(advanced, "u0"), "biggan", case, "D_after_train_call/u0")
    verdict, _ = train({**variables, **advanced})
    assert_array(verdict.logits[:, None], "biggan", case, "D_train_2nd")


def _inputs(case):
    config = cases("biggan")[case]["config"]
    z = normal("z", (config["batch"], int(arrays("biggan")[f"{case}/z_dim"])), config["input_seed"])
    return z, integers("y", (config["batch"],), config["input_seed"], config["n_classes"])
