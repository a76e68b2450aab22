"""Terms of the two players' losses, and their gradients, against their formulas in numpy, with players that are linear."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.augment import augmentation, diffaugment
from gan_jax.engine import sharding
from gan_jax.engine.recipe import Stage, View
from gan_jax.game import memory, terms
from gan_jax.game.round import Round
from gan_jax.game.rules import Rules
from gan_jax.layers.heads import Verdict
from tests.slopes import slopes

RANDOM = np.random.RandomState(0)
COUNT, SIDE, SIZE = 5, 4, 3


def drawn(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


REAL, Z = drawn(COUNT, SIDE, SIDE, 1), drawn(COUNT, SIZE)
REAL_LABELS, FAKE_LABELS = np.array([0, 1, 1, 0, 1]), np.array([1, 0, 1, 0, 0])
# Of the discriminator two rows are of the label, the others of the pixels.
SIZES = {"logit": 1, "features": 6, "classes": 3, "embedding": 2, "rotation": 4}
WEIGHTS = {
    "D": {name: drawn(2 + SIDE**2, size) for name, size in SIZES.items()},
    "G": {"kernel": drawn(SIZE, SIDE**2), "gain": drawn(2)},
}
RULES = Rules(latent_sigma=0.5, path_length_decay=0.25, path_length=1.0, historical_averaging=1.0)
KEY, SHARED = jax.random.key(1), jax.random.key(2)


def judge(weights, images, labels, augmented=True):
    """Augmented images are half as bright."""
    pixels = images.reshape(COUNT, -1) * (0.5 if augmented else 1.0)
    said = {name: w[labels] + pixels @ w[2:] for name, w in weights.items()}
    return Verdict(said.pop("logit")[:, 0], said.pop("features"), said)


def generate(weights, z, labels):
    return (weights["gain"][labels, None] * (z @ weights["kernel"])).reshape(REAL.shape)


def round_of(weights, remember):
    view = View({}, weights, {}, {}, {}, jnp.int32(0), jnp.uint32(0), Stage(), sharding.data_mesh(1))
    fake = generate(weights["G"], Z, FAKE_LABELS)
    verdicts = [judge(weights["D"], *pair) for pair in ((REAL, REAL_LABELS), (fake, FAKE_LABELS))]
    players = (
        lambda images, labels, augmented=True: judge(weights["D"], images, labels, augmented),
        lambda z, labels: generate(weights["G"], z, labels),
    )
    round = Round(view, jnp.asarray(REAL), REAL_LABELS, fake, FAKE_LABELS, jnp.asarray(Z), SHARED, *players, *verdicts)
    return dataclasses.replace(round, memory=remember(round))


def check(player, term, formula, remember=lambda round: {}, rules=RULES):
    """The value of a term and its gradient by a player's weights are those of `formula(weights)`."""

    def value(own):
        return term(round_of({**WEIGHTS, player: own}, remember), rules, KEY)

    found, gradient = jax.jit(jax.value_and_grad(value))(jax.tree.map(jnp.asarray, WEIGHTS[player]))
    weights = jax.tree.map(np.float64, WEIGHTS)
    np.testing.assert_allclose(found, formula(weights), rtol=1e-5)
    for name in WEIGHTS[player]:
        expected = slopes(
            lambda w, name=name: formula({**weights, player: {**weights[player], name: w}}), weights[player][name]
        )
        np.testing.assert_allclose(gradient[name], expected, rtol=1e-4, atol=1e-5 * max(np.abs(expected).max(), 1))


def shifted(images):
    """Images moved by whole pixels, zeros behind them, as far as the key draws."""
    shifts = diffaugment.draw(KEY, ("translation",), REAL.shape)["translation"]
    moved = np.zeros(REAL.shape)
    for n, (down, right) in enumerate(np.asarray(shifts)):
        for row in range(SIDE):
            for column in range(SIDE):
                if 0 <= row + down < SIDE and 0 <= column + right < SIDE:
                    moved[n, row, column] = images[n, row + down, column + right]
    assert np.abs(shifts).sum() > COUNT  # they do move
    return moved


def neighbours():
    return Z + 0.5 * np.asarray(jax.random.normal(KEY, Z.shape))


def change(before, after):
    """Of what is said of images: each answer counts by the mean of its squared changes."""
    pairs = [(before.logits, after.logits)]
    pairs += [(before.answers[name], after.answers[name]) for name in ("classes", "embedding")]
    return sum(((b - a) ** 2).mean() for b, a in pairs)


def test_real_images_are_to_be_judged_alike_when_moved():
    moved = shifted(REAL)

    def formula(weights):
        after = judge(weights["D"], moved, REAL_LABELS, augmented=False)
        return change(judge(weights["D"], REAL, REAL_LABELS), after)

    check("D", terms.consistency, formula)


def test_generated_images_are_to_be_judged_alike_when_moved():
    fake = generate(jax.tree.map(np.float64, WEIGHTS["G"]), Z, FAKE_LABELS)
    moved = shifted(fake)

    def formula(weights):
        after = judge(weights["D"], moved, FAKE_LABELS, augmented=False)
        return change(judge(weights["D"], fake, FAKE_LABELS), after)

    check("D", terms.consistency_fake, formula)


def test_images_of_neighbouring_latents_are_to_be_judged_alike():
    latents = (Z, neighbours())

    def formula(weights):
        images = [generate(weights["G"], z, FAKE_LABELS) for z in latents]
        after = judge(weights["D"], images[1], FAKE_LABELS, augmented=False)
        return change(judge(weights["D"], images[0], FAKE_LABELS), after)

    check("D", terms.latent_consistency, formula)


def test_images_of_neighbouring_latents_are_to_differ():
    latents = (Z, neighbours())

    def formula(weights):
        images = [generate(weights["G"], z, FAKE_LABELS) for z in latents]
        return -((images[0] - images[1]) ** 2).mean()

    check("G", terms.latent_diversity, formula)


@pytest.mark.parametrize("player", ["D", "G"])
def test_turns_of_images_are_to_be_told(player):
    def formula(weights):
        images, labels = REAL, REAL_LABELS
        if player == "G":
            images, labels = generate(weights["G"], Z, FAKE_LABELS), FAKE_LABELS
        turns = np.arange(COUNT) // 2 % 4
        turned = np.stack([np.rot90(*pair) for pair in zip(images, turns, strict=True)])
        said = np.exp(judge(weights["D"], turned, labels).answers["rotation"])
        return -np.log(said[np.arange(COUNT), turns] / said.sum(1)).mean()

    check(player, terms.rotation if player == "D" else terms.rotation_generator, formula)


def test_path_lengths_by_z_are_to_be_their_moving_mean_which_learns_too():
    noise = np.asarray(jax.random.normal(SHARED, REAL.shape), np.float64).reshape(COUNT, -1)

    def formula(weights):
        slopes_of_z = weights["G"]["gain"][FAKE_LABELS, None] * (noise @ weights["G"]["kernel"].T) / SIDE
        lengths = np.sqrt((slopes_of_z**2).sum(1))
        mean = 0.75 * 0.4 + 0.25 * lengths.mean()
        return ((lengths - mean) ** 2).mean()

    def remember(round):
        observe = memory.of_generator(RULES, WEIGHTS["G"])["path_length"].observe
        return {"path_length": observe(jnp.float32(0.4), round)}

    check("G", terms.path_length, formula, remember)


@pytest.mark.parametrize(("distance", "of"), [("l1", np.abs), ("l2", np.square)])
def test_mean_features_of_generated_images_are_to_be_those_of_real_ones(distance, of):
    def formula(weights):
        fake = judge(weights["D"], generate(weights["G"], Z, FAKE_LABELS), FAKE_LABELS)
        real = judge(weights["D"], REAL, REAL_LABELS)
        return of(fake.features.mean(0) - real.features.mean(0)).mean()

    check("G", terms.feature_matching, formula, rules=Rules(feature_distance=distance))


@pytest.mark.parametrize("player", ["D", "G"])
def test_weights_are_drawn_to_their_mean_which_stays(player):
    """The third weights of a player: their mean has moved a third of the way to them, and is a constant."""
    before = jax.tree.map(lambda w: 0.5 * np.cos(3 * w), WEIGHTS[player])
    means = jax.tree.map(lambda old, now: old + (now - old) / 3.0, before, WEIGHTS[player])

    def formula(weights):
        return sum(((weights[player][name] - mean) ** 2).sum() for name, mean in means.items())

    def remember(round):
        name = f"history_{player}"
        if player == "D":
            found = memory.of_discriminator(RULES, *[augmentation.build({"name": "none"})] * 2, WEIGHTS["D"])
        else:
            found = memory.of_generator(RULES, WEIGHTS["G"])
        return {name: found[name].observe({"count": jnp.float32(2), "mean": before}, round)}

    table = terms.DISCRIMINATOR if player == "D" else terms.GENERATOR
    check(player, table["historical_averaging"], formula, remember)
