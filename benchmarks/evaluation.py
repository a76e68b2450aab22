"""What features cost on the CPU: the InceptionV3 of FID here against the same network in PyTorch.

    python benchmarks/evaluation.py

Both have the same random weights, and their features must agree. They take turns on the same images, which have the
network's size already, and the shortest time counts: other work on the machine only adds. Time is that of the clock, and
that of all cores together (PyTorch's includes some waiting). Without PyTorch only ours is measured.
"""

import importlib.util
import time
from collections.abc import Callable, Mapping

import jax
import numpy as np
from flax import traverse_util

from gan_jax.metrics.extractors import inception
from gan_jax.metrics.extractors.inception_names import torch_places

BATCHES = (8, 32)
ROUNDS = 3

Features = Callable[[np.ndarray], np.ndarray]


def random_variables(seed: int = 0):
    """Weights under which features neither vanish nor explode."""
    random = np.random.RandomState(seed)

    def draw(path, shape):
        if path[-1] == "kernel":
            return random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))
        return random.uniform(0.8, 1.2, shape) if path[-1] in ("scale", "var") else np.zeros(shape)

    flat = {path: draw(path, shape).astype(np.float32) for path, shape in inception.shapes().items()}
    return traverse_util.unflatten_dict(flat)


def ours(variables) -> Features:
    @jax.jit
    def pool3(variables, images):
        with jax.default_matmul_precision("highest"):
            return inception.InceptionV3().apply(variables, images)["pool3"]

    placed = jax.device_put(variables)
    return lambda images: np.asarray(pool3(placed, images))


def theirs(tensors: Mapping[str, np.ndarray]) -> Features:
    """PyTorch with channels last, which is the faster of its layouts."""
    import torch
    from torch.nn import functional as f

    def placed(tensor):
        layout = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
        return torch.from_numpy(np.array(tensor)).contiguous(memory_format=layout)

    weights = {name: placed(tensor) for name, tensor in tensors.items()}

    def conv(x, name, stride=1, padding=0):
        x = f.conv2d(x, weights[f"{name}.conv.weight"], None, stride, padding)
        statistics = (weights[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return f.relu(f.batch_norm(x, *statistics, eps=1e-3))

    def branch(x, block, name, *padding, stride=1):
        """Convolutions NAME_1, NAME_2 ... by their paddings, of which the last has the stride."""
        for i, pad in enumerate(padding):
            x = conv(x, f"{block}.{name}_{i + 1}", stride if i == len(padding) - 1 else 1, pad)
        return x

    def joined(x, block, *branches, pool):
        return torch.cat([conv(x, f"{block}.branch1x1"), *branches, conv(pool(x), f"{block}.branch_pool")], 1)

    def average(x):
        return f.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    def wide_maximum(x):
        return f.max_pool2d(x, 3, 1, 1)

    def maximum(x):
        return f.max_pool2d(x, 3, 2)

    row, column = (0, 3), (3, 0)

    def block_a(x, block):
        five, three = branch(x, block, "branch5x5", 0, 2), branch(x, block, "branch3x3dbl", 0, 1, 1)
        return joined(x, block, five, three, pool=average)

    def block_c(x, block):
        seven = branch(x, block, "branch7x7", 0, row, column)
        double = branch(x, block, "branch7x7dbl", 0, column, row, column, row)
        return joined(x, block, seven, double, pool=average)

    def block_e(x, block, pool):
        three, double = branch(x, block, "branch3x3", 0), branch(x, block, "branch3x3dbl", 0, 1)
        pairs = [(three, "branch3x3_2"), (double, "branch3x3dbl_3")]
        split = [conv(y, f"{block}.{n}{end}", 1, p) for y, n in pairs for end, p in (("a", (0, 1)), ("b", (1, 0)))]
        return joined(x, block, *split, pool=pool)

    @torch.inference_mode()
    def pool3(images):
        x = torch.from_numpy(images).permute(0, 3, 1, 2)
        x = conv(conv(conv(x, "Conv2d_1a_3x3", 2), "Conv2d_2a_3x3"), "Conv2d_2b_3x3", 1, 1)
        x = maximum(conv(conv(maximum(x), "Conv2d_3b_1x1"), "Conv2d_4a_3x3"))
        for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = block_a(x, block)
        double = branch(x, "Mixed_6a", "branch3x3dbl", 0, 1, 0, stride=2)
        x = torch.cat([conv(x, "Mixed_6a.branch3x3", 2), double, maximum(x)], 1)
        for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = block_c(x, block)
        three = branch(x, "Mixed_7a", "branch3x3", 0, 0, stride=2)
        seven = branch(x, "Mixed_7a", "branch7x7x3", 0, row, column, 0, stride=2)
        x = torch.cat([three, seven, maximum(x)], 1)
        x = block_e(block_e(x, "Mixed_7b", average), "Mixed_7c", wide_maximum)
        return x.mean((2, 3)).numpy()

    return pool3


def main() -> None:
    variables, places = random_variables(), torch_places(inception.shapes())
    networks = {"gan_jax": ours(variables)}
    if importlib.util.find_spec("torch"):
        flat = traverse_util.flatten_dict(variables)
        networks["PyTorch"] = theirs({name: place.layout.theirs(flat[place.path]) for name, place in places.items()})
    else:
        print("PyTorch is absent: pip install torch to compare with it")
    print("| batch | network | images/s | core seconds per image |")
    print("|---:|---|---:|---:|")
    for batch in BATCHES:
        images = np.random.RandomState(1).uniform(-1, 1, (batch, inception.SIZE, inception.SIZE, 3)).astype(np.float32)
        features = [network(images) for network in networks.values()]
        for other in features[1:]:
            np.testing.assert_allclose(other, features[0], rtol=0, atol=1e-4 * np.abs(features[0]).max())
        best = {name: (float("inf"), float("inf")) for name in networks}
        for _ in range(ROUNDS):
            for name, network in networks.items():
                clock, cores = time.perf_counter(), time.process_time()
                network(images)
                taken = time.perf_counter() - clock, time.process_time() - cores
                best[name] = tuple(map(min, best[name], taken))
        for name, (clock, cores) in best.items():
            print(f"| {batch} | {name} | {batch / clock:.1f} | {cores / batch:.3f} |", flush=True)


if __name__ == "__main__":
    main()
