"""One look of a player at the game: what its loss is made of."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax

from gan_jax.engine.recipe import View
from gan_jax.layers.heads import Verdict

Tree = Any


@dataclasses.dataclass(frozen=True)
class Round:
    """Real and generated images of one update, and the players that made and judge them.

    Attributes:
        view: what the loss sees of the state.
        real, fake: images float32 [n, r, r, c] in [-1, 1]; real_labels, fake_labels: theirs.
        z: the latents of the generated ones.
        key: for what a memory and a term are to draw alike.
        judge: `(images, labels, augmented=True) -> Verdict` by the discriminator; pure.
        generate: `(z, labels) -> images` by the generator; pure.
        real_verdict, fake_verdict: the discriminator's, augmented; None until it has judged.
        memory: what is remembered of earlier rounds, with this one, see `game.memory`.
    """

    view: View
    real: jax.Array
    real_labels: jax.Array
    fake: jax.Array
    fake_labels: jax.Array
    z: jax.Array
    key: jax.Array
    judge: Callable[..., Verdict]
    generate: Callable[[jax.Array, jax.Array], jax.Array]
    real_verdict: Verdict | None = None
    fake_verdict: Verdict | None = None
    memory: Mapping[str, Tree] = dataclasses.field(default_factory=dict)

    def score(self, labels: jax.Array) -> Callable[[jax.Array], jax.Array]:
        """Images to logits, as penalties want a critic."""
        return lambda images: self.judge(images, labels).logits

    def uniform(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Uniform float32 numbers in [0, 1), split over the devices."""
        return self.view.shard(jax.random.uniform(key, shape))
