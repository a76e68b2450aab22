"""The game of two: every rule adds what it says, statistics and memories go on, what cannot work is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.engine import state
from gan_jax.errors import ConfigError
from gan_jax.game import terms
from gan_jax.game.rules import Rules, read, section
from tests.game.arena import BATCH, batch, born, leaves, play, recipe_of, view_of


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


@pytest.fixture(scope="module")
def plain(request):
    """The values of both losses without any term."""
    recipe = recipe_of()
    return {phase: float(play(recipe, phase)[0]) for phase in ("discriminator", "generator")}


def test_every_weight_has_a_term_and_every_term_a_weight():
    fields = {field.name for field in dataclasses.fields(Rules)}
    assert set(terms.DISCRIMINATOR) | set(terms.GENERATOR) <= fields
    numbers = {f.name for f in dataclasses.fields(Rules) if f.type is float and f.default == 0}
    assert numbers - set(terms.DISCRIMINATOR) - set(terms.GENERATOR) == {"label_smoothing", "clip", "pseudo"}


@pytest.mark.parametrize("name", terms.DISCRIMINATOR)
def test_a_term_of_the_discriminator_counts_by_its_weight(name, plain):
    value, out = play(recipe_of(**{name: 0.5, "lecam_start": 0}), "discriminator", step=jnp.int32(3))
    assert np.isfinite(value)
    assert out.metrics[name] >= 0
    np.testing.assert_allclose(value, plain["discriminator"] + 0.5 * out.metrics[name], rtol=1e-5)
    if name != "historical_averaging":  # at first the mean is the weights themselves
        assert out.metrics[name] > 0


def test_path_lengths_are_held_to_their_moving_mean():
    recipe = recipe_of(path_length=1.0, path_length_decay=0.25)
    current = born(recipe)
    _, first = play(recipe, "generator", current)
    mean = first.aux["path_length"] / 0.25  # it was 0
    moved = state.dataclasses.replace(current, aux={**current.aux, "path_length": mean})
    _, later = play(recipe, "generator", moved)
    np.testing.assert_allclose(later.aux["path_length"], mean, rtol=1e-5)
    # The mean of (x - a)^2 is the variance and the squared distance of the mean from a.
    variance = later.metrics["path_length"]
    np.testing.assert_allclose(first.metrics["path_length"], variance + (0.75 * mean) ** 2, rtol=1e-4)
    assert 0 < variance < first.metrics["path_length"]


@pytest.mark.parametrize("name", terms.GENERATOR)
def test_a_term_of_the_generator_counts_by_its_weight(name, plain):
    also = {"rotation": 1.0} if name == "rotation_generator" else {}  # by which the discriminator learns to tell
    value, out = play(recipe_of(**{name: 0.5}, **also), "generator")
    np.testing.assert_allclose(value, plain["generator"] + 0.5 * out.metrics[name], rtol=1e-5)
    assert (out.metrics[name] < 0) == (name == "latent_diversity")  # images are to differ


def test_the_penalties_are_those_of_the_judge(plain):
    """R1 by finite differences of one pixel's neighbourhood: the squared gradient, halved."""
    recipe, current = recipe_of(r1=1.0), born(recipe_of())
    _, out = play(recipe, "discriminator", current)
    module = recipe.networks["D"].module
    real = batch()["image"] / np.float32(127.5) - 1

    def logits(images):
        return module.apply({"params": current.params["D"]}, images, batch()["label"]).logits.sum()

    expected = np.square(jax.grad(logits)(jnp.asarray(real))).sum((1, 2, 3)).mean() / 2
    np.testing.assert_allclose(out.metrics["r1"], expected, rtol=1e-4)


def test_statistics_of_both_networks_advance_in_the_updates_of_either_player():
    recipe = recipe_of("batch", {"data.resolution": 16})
    current = born(recipe)
    for phase in ("discriminator", "generator"):
        _, out = play(recipe, phase, current, batch(side=16))
        for network in "GD":
            assert not np.allclose(leaves(out.stats[network]), leaves(current.stats[network]))


def test_a_discriminator_with_batch_statistics_sees_real_and_generated_images_apart():
    recipe = recipe_of("batch", {"data.resolution": 16})
    current = born(recipe)
    _, out = play(recipe, "discriminator", current, batch(side=16))
    module = recipe.networks["D"].module
    real = jnp.asarray(batch(side=16)["image"] / np.float32(127.5) - 1)
    verdict, _ = module.apply(
        {"params": current.params["D"], **current.stats["D"]}, real, batch()["label"], mutable=["batch_stats"]
    )
    np.testing.assert_allclose(out.metrics["real_logit"], verdict.logits.mean(), rtol=1e-4)


def test_with_minibatch_discrimination_real_images_are_compared_with_real_ones():
    recipe = recipe_of(minibatch_discrimination=3)
    current = born(recipe)
    _, out = play(recipe, "discriminator", current)
    real = jnp.asarray(batch()["image"] / np.float32(127.5) - 1)
    verdict = recipe.networks["D"].module.apply({"params": current.params["D"]}, real, batch()["label"])
    np.testing.assert_allclose(out.metrics["real_logit"], verdict.logits.mean(), rtol=1e-4)
    assert current.params["D"]["head"]["minibatch"]["theta"].shape[1] == 3


def test_memories_go_on():
    recipe = recipe_of(lecam=1.0, lecam_decay=0.75, lecam_start=2, historical_averaging=1.0)
    current = born(recipe)
    _, first = play(recipe, "discriminator", current, step=jnp.int32(0))
    logits = {"real": first.metrics["real_logit"], "fake": first.metrics["fake_logit"]}
    for name, value in logits.items():  # before the start, the last update alone
        np.testing.assert_allclose(first.aux["lecam"][name], value, rtol=1e-6)
    assert first.metrics["lecam"] == 0
    remembered = dataclasses.replace(
        current, aux={**current.aux, "lecam": {"real": jnp.float32(4), "fake": jnp.float32(2)}}
    )
    _, later = play(recipe, "discriminator", remembered, step=jnp.int32(3))
    np.testing.assert_allclose(later.aux["lecam"]["real"], 0.75 * 4 + 0.25 * logits["real"], rtol=1e-5)
    np.testing.assert_allclose(later.aux["lecam"]["fake"], 0.75 * 2 + 0.25 * logits["fake"], rtol=1e-5)

    history = first.aux["history_D"]
    assert history["count"] == 1
    np.testing.assert_allclose(leaves(history["mean"]), leaves(current.params["D"]), rtol=1e-6)
    moved = dataclasses.replace(
        current,
        params={**current.params, "D": jax.tree.map(lambda w: w + 2, current.params["D"])},
        aux={**current.aux, "history_D": history},
    )
    _, second = play(recipe, "discriminator", moved)
    np.testing.assert_allclose(
        leaves(second.aux["history_D"]["mean"]), leaves(current.params["D"]) + 1, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(second.metrics["historical_averaging"], leaves(current.params["D"]).size, rtol=1e-4)


def test_pseudo_augmentation_hands_generated_images_out_as_real_ones():
    recipe = recipe_of(pseudo=0.6)
    current = born(recipe)
    _, never = play(recipe, "discriminator", current)
    entry = {**current.aux["pseudo"], "p": jnp.float32(1)}
    _, always = play(recipe, "discriminator", dataclasses.replace(current, aux={**current.aux, "pseudo": entry}))
    assert abs(never.metrics["real_logit"] - never.metrics["fake_logit"]) > 1e-3
    np.testing.assert_allclose(always.metrics["real_logit"], always.metrics["fake_logit"], rtol=1e-5)
    assert always.aux["pseudo"]["count"] == BATCH
    assert "pseudo" in [phase.name for phase in recipe.phases]


def test_pseudo_augmentation_hands_labels_out_with_the_images():
    auxiliary = {"name": "auxiliary", "weight": 1.0, "weight_fake": 0.0, "weight_generator": 1.0}
    recipe = recipe_of(pseudo=0.6, conditioning=auxiliary)
    current = born(recipe)
    entry = {**current.aux["pseudo"], "p": jnp.float32(1)}
    current = dataclasses.replace(current, aux={**current.aux, "pseudo": entry})
    others = {**batch(), "label": (batch()["label"] + 1) % 3}
    values = [play(recipe, "discriminator", current, data)[0] for data in (batch(), others)]
    assert values[0] == values[1]  # labels of real images, none of which is left, are of no account


def test_latents_differ_from_microbatch_to_microbatch_in_path_lengths():
    recipe = recipe_of(path_length=1.0)
    phase, current = recipe.phases[1], born(recipe)
    lengths = [phase.loss(view_of(recipe, current), batch(), jax.random.key(n))[1].aux["path_length"] for n in (1, 2)]
    assert lengths[0] != lengths[1]


def test_standing_statistics_are_those_of_batch_normalisation_alone():
    assert recipe_of(extra={"model.G.norm": "batch"}).standing is not None
    assert recipe_of(extra={"model.G.norm": "layer"}).standing is None


def test_virtual_batch_normalisation_keeps_the_first_real_images_as_its_reference():
    recipe = recipe_of("virtual", {"data.resolution": 16, "model.G.norm": "virtual"})
    current, data = born(recipe), batch(side=16)
    _, first = play(recipe, "discriminator", current, data, step=jnp.int32(0))
    reference = first.aux["reference"]["image"]
    np.testing.assert_allclose(reference, data["image"] / np.float32(127.5) - 1, atol=1e-6)
    remembered = dataclasses.replace(current, aux={**current.aux, **first.aux})
    _, later = play(recipe, "discriminator", remembered, batch(1, side=16), step=jnp.int32(5))
    np.testing.assert_array_equal(later.aux["reference"]["image"], reference)
    assert np.isfinite(play(recipe, "generator", remembered, batch(1, side=16))[0])


def test_the_reference_of_virtual_batch_normalisation_may_have_vectors_for_labels():
    recipe = recipe_of("virtual", {"data.resolution": 16, "data.labels": "vector"})
    vectors = {**batch(side=16), "label": np.eye(3, dtype=np.float32)[batch()["label"]]}
    _, out = play(recipe, "discriminator", born(recipe), vectors, step=jnp.int32(0))
    np.testing.assert_array_equal(out.aux["reference"]["label"], vectors["label"])


def test_who_plays_when():
    names = [phase.name for phase in recipe_of().phases]
    assert names == ["discriminator", "generator"]
    first, second = recipe_of(generator_first=True, discriminator_steps=5, generator_batches=2).phases
    assert (first.name, first.batches, first.every(0), first.every(1)) == ("generator", 2, False, True)
    assert (second.name, second.repeat) == ("discriminator", 5)


def test_a_generator_may_learn_from_twice_the_batch_or_from_the_best(plain):
    value, _ = play(recipe_of(generator_batches=2), "generator", data=batch(size=2 * BATCH))
    assert np.isfinite(value)
    best, _ = play(recipe_of(top_k=0.5), "generator", images=jnp.uint32(10**9))
    every, _ = play(recipe_of(top_k=0.5), "generator", images=jnp.uint32(0))
    np.testing.assert_allclose(every, plain["generator"], rtol=1e-5)
    assert best < every


def test_clipping_bounds_all_weights_of_the_discriminator():
    players = recipe_of(clip=0.01).players
    clipped = players["discriminator"].project({"D": {"w": jnp.array([-1.0, 0.005, 1.0])}})
    np.testing.assert_array_equal(clipped["D"]["w"], np.float32([-0.01, 0.005, 0.01]))
    assert players["generator"].project is None
    assert recipe_of().players["discriminator"].project is None


@pytest.mark.parametrize(
    "loss", ["relativistic", *(pytest.param(name, marks=pytest.mark.slow) for name in ("hinge", "wasserstein"))]
)
def test_any_loss_can_be_played(loss):
    recipe = recipe_of(loss=loss)
    assert all(np.isfinite(play(recipe, phase)[0]) for phase in ("discriminator", "generator"))


@pytest.mark.parametrize(
    ("norm", "rules", "message"),
    [
        ("batch", {"r1": 1.0}, r"config.phases.r1 penalises .* batch normalisation, .* to \"layer\" or \"none\""),
        ("ghost:2", {"gradient_penalty": 1.0}, "batch normalisation, which mixes the images"),
        ("none", {"clip": 0.1, "dragan": 1.0}, "clip is 0.1 beside config.phases.dragan"),
        ("none", {"r1": -1.0}, "config.phases.r1 is -1.0: expected 0 or more"),
        ("none", {"discriminator_steps": 0}, "discriminator_steps is 0: expected 1 or more"),
        ("none", {"top_k": 0.0}, "top_k is 0.0: expected a share above 0"),
        ("none", {"loss": "hinges"}, "the adversarial loss is 'hinges'"),
        ("none", {"conditioning": {"name": "projective"}}, "conditioning.name is 'projective'"),
        ("none", {"augment": {"name": "all"}}, "augment.name is 'all'"),
    ],
)
def test_what_cannot_be_played_is_a_sentence(norm, rules, message):
    extra = {"data.resolution": 16} if norm != "none" else {}
    with pytest.raises(ConfigError, match=message):
        recipe_of(norm, extra, **rules)


def test_one_image_has_no_batch_statistics():
    with pytest.raises(ConfigError, match="batch_size is 4 in 4 microbatches, one image each"):
        recipe_of(extra={"train.batch_size": 4, "train.microbatches": 4})


def test_a_rule_that_there_is_not_is_named():
    with pytest.raises(ConfigError, match="config.phases has 'r3': the rules of this game are loss, "):
        read(Rules, {**section(Rules()), "r3": 1.0})
