"""What an extractor is: a fixed network that turns images into numbers which metrics compare."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

Tree = Any


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A fixed network with its weights.

    Attributes:
        name: as metrics and protocols call it, such as "inception".
        sha256: of the weights, in hexadecimal: of their file, or of the tensors where they come with the project.
        resize: name of the rule by which images get the size that the network wants (`metrics.resize`).
        variables: the weights.
        apply: `(variables, images) -> {output: float32 [n, d]}` for uint8 images [n, h, w, 1 or 3] of any size; pure,
            meant to be jitted, with precision "highest" inside. Outputs that nobody takes cost nothing under jit.
        features: the output that distances between distributions use.
        logits: the output with the network's judgement of classes, None where it has none.
    """

    name: str
    sha256: str
    resize: str
    variables: Tree
    apply: Callable[[Tree, jax.Array], dict[str, jax.Array]]
    features: str
    logits: str | None = None
