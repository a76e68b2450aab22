"""A run's compiled steps and batches."""

import jax
import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax.data.source import ArraySource, Source, open_source
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError, UserError
from gan_jax.run import Run, fit_to_data


class Polygons(Source):
    """Sixteen blank images of which some are damaged."""

    name, image_shape = "polygons", (28, 28, 1)

    def __init__(self, *damaged):
        self._damaged = damaged

    def __len__(self):
        return 16

    def __getitem__(self, index):
        if index in self._damaged:
            raise UserError(f"image {index} is damaged")
        return {"image": np.full(self.image_shape, index, np.uint8), "label": np.int32(-1)}


def make_run(source=None, *overrides):
    widths = ("model.G.channels=2", "model.D.channels=2")
    tiny = ("mesh.shape=(4,)", "train.batch_size=4", "phases.discriminator_steps=1", *widths, "data.count=16")
    config = configs.load("configs/wgan_gp_polygons.py:quick", [*tiny, *overrides])
    return Run(config, load(config), sharding.make_mesh(config.mesh), source or open_source(config.data))


@pytest.mark.slow
def test_without_jit_a_step_computes_the_same():
    config = configs.load("tests/faults/tiny.py")
    run = Run(config, load(config), sharding.make_mesh(config.mesh), open_source(config.data))
    initial = jax.device_get(state.born(run.recipe, run.target, 0))
    work = next(run.work(0))

    def step():
        current = jax.device_put(initial, state.shardings_of(run.target))
        return jax.device_get(run.compiled(work.stage, work.active)(current, work.batch))

    compiled = step()
    with jax.disable_jit():
        plain = step()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), compiled, plain)
    assert len(run.variants) == 1


def test_work_goes_on_at_the_same_example():
    run = make_run(None, "train.length=6 steps")
    straight, resumed = list(run.work(0)), list(run.work(4))
    assert [work.step for work in straight] == list(range(6))
    assert [work.images for work in straight] == [4, 8, 12, 16, 20, 24]
    assert [work.step for work in resumed] == [4, 5]
    for a, b in zip(straight[4:], resumed, strict=True):
        np.testing.assert_array_equal(a.batch["image"], b.batch["image"])


def test_damaged_images_are_replaced_and_told_once():
    works = list(make_run(Polygons(3, 8), "train.length=12 steps").work(0))
    told = [sentence for work in works for sentence in work.damaged]
    assert sorted(told) == ["image 3 is damaged", "image 8 is damaged"]
    pixels = np.concatenate([np.asarray(work.batch["image"])[0, 0, :, 0, 0, 0] for work in works])
    assert np.bincount(pixels, minlength=16).tolist() == [3, 3, 3, 0, 6, 3, 3, 3, 0, 6, 3, 3, 3, 3, 3, 3]


def test_too_many_damaged_images_stop_the_run_and_are_named():
    run = make_run(Polygons(3, 8), "train.length=12 steps", "data.damaged_limit=1")
    with pytest.raises(
        UserError, match=r"2 damaged images, more than config\.data\.damaged_limit = 1: image 3 is damaged"
    ):
        list(run.work(0))


def test_worker_processes_feed_a_run_the_same_batches_and_end_with_it():
    runs = [make_run(None, "train.length=5 steps", f"data.workers={count}") for count in (0, 1)]
    for a, b in zip(*(run.work(2) for run in runs), strict=True):
        np.testing.assert_array_equal(a.batch["image"], b.batch["image"])


def test_classes_must_be_those_of_the_data():
    labelled = ArraySource("two", np.zeros((4, 28, 28, 1), np.uint8), np.arange(4) % 2, "ab")
    for source, wanted, found in ((Polygons(), None, 0), (labelled, None, 2), (labelled, 0, 0), (labelled, 2, 2)):
        config = configs.load("configs/wgan_gp_polygons.py", [f"data.num_classes={wanted}"])
        assert fit_to_data(config, source).data.num_classes == found
        assert config.data.identity == source.identity
    for source, wanted, sentence in (
        (Polygons(), 2, "num_classes is 2, but polygons has no labels: set it to 0"),
        (labelled, 3, "num_classes is 3, but two has 2 classes"),
        (labelled, 1, "num_classes is 1, but two has 2 classes"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            fit_to_data(configs.load("configs/wgan_gp_polygons.py", [f"data.num_classes={wanted}"]), source)


def test_a_stream_cannot_be_read_by_processes_that_share_images(monkeypatch):
    stream = Polygons()
    stream.exact = False
    monkeypatch.setattr(sharding, "share", lambda mesh: (0, 1))
    make_run(stream)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(ConfigError, match="is read as a stream, of which each process sees other images"):
        make_run(stream)
