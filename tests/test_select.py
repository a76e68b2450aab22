"""`gan-jax select`: the file that it writes is a data set."""

import json

import numpy as np
import pytest
from ml_collections import ConfigDict

from gan_jax import config as configs
from gan_jax.data.pipeline import Pipeline
from gan_jax.data.source import open_source
from gan_jax.errors import ConfigError
from gan_jax.metrics.classifier import predict
from gan_jax.metrics.extractors import encoder
from gan_jax.metrics.selection import densest
from gan_jax.select import select


@pytest.fixture(scope="module")
def chosen(tmp_path_factory, request):
    out = tmp_path_factory.mktemp("chosen") / "kept.json"
    config = configs.load(f"{request.config.rootpath}/configs/dcgan_digits.py", ["data.source=digits:test"])
    record, text = select(config, "digits", 0.5, out)
    return config, out, record, text


def opened(config, out, **fields):
    return open_source(ConfigDict({**config.data.to_dict(), "source": f"chosen:{out}", **fields}))


def test_the_likeliest_half_of_every_class_is_a_data_set(chosen):
    config, out, record, text = chosen
    whole, part = open_source(config.data), opened(config, out)
    description, variables = encoder.read(encoder.BUILT_IN / "digits")
    features, _ = predict(description.module(), variables, whole.images)
    expected = densest(features, whole.labels, 0.5)
    np.testing.assert_array_equal(json.loads(out.read_text())["indices"], expected)
    np.testing.assert_array_equal(part.all_labels(), whole.labels[expected])
    np.testing.assert_array_equal(part.read(np.arange(len(part)))["image"], whole.images[expected])
    np.testing.assert_array_equal(part[3]["image"], whole.images[expected[3]])
    assert (part.class_names, part.image_shape) == (whole.class_names, whole.image_shape)
    assert part.identity != whole.identity
    assert (record["chosen"], record["examples"], record["extractor"]) == (len(part), 360, "digits")
    assert f"{len(part)} of 360 images" in text
    batch = Pipeline(part, config.data, seed=0).read(0, (1, 1, 16))
    assert batch["image"].shape == (1, 1, 16, 16, 16, 1)


def test_the_same_choice_is_made_again(chosen, tmp_path):
    config, out, _, _ = chosen
    select(config, "digits", 0.5, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == out.read_text()


def test_files_that_are_none_and_data_that_are_others_are_sentences(chosen, tmp_path):
    config, out, _, _ = chosen
    with pytest.raises(ConfigError, match=r"no\.json cannot be read.*gan-jax select"):
        opened(config, tmp_path / "no.json")
    (tmp_path / "other.json").write_text('{"data": "digits"}')
    with pytest.raises(ConfigError, match=r"other\.json is no file of gan-jax select \(KeyError"):
        opened(config, tmp_path / "other.json")
    with pytest.raises(ConfigError, match="was made of digits:test with 360 examples, .* but it has 360 examples"):
        opened(config, out, resolution=8)
    with pytest.raises(ConfigError, match="--keep is 2"):
        select(config, "digits", 2, tmp_path / "no.json")
    with pytest.raises(ConfigError, match="there is no extractor 'eyes'"):
        select(config, "eyes", 0.5, tmp_path / "no.json")
