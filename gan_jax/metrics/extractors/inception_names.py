"""Where the tensors of the published files of InceptionV3 live in our variables.

Our paths are the PyTorch names. The frozen graph numbers its layers instead: a branch of several convolutions is a
"tower", a row of the same kind is "conv", "conv_1" and so on, and its layouts are ours. Source: toshas/torch-fidelity,
util_convert_inception_weights.py.
"""

from collections.abc import Iterator, Mapping

from gan_jax.weights.places import CONV, DENSE, SAME, Place

Path = tuple[str, ...]
_TORCH = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
_GRAPH = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
# The branches of a block by the scope of the graph that holds their convolutions.
_A = {"": "branch1x1", "tower": "branch5x5_{1,2}", "tower_1": "branch3x3dbl_{1,2,3}", "tower_2": "branch_pool"}
_B = {"": "branch3x3", "tower": "branch3x3dbl_{1,2,3}"}
_C = {"": "branch1x1", "tower": "branch7x7_{1,2,3}", "tower_1": "branch7x7dbl_{1,2,3,4,5}", "tower_2": "branch_pool"}
_D = {"tower": "branch3x3_{1,2}", "tower_1": "branch7x7x3_{1,2,3,4}"}
_E = {
    "": "branch1x1",
    "tower": "branch3x3_{1}",
    "tower/mixed": "branch3x3_{2a,2b}",
    "tower_1": "branch3x3dbl_{1,2}",
    "tower_1/mixed": "branch3x3dbl_{3a,3b}",
    "tower_2": "branch_pool",
}
_BLOCKS = {
    **dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), _A),
    "Mixed_6a": _B,
    **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), _C),
    "Mixed_7a": _D,
    **dict.fromkeys(("Mixed_7b", "Mixed_7c"), _E),
}


def torch_places(shapes: Mapping[Path, tuple[int, ...]]) -> dict[str, Place]:
    """Of every tensor of the PyTorch file its place, for all our paths and their shapes."""
    layouts = {4: CONV, 2: DENSE, 1: SAME}
    return {
        ".".join((*path[1:-1], _TORCH[path[-1]])): Place(path, layouts[len(shape)]) for path, shape in shapes.items()
    }


def graph_places(shapes: Mapping[Path, tuple[int, ...]]) -> dict[str, Place]:
    """The same for the constants of the frozen graph."""
    scopes, found = dict(_scopes()), {}
    for path in shapes:
        if path[1] == "fc":
            name = {"kernel": "softmax/weights", "bias": "softmax/biases"}[path[-1]]
        else:
            scope = scopes[path[1:-2]]
            name = f"{scope}/conv2d_params" if path[-1] == "kernel" else f"{scope}/batchnorm/{_GRAPH[path[-1]]}"
        found[name] = Place(path)
    return found


def _scopes() -> Iterator[tuple[Path, str]]:
    """Of every convolution its path in our variables and its scope in the graph."""
    for i, name in enumerate(_STEM):
        yield (name,), _numbered("conv", i)
    for block, (name, branches) in enumerate(_BLOCKS.items()):
        for scope, branch in branches.items():
            stem, _, ends = branch.partition("{")
            for i, end in enumerate(ends.rstrip("}").split(",")):
                yield (
                    (name, stem + end),
                    "/".join(filter(None, (_numbered("mixed", block), scope, _numbered("conv", i)))),
                )


def _numbered(name, i):
    return f"{name}_{i}" if i else name
