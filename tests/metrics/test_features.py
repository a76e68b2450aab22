"""One pass over images: what is kept does not depend on batches and devices, and padding never counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from gan_jax.data.source import ArraySource
from gan_jax.engine import sharding
from gan_jax.errors import ConfigError, UserError
from gan_jax.metrics.extractor import Extractor
from gan_jax.metrics.features import RUN, Judge, one_pass
from gan_jax.metrics.real import RealImages
from gan_jax.metrics.reference import References

COUNT = 2 * RUN + 77
IMAGES = np.random.RandomState(0).randint(0, 256, (COUNT, 4, 4, 1)).astype(np.uint8)
SOURCE = ArraySource("some", IMAGES, np.arange(COUNT) % 3, ("a", "b", "c"))


def flat(variables, images):
    rows = images.reshape(len(images), -1).astype(jnp.float32)
    return {"pixels": rows * variables["scale"], "mean": rows.mean(axis=1, keepdims=True)}


EXTRACTOR = Extractor("flat", "00ff", "none", {"scale": jnp.float32(2)}, flat, "pixels")


def judge(devices=1, extractor=EXTRACTOR):
    mesh = sharding.data_mesh(devices)
    return Judge(extractor, ["pixels"], ["mean"], NamedSharding(mesh, PartitionSpec())), mesh


def passed(batch, devices=1, count=None):
    judges, mesh = judge(devices)
    real = RealImages.of(SOURCE, count, "some")
    place = lambda images: sharding.spread(images, NamedSharding(mesh, PartitionSpec("data")))  # noqa: E731
    return one_pass(real.batches(batch, place), [judges])[0], real


@pytest.mark.parametrize(("batch", "devices"), [(64, 1), (7, 1), (1024, 4), (3000, 4)])
def test_every_image_counts_once_whatever_the_batch_and_the_devices(batch, devices):
    features, real = passed(batch, devices)
    rows = IMAGES[real.indices].reshape(COUNT, -1).astype(np.float64)
    moments = features.moments["pixels"]
    assert moments.count == COUNT
    np.testing.assert_allclose(moments.mean, 2 * rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance(), 4 * np.cov(rows, rowvar=False), rtol=1e-10, atol=1e-8)
    np.testing.assert_allclose(features.rows["mean"][:, 0], rows.mean(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(features.labels, SOURCE.labels[real.indices])
    assert set(features.moments) == {"pixels"}
    assert set(features.rows) == {"mean"}


def test_moments_are_the_same_bit_for_bit_in_batches_of_another_size():
    (first, _), (second, _) = passed(64), passed(500, 4)
    np.testing.assert_array_equal(first.moments["pixels"].scatter, second.moments["pixels"].scatter)


def test_some_images_are_a_fixed_choice_from_all_classes():
    _, real = passed(64, count=30)
    again = RealImages.of(SOURCE, 60, "some")
    np.testing.assert_array_equal(real.indices, again.indices[:30])
    assert set(real.labels) == {0, 1, 2}
    images, labels = real.examples()
    np.testing.assert_array_equal(images, IMAGES[real.indices])
    np.testing.assert_array_equal(labels, real.labels)
    with pytest.raises(ConfigError, match=rf"reference_count is {COUNT + 1}: some has {COUNT} images"):
        RealImages.of(SOURCE, COUNT + 1, "some")


def test_features_that_are_not_finite_are_refused():
    broken = Extractor("odd", "", "none", {}, lambda _, x: {"pixels": flat({"scale": 1}, x)["pixels"] / 0}, "pixels")
    judges = Judge(broken, ["pixels"], [], NamedSharding(sharding.data_mesh(1), PartitionSpec()))
    with pytest.raises(UserError, match="odd: its output pixels holds NaN or infinite"):
        one_pass([(jnp.zeros((2, 4, 4, 1), jnp.uint8), np.zeros(2), 2)], [judges])


# ---- files of references ----


def references(folder, reads=None, **changed):
    real = RealImages.of(SOURCE, 300, "some")

    def batches():
        if reads is not None:
            reads.append(1)
        return real.batches(64, jnp.asarray)

    return References({**real.description, **changed}, batches, folder)


def test_references_are_made_once_and_found_again(tmp_path):
    reads = []
    (made,) = references(tmp_path, reads).of([judge()[0]])
    (found,) = references(tmp_path, reads).of([judge()[0]])
    assert len(reads) == 1
    jax.tree.map(np.testing.assert_array_equal, made.rows, found.rows)
    np.testing.assert_array_equal(made.moments["pixels"].scatter, found.moments["pixels"].scatter)
    np.testing.assert_array_equal(made.labels, found.labels)


def test_other_data_weights_or_resizing_make_other_files(tmp_path):
    reads = []
    references(tmp_path, reads).of([judge()[0]])
    references(tmp_path, reads, reference_identity="other").of([judge()[0]])
    for field in ("sha256", "resize"):
        other = Extractor(**{**EXTRACTOR.__dict__, field: "another"})
        references(tmp_path, reads).of([judge(extractor=other)[0]])
    assert len(reads) == 4
    assert len(list(tmp_path.iterdir())) == 8


def test_a_file_of_another_protocol_is_refused_and_the_field_is_named(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    references(first).of([judge()[0]])
    references(second, reference_count=299).of([judge()[0]])
    for ours, other in zip(sorted(first.iterdir()), sorted(second.iterdir()), strict=True):
        ours.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match="statistics of another protocol: its reference_count is 299, expected 300"):
        references(first).of([judge()[0]])


def test_a_damaged_file_is_a_sentence(tmp_path):
    references(tmp_path).of([judge()[0]])
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="is damaged or holds no reference statistics"):
        references(tmp_path).of([judge()[0]])
