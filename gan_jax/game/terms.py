"""Terms of the two players' losses beside the adversarial one, by the rule that weighs them.

Each is a pure function `(round, rules, key) -> scalar`, means over the batch.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.augment import augmentation
from gan_jax.game import paths
from gan_jax.game.round import Round
from gan_jax.game.rules import CommonRules
from gan_jax.layers.heads import Verdict
from gan_jax.layers.rotation import turned
from gan_jax.losses import matching, orthogonal, penalties
from gan_jax.losses.auxiliary import class_cross_entropy

Term = Callable[[Round, CommonRules, jax.Array], jax.Array]
Weighed = tuple[str, float, Term]  # name, weight, term


def gradient_penalty(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    """Where labels matter, images between the two have those of the real ones, as in PyTorch-StudioGAN."""
    return penalties.gradient_penalty(*_between(round, key))


def max_gradient(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return penalties.max_gradient_penalty(*_between(round, key))


def dragan(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    """Of pairs, the images alone move."""
    key_alpha, key_noise = jax.random.split(key)
    alpha, noise = round.uniform(key_alpha, (len(round.real),)), round.uniform(key_noise, round.real.shape)
    critic, real = dataclasses.replace(round, pairs=False).critic(round.real, round.real_labels)
    return penalties.dragan_penalty(critic, real, alpha, noise)


def r1(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return penalties.zero_centred_penalty(*round.critic(round.real, round.real_labels)) / 2


def r2(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return penalties.zero_centred_penalty(*round.critic(round.fake, round.fake_labels)) / 2


def lecam(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    means = round.memory["lecam"]
    value = penalties.lecam(round.real_verdict.logits, round.fake_verdict.logits, means["real"], means["fake"])
    return jnp.where(round.view.step > rules.lecam_start, value, 0)


def consistency(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return _change(round.real_verdict, _moved(round, rules, key, round.real, round.real_labels))


def consistency_fake(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return _change(round.fake_verdict, _moved(round, rules, key, round.fake, round.fake_labels))


def latent_consistency(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    neighbours = _neighbours(round, rules, key)
    return _change(round.fake_verdict, round.judge(neighbours, round.fake_labels, augmented=False))


def latent_diversity(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return -matching.squared_difference(round.fake, _neighbours(round, rules, key))


def rotation(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return _turns(round, round.real, round.real_labels)


def rotation_generator(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return _turns(round, round.fake, round.fake_labels)


def path_length(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return jnp.square(paths.lengths(round) - round.memory["path_length"]).mean()


def feature_matching(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    features = (verdict.features for verdict in (round.fake_verdict, round.real_verdict))
    return matching.feature_matching(*features, rules.feature_distance)


def orthogonal_penalty(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
    return orthogonal.orthogonal_penalty(round.view.params["G"], 1.0)


def distance_from_history(player: str) -> Term:
    """Squared distance of a player's weights from their means over all steps (arXiv 1606.03498, section 3.3)."""

    def term(round: Round, rules: CommonRules, key: jax.Array) -> jax.Array:
        means = jax.lax.stop_gradient(round.memory[f"history_{player}"]["mean"])
        squares = jax.tree.map(lambda new, mean: jnp.square(new - mean).sum(), round.view.params[player], means)
        return sum(jax.tree.leaves(squares), jnp.float32(0))

    return term


DISCRIMINATOR: dict[str, Term] = {
    "gradient_penalty": gradient_penalty,
    "dragan": dragan,
    "max_gradient": max_gradient,
    "r1": r1,
    "r2": r2,
    "lecam": lecam,
    "consistency": consistency,
    "consistency_fake": consistency_fake,
    "latent_consistency": latent_consistency,
    "rotation": rotation,
    "historical_averaging": distance_from_history("D"),
}
GENERATOR: dict[str, Term] = {
    "orthogonal": orthogonal_penalty,
    "latent_diversity": latent_diversity,
    "rotation_generator": rotation_generator,
    "path_length": path_length,
    "feature_matching": feature_matching,
    "historical_averaging": distance_from_history("G"),
}
# What the discriminator's head is asked for them, `{name: size}`.
QUESTIONS = {"rotation": {"rotation": 4}, "rotation_generator": {"rotation": 4}}
# Those that differentiate the logits of single images by their pixels.
PENALTIES = ("gradient_penalty", "dragan", "max_gradient", "r1", "r2")


def weighed(table: dict[str, Term], rules: CommonRules) -> list[Weighed]:
    """The terms of a table that the rules give a weight."""
    return [(name, weight, term) for name, term in table.items() if (weight := getattr(rules, name))]


def questions(rules: CommonRules) -> dict[str, int]:
    """What the terms that have a weight ask of the discriminator's head."""
    return {name: size for rule, asked in QUESTIONS.items() if getattr(rules, rule) for name, size in asked.items()}


def head(rules: CommonRules, more: Mapping[str, int] = MappingProxyType({})) -> dict[str, Any]:
    """Fields of the discriminator's `layers.heads.Head`, which is asked `more` besides."""
    return {"questions": {**questions(rules), **more}, "minibatch": rules.minibatch_discrimination}


def total(
    terms: Sequence[Weighed], round: Round, rules: CommonRules, key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The weighted sum of terms, and each of them by name, for the log."""
    values = {name: term(round, rules, jax.random.fold_in(key, n)) for n, (name, _, term) in enumerate(terms)}
    return sum((weight * values[name] for name, weight, _ in terms), jnp.float32(0)), values


def _between(round, key):
    """A critic, its input of real and of generated images, and how far on the way from one to the other."""
    critic, real = round.critic(round.real, round.real_labels)
    _, fake = round.critic(round.fake, round.fake_labels)
    return critic, real, fake, round.uniform(key, (len(round.real),))


def _moved(round, rules, key, images, labels) -> Verdict:
    move = augmentation.build(rules.consistency_augment)
    return round.judge(move.apply(move.aux(), key, images, round.view.images), labels, augmented=False)


def _turns(round, images, labels):
    """Cross-entropy of the discriminator's answer to how images are turned.

    Form: compare_gan, gans/ssgan.py, which takes every way of a quarter of the images; here each image goes one way, so
    that all stay on their devices.
    """
    images, turns = turned(images)
    return class_cross_entropy(round.judge(images, labels).answers["rotation"], round.view.shard(turns))


def _neighbours(round, rules, key):
    noise = rules.latent_sigma * round.view.normal(key, round.z.shape)
    return round.generate(round.z + noise, round.fake_labels)


def _change(verdict, other):
    """Squared change of the logits, and of what is said of classes (PyTorch-StudioGAN, worker.py)."""
    change = matching.squared_difference(verdict.logits, other.logits)
    for name in ("classes", "embedding"):
        if name in verdict.answers:
            change += matching.squared_difference(verdict.answers[name], other.answers[name])
    return change
