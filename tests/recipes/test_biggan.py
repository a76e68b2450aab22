"""BigGAN's recipe says in a sentence which field of the model cannot be."""

import pytest

from gan_jax import config as configs
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError


@pytest.mark.parametrize("name", ["biggan_digits", "biggan_deep_imagenet128"])
@pytest.mark.parametrize("field", ["G.channels", "G.dim_z", "D.channels"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_width_below_one_names_its_field(name, field, value):
    config = configs.load(f"configs/{name}.py", [f"model.{field}={value}", "data.num_classes=10"])
    with pytest.raises(ConfigError, match=f"config.model.{field} is {value}: expected 1 or more"):
        load(config)


@pytest.mark.parametrize(
    ("overrides", "layer"),
    [
        (["recipe=biggan", "model.G.channels=1", "model.G.attention=16"], "attention_1/query"),  # an eighth of 4
        (["recipe=biggan", "model.G.dim_z=2"], "stem"),  # less than a number for each of three chunks
    ],
)
def test_a_width_too_small_for_its_parts_names_the_layer(overrides, layer):
    with pytest.raises(ConfigError, match=f"the layer {layer} would have a weight of shape"):
        load(configs.load("configs/biggan_digits.py", overrides))
