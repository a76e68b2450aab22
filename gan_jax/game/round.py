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
        real, fake: images float32 [n, r, r, c] in [-1, 1].
        real_labels, fake_labels: what the discriminator sees beside an image: labels, or latents that belong to it.
        z: the latents of the generated ones.
        key: for what a memory and a term are to draw alike.
        judge: `(images, labels, augmented=True) -> Verdict` by the discriminator; pure.
        generate: `(z, labels) -> images` by the generator; pure.
        real_verdict, fake_verdict: the discriminator's, augmented; None until it has judged.
        memory: what is remembered of earlier rounds, with this one, see `game.memory`.
        pairs: whether those latents count as much as the images where the discriminator is differentiated by what it sees.
        pixel: side of a pixel, in pixels of the full resolution, by which it is differentiated.
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
    pairs: bool = False
    pixel: int = 1

    def judged(self, real: Verdict | None, fake: Verdict) -> "Round":
        return dataclasses.replace(self, real_verdict=real, fake_verdict=fake)

    def remembering(self, memory: Mapping[str, Tree]) -> "Round":
        return dataclasses.replace(self, memory=memory)

    def critic(self, images: jax.Array, labels: jax.Array) -> tuple[Callable[[Tree], jax.Array], Tree]:
        """What penalties differentiate: a function to logits [n], and where: the images, or their pairs with latents.

        Of f x f equal pixels of a larger image each has 1/f^2 of the gradient of the one that they stand for, and the norm
        over all of them is 1/f of the small image's, which images f times as large have as well.
        """
        if self.pairs:
            return lambda pair: self.judge(*pair).logits, (images, labels)
        return lambda images: self.judge(images / self.pixel, labels).logits, self.pixel * images

    def uniform(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Uniform float32 numbers in [0, 1), split over the devices."""
        return self.view.shard(jax.random.uniform(key, shape))
