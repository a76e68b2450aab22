"""The InceptionV3 of 2015-12-05, whose features FID, KID and the Inception score are made of.

It is not torchvision's network: other weights, 1,008 classes, average pools that do not count the padding, and a maximum
instead of an average in the last block. Source: the frozen graph inception-2015-12-05, and its conversions for
PyTorch in mseitzer/pytorch-fid and toshas/torch-fidelity, whose names the parameters have.
"""

import functools
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import traverse_util

from gan_jax.errors import ConfigError
from gan_jax.metrics import resize as resizing
from gan_jax.metrics.extractor import Extractor
from gan_jax.metrics.extractors import inception_names, state_dict
from gan_jax.metrics.weights_file import WeightsFile
from gan_jax.weights import frozen_graph, tensors

SIZE = 299
CLASSES = 1008
TORCH_FILE = WeightsFile(
    ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"),
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "6726825d",
)
GRAPH_FILE = WeightsFile(
    ("classify_image_graph_def.pb",), "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz"
)
_NAMES = {"tf1": "inception", "clean": "inception-clean", "torch": "inception-torch"}


class BasicConv(nn.Module):
    """Convolution without bias, batch normalisation by stored statistics, ReLU.

    Kernels are odd. With stride 1 zeros beyond the edges keep the size; with stride 2 there are none.
    """

    features: int
    kernel: tuple[int, int]
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        padding = "SAME" if self.stride == 1 else "VALID"
        x = nn.Conv(self.features, self.kernel, self.stride, padding, use_bias=False, name="conv")(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn")(x))


def _conv(name, features, kernel, stride=1):
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    return BasicConv(features, kernel, stride, name=name)


class BlockA(nn.Module):
    """Mixed_5b to 5d: [n, 35, 35, c] -> [n, 35, 35, 224 + pool_features]."""

    pool_features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        one = _conv("branch1x1", 64, 1)(x)
        five = _conv("branch5x5_1", 48, 1)(x)
        five = _conv("branch5x5_2", 64, 5)(five)
        double = _conv("branch3x3dbl_1", 64, 1)(x)
        double = _conv("branch3x3dbl_2", 96, 3)(double)
        double = _conv("branch3x3dbl_3", 96, 3)(double)
        pool = _conv("branch_pool", self.pool_features, 1)(_average_pool(x))
        return jnp.concatenate([one, five, double, pool], axis=-1)


class BlockB(nn.Module):
    """Mixed_6a: [n, 35, 35, 288] -> [n, 17, 17, 768]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        three = _conv("branch3x3", 384, 3, 2)(x)
        double = _conv("branch3x3dbl_1", 64, 1)(x)
        double = _conv("branch3x3dbl_2", 96, 3)(double)
        double = _conv("branch3x3dbl_3", 96, 3, 2)(double)
        return jnp.concatenate([three, double, _max_pool(x)], axis=-1)


class BlockC(nn.Module):
    """Mixed_6b to 6e: [n, 17, 17, 768] -> (the same shape, the branch of one 1x1 convolution [n, 17, 17, 192])."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        one = _conv("branch1x1", 192, 1)(x)
        seven = _conv("branch7x7_1", self.width, 1)(x)
        seven = _conv("branch7x7_2", self.width, (1, 7))(seven)
        seven = _conv("branch7x7_3", 192, (7, 1))(seven)
        double = _conv("branch7x7dbl_1", self.width, 1)(x)
        double = _conv("branch7x7dbl_2", self.width, (7, 1))(double)
        double = _conv("branch7x7dbl_3", self.width, (1, 7))(double)
        double = _conv("branch7x7dbl_4", self.width, (7, 1))(double)
        double = _conv("branch7x7dbl_5", 192, (1, 7))(double)
        pool = _conv("branch_pool", 192, 1)(_average_pool(x))
        return jnp.concatenate([one, seven, double, pool], axis=-1), one


class BlockD(nn.Module):
    """Mixed_7a: [n, 17, 17, 768] -> [n, 8, 8, 1280]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        three = _conv("branch3x3_1", 192, 1)(x)
        three = _conv("branch3x3_2", 320, 3, 2)(three)
        seven = _conv("branch7x7x3_1", 192, 1)(x)
        seven = _conv("branch7x7x3_2", 192, (1, 7))(seven)
        seven = _conv("branch7x7x3_3", 192, (7, 1))(seven)
        seven = _conv("branch7x7x3_4", 192, 3, 2)(seven)
        return jnp.concatenate([three, seven, _max_pool(x)], axis=-1)


class BlockE(nn.Module):
    """Mixed_7b and 7c, which differ in their pool: [n, 8, 8, c] -> [n, 8, 8, 2048]."""

    pool: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        one = _conv("branch1x1", 320, 1)(x)
        three = _conv("branch3x3_1", 384, 1)(x)
        three = [_conv("branch3x3_2a", 384, (1, 3))(three), _conv("branch3x3_2b", 384, (3, 1))(three)]
        double = _conv("branch3x3dbl_1", 448, 1)(x)
        double = _conv("branch3x3dbl_2", 384, 3)(double)
        double = [_conv("branch3x3dbl_3a", 384, (1, 3))(double), _conv("branch3x3dbl_3b", 384, (3, 1))(double)]
        pool = _average_pool(x) if self.pool == "average" else _max_pool(x, 1, "SAME")
        return jnp.concatenate([one, *three, *double, _conv("branch_pool", 192, 1)(pool)], axis=-1)


class InceptionV3(nn.Module):
    """Images float32 [n, 299, 299, 3], scaled to about [-1, 1] -> {output: float32 [n, d]}.

    "64", "192" and "768" are means over space of early stages, "pool3" [n, 2048] is that of the last one,
    "logits_unbiased" and "logits" [n, 1008] are without and with the bias. "spatial" [n, 17 * 17 * 7] is what sFID
    takes: the first 7 channels of the 1x1 branch of Mixed_6d, the graph's "mixed_6/conv", at every place
    (openai/guided-diffusion, evaluations/evaluator.py).
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
        outputs = {}
        x = _conv("Conv2d_1a_3x3", 32, 3, 2)(x)
        x = _inner(_conv("Conv2d_2a_3x3", 32, 3)(x))
        x = _max_pool(_conv("Conv2d_2b_3x3", 64, 3)(x))
        outputs["64"] = x.mean((1, 2))
        x = _conv("Conv2d_3b_1x1", 80, 1)(x)
        x = _max_pool(_inner(_conv("Conv2d_4a_3x3", 192, 3)(x)))
        outputs["192"] = x.mean((1, 2))
        for name, pool_features in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = BlockA(pool_features, name=name)(x)
        x = BlockB(name="Mixed_6a")(x)
        for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
            x, one = BlockC(width, name=name)(x)
            if name == "Mixed_6d":
                outputs["spatial"] = one[..., :7].reshape(len(x), -1)
        outputs["768"] = x.mean((1, 2))
        x = BlockD(name="Mixed_7a")(x)
        x = BlockE("average", name="Mixed_7b")(x)
        x = BlockE("max", name="Mixed_7c")(x)
        outputs["pool3"] = x.mean((1, 2))
        outputs["logits_unbiased"], outputs["logits"] = Classifier(name="fc")(outputs["pool3"])
        return outputs


class Classifier(nn.Module):
    """[n, 2048] -> ([n, 1008] without the bias, with it)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], CLASSES))
        bias = self.param("bias", nn.initializers.zeros, (CLASSES,))
        return x @ kernel, x @ kernel + bias


def _inner(x):
    """Without the edge that knows of the padding: XLA on the CPU runs unpadded convolutions 2.5 times slower."""
    return x[:, 1:-1, 1:-1]


def _max_pool(x, stride=2, padding="VALID"):
    return nn.max_pool(x, (3, 3), (stride, stride), padding)


def _average_pool(x):
    """3x3, stride 1: at the edges the mean of the 4 or 6 pixels that there are."""
    return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)


def open_inception(folder: str | Path, resize: str = "tf1") -> Extractor:
    """The network with the weights in a folder: the PyTorch file, or else the frozen graph, which hold the same.

    Args:
        resize: "tf1" makes the "inception" of the original FID, "clean" the "inception-clean" of clean-fid, "torch" the
            "inception-torch" of pytorch-fid, which scales to [-1, 1] instead of [-1, 127/128]. Their figures differ.

    Raises:
        ConfigError: neither file is there.
        UserError: the file cannot be read, is damaged, or holds something else.
    """
    expected = shapes()
    try:
        path, sha256 = TORCH_FILE.find(folder)
        values, places = tensors.read(path), inception_names.torch_places(expected)
    except ConfigError as missing:
        try:
            path, sha256 = GRAPH_FILE.find(folder)
        except ConfigError:
            raise missing from None
        places = inception_names.graph_places(expected)
        values = {name: value for name, value in frozen_graph.read(path).items() if name in places}
    return Extractor(
        name=_NAMES[resize],
        sha256=sha256,
        resize=resize,
        variables=state_dict.variables(path, values, places, expected),
        apply=functools.partial(_apply, resize),
        features="pool3",
        logits="logits_unbiased",
    )


@functools.cache
def shapes() -> dict[tuple[str, ...], tuple[int, ...]]:
    """Of every variable of the network, by its path."""
    variables = jax.eval_shape(InceptionV3().init, jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 3)))
    return {path: value.shape for path, value in traverse_util.flatten_dict(variables).items()}


def prepared(resize: str, images: jax.Array) -> jax.Array:
    """What the network takes of uint8 images [n, h, w, 1 or 3]: float32 [n, 299, 299, 3]."""
    x = resizing.RULES[resize](images, (SIZE, SIZE))
    x = 2 * (x / 255) - 1 if resize == "torch" else (x - 128) / 128
    return jnp.broadcast_to(x, (*x.shape[:3], 3))


def _apply(resize, variables, images):
    with jax.default_matmul_precision("highest"):
        return InceptionV3().apply(variables, prepared(resize, images))
