"""Reference vectors of published codes: reads them, draws the weights they belong to, converts to our layout.

The vectors and the recipe that draws weights and inputs are described in data/README.md. Names and layouts on the
peers' side are those of BigGAN-PyTorch (BigGAN.py, BigGANdeep.py) and of pytorch-pretrained-BigGAN: NCHW, OIHW,
(out, in).
"""

import dataclasses
import json
import re
import zlib
from functools import cache
from pathlib import Path

import jax
import numpy as np

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


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a peer's tensor lives with us: a path in our variables, and the peer's way to lay it out.

    `layout` is one of conv, dense, table, vector, stem (dense, outputs channel-major), stem_vector.
    """

    path: tuple[str, ...]
    layout: str

    def ours(self, tensor: np.ndarray) -> np.ndarray:
        """From the peer's layout to ours."""
        if self.layout == "conv":
            return tensor.transpose(2, 3, 1, 0)
        if self.layout == "dense":
            return tensor.T
        if self.layout.startswith("stem"):
            rows = tensor.size // 16 if self.layout == "stem_vector" else tensor.shape[0] // 16
            tensor = tensor.reshape(rows, 16, -1).swapaxes(0, 1).reshape(16 * rows, -1)
            return tensor[:, 0] if self.layout == "stem_vector" else tensor.T
        return tensor if self.layout == "table" or tensor.ndim == 0 else tensor.reshape(-1)

    def peer(self, tensor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """From our layout to the peer's, of the given shape."""
        if self.layout == "conv":
            return tensor.transpose(3, 2, 0, 1)
        if self.layout == "dense":
            return tensor.T
        if self.layout.startswith("stem"):
            tensor = tensor.T if self.layout == "stem" else tensor[:, None]
            rows = tensor.shape[0] // 16
            tensor = tensor.reshape(16, rows, -1).swapaxes(0, 1)
        return tensor.reshape(shape)


_LAYERS = {
    "shared": "shared",
    "input_conv": "stem",
    "embed": "output/projection",
    "output_layer.0": "output/norm",
    "output_layer.0.bn": "output/norm",
    "output_layer.2": "output/conv",
}
_SUBLAYERS = {"conv_sc": "shortcut", "theta": "query", "phi": "key", "g": "value", "o": "output"}
_BUFFERS = {"u0": ("spectral", "u"), "stored_mean": ("batch_stats", "mean"), "stored_var": ("batch_stats", "var")}


class Peer:
    """A network of BigGAN-PyTorch: its tensors, and their places in our variables.

    Args:
        case: `CASE/G` or `CASE/D` in data/layout_biggan.json.
        deep: the network is one of BigGANdeep.py.
    """

    def __init__(self, case: str, deep: bool = False):
        layout = cases("layout_biggan")[case]
        self.seed, self.deep, self.generator = layout["seed"], deep, case.endswith("/G")
        self.shapes = {name: tuple(shape) for name, shape, _ in layout["tensors"]}
        self.checksums = {name: checksum for name, _, checksum in layout["tensors"] if checksum is not None}
        self.places = {name: place for name in self.checksums if (place := self._place(name))}

    def tensors(self) -> dict[str, np.ndarray]:
        """All drawn tensors in the peer's layout."""
        return {name: weight(name, self.shapes[name], self.seed) for name in self.checksums}

    def variables(self) -> dict:
        """All drawn tensors as our variables."""
        variables = {}
        for name, tensor in self.tensors().items():
            if name in self.places:
                _insert(variables, self.places[name].path, self.places[name].ours(tensor))
        return variables

    def from_ours(self, variables: dict) -> dict[str, np.ndarray]:
        """The tensors that `variables` (all or some collections) hold, under the peer's names in its layout."""
        tensors = {}
        for name, place in self.places.items():
            if place.path[0] in variables:
                value = variables
                for key in place.path:
                    value = value[key]
                tensors[name] = place.peer(np.asarray(value), self.shapes[name])
        return tensors

    def flat(self, variables: dict, buffer: str) -> np.ndarray:
        """All tensors called `buffer` (u0, stored_mean, stored_var), flattened and put one behind the other."""
        tensors = self.from_ours(variables)
        return np.concatenate([tensors[name].ravel() for name in self.places if name.endswith(f".{buffer}")])

    def _place(self, name):
        """None for what we do not keep: the last singular value, which nothing reads."""
        layer, _, last = name.rpartition(".")
        if last == "sv0":
            return None
        where = tuple(self._layer(layer).split("/"))
        stem = self.generator and layer == "linear"
        if last in _BUFFERS:
            collection, key = _BUFFERS[last]
            return Place((collection, *where, key), "stem_vector" if stem else "vector")
        if last == "gain":
            return Place(("params", *where, "scale"), "vector")
        if last != "weight":
            return Place(("params", *where, last), "stem_vector" if stem else "vector")
        if len(self.shapes[name]) == 4:
            return Place(("params", *where, "kernel"), "conv")
        if layer in ("shared", "embed") or f"{layer}.u0" not in self.shapes:
            return Place(("params", *where, "embedding"), "table")
        return Place(("params", *where, "kernel"), "stem" if stem else "dense")

    def _layer(self, layer):
        if layer == "linear":
            return "stem" if self.generator else "output/linear"
        if not layer.startswith("blocks."):
            return _LAYERS[layer]
        _, stage, index, *parts = layer.split(".")
        stage, index = int(stage), int(index)
        attention = not parts or parts[0] in ("theta", "phi", "g", "o")
        if not self.deep:
            block = f"attention_{stage}" if attention else f"block_{stage}"
        elif self.generator:
            block = f"attention_{stage // 2}" if attention else f"block_{stage}"
        else:
            block = f"attention_{stage}" if attention else f"block_{2 * stage + index}"
        parts = [_SUBLAYERS.get(part, part.replace("bn", "norm")) for part in parts if part != "bn"]
        return "/".join([block, *parts])


def _insert(tree, path, value):
    *parents, last = path
    for key in parents:
        tree = tree.setdefault(key, {})
    tree[last] = value


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
    evaluate = jax.jit(lambda v: module.apply(v, x, labels)[:, None])
    train = jax.jit(lambda v: module.apply(v, x, labels, mutable=["spectral"]))

    assert_array(evaluate(variables), "biggan", case, "D_eval")
    logits, advanced = train(variables)
    assert_array(logits[:, None], "biggan", case, "D_train")
    assert_array(peer.flat(advanced, "u0"), "biggan", case, "D_after_train_call/u0")
    logits, _ = train({**variables, **advanced})
    assert_array(logits[:, None], "biggan", case, "D_train_2nd")


def _inputs(case):
    config = cases("biggan")[case]["config"]
    z = normal("z", (config["batch"], int(arrays("biggan")[f"{case}/z_dim"])), config["input_seed"])
    return z, integers("y", (config["batch"],), config["input_seed"], config["n_classes"])


def hub_deep_variables(case: str, row: int) -> dict:
    """The BigGAN-deep generator of pytorch-pretrained-BigGAN as our variables, with row `row` of its statistics.

    The vectors were made from stored u and v without an iteration; the u drawn here is the one before them, from
    which one iteration, as ours does in every call, leads to both.
    """
    layout, config = cases("layout_biggan_deep_hf")[case], cases("biggan_deep_hf")[case]["config"]["config"]
    attention, embedding = config["attention_layer_position"], config["class_embed_dim"]
    names = {"weight_orig": "kernel", "weight": "scale", "weight_u": "u"}
    names |= {"running_means": "mean", "running_vars": "var"}
    collections = {"u": "spectral", "mean": "batch_stats", "var": "batch_stats"}
    modules = {"gen_z": "stem", "bn": "output/norm", "conv_to_rgb": "output/conv"}
    parts = {"scale": "gain", "offset": "bias", "theta": "query", "phi": "key", "g": "value", "o_conv": "output"}
    parts |= {f"{kind}_{i}": f"{ours}{i + 1}" for kind, ours in (("bn", "norm"), ("conv", "conv")) for i in range(4)}

    def module(path):
        if path[0] != "layers":
            return modules[path[0]].split("/")
        index = int(path[1])
        block = f"attention_{attention // 2 - 1}" if index == attention else f"block_{index - (index > attention)}"
        return [block, *(parts[part.removeprefix("snconv1x1_")] for part in path[2:])]

    variables = {}
    for name, shape, _ in layout["tensors"]:
        tensor = weight(name, tuple(shape), layout["seed"])
        _, *path, last = name.split(".")
        if name == "embeddings.weight":
            _insert(variables, ("params", "shared", "embedding"), tensor.T)
        elif last != "weight_v":
            key = names.get(last, last)
            if key == "kernel" and tensor.ndim == 4:
                tensor = tensor.transpose(2, 3, 1, 0)
            elif key == "kernel":
                tensor = np.roll(tensor.T, embedding, axis=0)
            elif key in ("mean", "var"):
                tensor = tensor[row]
            elif key == "gamma":
                tensor = tensor[0]
            _insert(variables, (collections.get(key, "params"), *module(path), key), tensor)
    return variables
