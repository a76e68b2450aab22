"""How far the images of a round move with their latents: path length regularisation of any generator."""

import jax

from gan_jax.game.round import Round
from gan_jax.losses.path_length import path_lengths


def lengths(round: Round) -> jax.Array:
    """Path lengths float32 [n], with z in the place of w; the same in every call, so that two calls cost one.

    Batch normalisation in the generator mixes the images: lengths are then of all images with all latents.
    """
    noise = round.view.normal(round.key, round.fake.shape)
    return path_lengths(lambda z: round.generate(z[:, 0], round.fake_labels), round.z[:, None], noise)
