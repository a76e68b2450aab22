"""The image side of CLIP ViT-L/14 at 336 pixels, in whose embeddings CMMD is measured (arXiv 2103.00020, 2401.09603).

The features are projected embeddings of unit length, of images cropped to their central square. Sources: huggingface/
transformers, models/clip/modeling_clip.py, whose names the file has; google-research, cmmd/io_util.py and embedding.py.
"""

from pathlib import Path

import jax
import jax.numpy as jnp

from gan_jax.metrics import resize
from gan_jax.metrics.extractor import Extractor
from gan_jax.metrics.extractors import state_dict, vit
from gan_jax.metrics.weights_file import WeightsFile
from gan_jax.weights import tensors
from gan_jax.weights.places import CONV, DENSE, SAME

SIDE = 336
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
NETWORK = vit.VisionTransformer(
    patch=14, width=1024, depth=24, heads=16, epsilon=1e-5, activation=vit.quick_gelu, norm_first=True, projection=768
)
# No hash is demanded, as the same weights are published in both formats. That of the .bin begins with c6032c2e0caae3dc.
FILE = WeightsFile(
    ("clip-vit-large-patch14-336.bin", "clip-vit-large-patch14-336.safetensors"),
    "https://huggingface.co/openai/clip-vit-large-patch14-336/resolve/main/pytorch_model.bin (to be given this name; a "
    "model.safetensors of the same network serves too, as clip-vit-large-patch14-336.safetensors)",
)
_SIDE_OF_IMAGES = ("vision_model.", "visual_projection.")  # the file holds the network for texts too
_OUTSIDE = {
    "vision_model.embeddings.class_embedding": ("class_token", SAME),
    "vision_model.embeddings.position_embedding.weight": ("positions", SAME),
    "vision_model.embeddings.patch_embedding.weight": ("patches/kernel", CONV),
    **vit.norm("vision_model.pre_layrnorm", "norm_first"),
    **vit.norm("vision_model.post_layernorm", "norm"),
    "visual_projection.weight": ("projection/kernel", DENSE),
}
_IN_BLOCK = {
    **vit.norm("layer_norm1", "norm1"),
    **vit.dense("self_attn.q_proj", "query"),
    **vit.dense("self_attn.k_proj", "key"),
    **vit.dense("self_attn.v_proj", "value"),
    **vit.dense("self_attn.out_proj", "output"),
    **vit.norm("layer_norm2", "norm2"),
    **vit.dense("mlp.fc1", "mlp1"),
    **vit.dense("mlp.fc2", "mlp2"),
}


def open_clip(folder: str | Path) -> Extractor:
    """The network with the weights in a folder; its output "embedding" is [n, 768], rows of length 1.

    Raises:
        ConfigError: the file is not there.
        UserError: it cannot be read, is damaged, or is another file.
    """
    path, sha256 = FILE.find(folder)
    found = {name: tensor for name, tensor in tensors.read(path).items() if name.startswith(_SIDE_OF_IMAGES)}
    found.pop("vision_model.embeddings.position_ids", None)  # 0, 1, 2 ..., which files of older versions hold
    places = vit.places(_OUTSIDE, "vision_model.encoder.layers.{}.", _IN_BLOCK, NETWORK.depth)
    variables = state_dict.variables(path, found, places, vit.shapes(NETWORK, SIDE))
    return Extractor("clip", sha256, "pil_bicubic_uint8", variables, _apply, features="embedding")


def central_square(images: jax.Array) -> jax.Array:
    """Images [n, h, w, c] -> [n, s, s, c] with s = min(h, w); an odd pixel to spare is one at the end."""
    _, h, w, _ = images.shape
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    return images[:, top : top + side, left : left + side]


def _apply(variables, images: jax.Array):
    pixels = resize.pil_bicubic_uint8(central_square(images), (SIDE, SIDE))
    embedding = NETWORK.apply(variables, vit.scaled(pixels, MEAN, STD))
    return {"embedding": embedding / jnp.linalg.norm(embedding, axis=-1, keepdims=True)}
