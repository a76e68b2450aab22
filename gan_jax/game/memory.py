"""What a game remembers from one update to the next: moving means of logits, means of weights, how the critic overfits.

Each memory is an entry of the recipe's own state, and is brought up to date before the terms read it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.augment.augmentation import Augmentation
from gan_jax.augment.probability import Probability
from gan_jax.game import paths
from gan_jax.game.round import Round
from gan_jax.game.rules import CommonRules

Tree = Any


class Memory(NamedTuple):
    """An entry of the state.

    Attributes:
        start: makes it.
        observe: `(entry, round) -> entry`.
        adapt: None, or `(every, (entry, images_per_step) -> entry)`, due every so many steps.
    """

    start: Callable[[], Tree]
    observe: Callable[[Tree, Round], Tree]
    adapt: tuple[int, Callable[[Tree, int], Tree]] | None = None


def of_discriminator(rules: CommonRules, augment: Augmentation, pseudo: Probability, params: Tree) -> dict[str, Memory]:
    """What the discriminator's updates leave, by the rules; `params` are shapes of its weights."""
    found = {}
    if augment.adapt:
        found["augment"] = _of_probability(augment)
    if rules.pseudo:
        found["pseudo"] = _of_probability(pseudo)
    if rules.lecam:
        found["lecam"] = _of_logits(rules)
    if rules.historical_averaging:
        found["history_D"] = _of_weights("D", params)
    return found


def of_generator(rules: CommonRules, params: Tree) -> dict[str, Memory]:
    """What the generator's updates leave."""
    found = {}
    if rules.historical_averaging:
        found["history_G"] = _of_weights("G", params)
    if rules.path_length:
        found["path_length"] = _of_paths(rules.path_length_decay)
    return found


def _of_probability(augment: Augmentation | Probability) -> Memory:
    return Memory(augment.aux, lambda entry, round: augment.observe(entry, round.real_verdict.logits), augment.adapt)


def _of_logits(rules):
    """Moving means of the mean logits, for LeCam (PyTorch-StudioGAN, utils/losses.py, LeCamEMA): those of the last
    update alone before step `lecam_start`."""

    def observe(means, round):
        decay = jnp.where(round.view.step < rules.lecam_start, 0.0, rules.lecam_decay)
        seen = {"real": round.real_verdict.logits.mean(), "fake": round.fake_verdict.logits.mean()}
        return jax.lax.stop_gradient(jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, means, seen))

    return Memory(lambda: {"real": jnp.float32(0), "fake": jnp.float32(0)}, observe)


def _of_paths(decay):
    """The moving mean of path lengths, through which the gradient flows, see `losses.path_length`."""
    return Memory(lambda: jnp.float32(0), lambda mean, round: mean + decay * (paths.lengths(round).mean() - mean))


def _of_weights(network, shapes):
    """The mean of a network's weights over all its updates, as many bytes as they take."""

    def start():
        return {"count": jnp.float32(0), "mean": jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)}

    def observe(entry, round):
        count = entry["count"] + 1
        now = jax.lax.stop_gradient(round.view.params[network])
        mean = jax.tree.map(lambda mean, new: mean + (new - mean) / count, entry["mean"], now)
        return {"count": count, "mean": mean}

    return Memory(start, observe)
