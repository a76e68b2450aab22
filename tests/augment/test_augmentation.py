"""What a config section makes of images and state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from gan_jax.augment.augmentation import build
from gan_jax.errors import ConfigError

IMAGES = np.random.RandomState(0).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
ADA = {"name": "ada", "transforms": "color", "p": 0.5}


def augmented(section, key=0, seen=0, aux=None):
    built = build(ConfigDict(section))
    aux = built.aux() if aux is None else aux
    return np.asarray(jax.jit(built.apply)(aux, jax.random.key(key), IMAGES, jnp.uint32(seen)))


def test_none_leaves_images_as_they_are():
    built = build(ConfigDict({"name": "none"}))
    np.testing.assert_array_equal(augmented({"name": "none"}), IMAGES)
    assert (built.aux(), built.observe({}, jnp.ones(3)), built.adapt) == ({}, {}, None)


@pytest.mark.parametrize("section", [ADA, {"name": "diffaugment", "policy": ("color", "cutout")}])
def test_augmentations_change_images_by_the_key_alone(section):
    once, other = augmented(section), augmented(section, key=1)
    assert once.shape == IMAGES.shape
    assert np.abs(once - IMAGES).max() > 0.1
    assert np.abs(once - other).max() > 0.1
    np.testing.assert_array_equal(once, augmented(section))


def test_a_target_makes_p_adaptive_from_where_it_starts():
    built = build(ConfigDict({**ADA, "target": 0.6}))
    aux = built.aux()
    assert (float(aux["p"]), float(aux["count"])) == (0.5, 0)
    every, adapt = built.adapt
    np.testing.assert_allclose(adapt(built.observe(aux, jnp.ones(64)), 64)["p"], 0.5 + 64 * 4 / 500_000)
    assert every == 4
    built = build(ConfigDict({**ADA, "target": 0.6, "interval": 8, "horizon_kimg": 100}))
    every, adapt = built.adapt
    np.testing.assert_allclose(adapt(built.observe(aux, jnp.ones(64)), 64)["p"], 0.5 + 64 * 8 / 100_000)
    assert every == 8


def test_p_of_the_state_decides():
    section = {**ADA, "target": 0.6}
    still = augmented(section, aux={"p": jnp.float32(0), "signs": jnp.float32(0), "count": jnp.float32(0)})
    np.testing.assert_allclose(still, IMAGES, atol=1e-6)
    np.testing.assert_array_equal(augmented(section), augmented(ADA))


def test_a_scheduled_p_rises_with_the_images_seen():
    section = {**ADA, "p": {"start": 0.0, "end": 1.0, "until_kimg": 100}}
    np.testing.assert_allclose(augmented(section, seen=0), IMAGES, atol=1e-6)
    np.testing.assert_array_equal(augmented(section, seen=100_000), augmented({**ADA, "p": 1.0}))
    assert build(ConfigDict(section)).adapt is None


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("diffaugment", {"policy": ("color", "translation", "cutout")}),
        ("ada", {"transforms": "bgc", "p": 0.0, "target": 0.6, "interval": 4, "horizon_kimg": 500}),
    ],
)
def test_a_name_alone_means_the_published_setting(name, fields):
    short, long = build({"name": name}), build({"name": name, **fields})
    aux = {**long.aux(), **({"p": jnp.float32(0.8)} if name == "ada" else {})}
    assert short.aux() == long.aux()
    images = jnp.linspace(-1, 1, 4 * 16 * 16 * 3).reshape(4, 16, 16, 3)
    found, expected = (each.apply(aux, jax.random.key(0), images, jnp.uint32(0)) for each in (short, long))
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, images)
    if short.adapt:
        seen = short.observe(aux, jnp.ones(8))
        assert (short.adapt[0], short.adapt[1](seen, 64)) == (long.adapt[0], long.adapt[1](seen, 64))


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"name": "adda"}, 'augment.name is \'adda\': expected "none", "diffaugment" or "ada"'),
        ({"name": "none", "p": 0.5}, "augment has 'p': the fields of 'none' are ['name']"),
        (
            {**ADA, "pipe": "bgc"},
            "augment has 'pipe': the fields of 'ada' are ['horizon_kimg', 'interval', 'name', 'p'",
        ),
        ({**ADA, "p": -0.5}, "augment.p is -0.5: expected 0 or more"),
        ({**ADA, "p": "high"}, "augment.p is 'high': expected a number, or start, end and until_kimg"),
        ({**ADA, "target": "high"}, "augment.target is 'high': expected 0 or more"),
        ({**ADA, "transforms": {"color": "much"}}, "augment.transforms.color is 'much': expected 0 or more"),
        ({"name": "diffaugment", "policy": "color"}, "augment.policy is the text 'color': expected a tuple"),
        ({**ADA, "target": 0.6, "interval": 0}, "augment.interval is 0: expected 1 (every step) or more"),
        ({**ADA, "target": 0.6, "horizon_kimg": "500 kimg"}, "augment.horizon_kimg is '500 kimg': expected a number"),
        (
            {**ADA, "p": {"start": 0.0, "end": 0.5, "until_kimg": 0}},
            "augment.p.until_kimg is 0: expected a number above",
        ),
        (
            {**ADA, "p": {"start": 0.0, "end": 0.5, "until_kimg": 1}, "target": 0.6},
            "augment.target is 0.6 beside a schedule of p: set target to None, or p to a number",
        ),
    ],
)
def test_a_section_that_cannot_be_used_is_refused_in_a_sentence(section, sentence):
    with pytest.raises(ConfigError) as error:
        build(ConfigDict(section))
    assert sentence in str(error.value)
