"""Settings that cannot work are refused in a sentence that names the field, what it is and what to do."""

import pytest

from gan_jax import config as configs
from gan_jax.engine.recipe import load
from gan_jax.errors import ConfigError
from gan_jax.game import ranges

ONE_IMAGE = (
    "batch_size is 1 in 1 microbatches, one image each, over which batch normalisation has no statistics: take 2"
)
BAD = [  # a config on digits, overrides, what is said
    ("ali", "train.batch_size=1", ONE_IMAGE),
    ("ali", "train.batch_size=4 train.microbatches=4", "batch_size is 4 in 4 microbatches, one image each"),
    ("ali", "phases.r1=-1.0", "phases.r1 is -1.0: expected 0 or more"),
    ("ali", "model.D.norm=batch", "phases.r1 penalises the gradient .* batch normalisation, which mixes the images"),
    ("ali", "model.D.keep=1.5", "dropout keeps a share of 1.5: expected above 0, at most 1"),
    ("ali", "model.E.norm=self_modulated", "model.E.norm is 'self_modulated', which only a generator can have"),
    ("ali", "model.D.norm=virtual", 'D.norm is "virtual", but ali shows its networks no reference batch: take another'),
    ("began", "phases.rotation=1.0", "rotation is 1.0, but the discriminator has no last layer for it: set it to 0"),
    ("began", "phases.step=-0.1", "phases.step is -0.1: expected 0 or more"),
    ("biggan", "train.batch_size=1", ONE_IMAGE),
    ("biggan", "phases.orthogonal=-1.0", "orthogonal is -1.0: expected 0 or more"),
    ("biggan", "phases.discriminator_steps=0", "discriminator_steps is 0: expected 1 or more"),
    ("bigbigan", "train.batch_size=1", ONE_IMAGE),
    ("biggan", "phases.loss=energy:1", "loss is 'energy:1', but the discriminator gives logits: set it to another"),
    ("biggan", "phases.loss=relativistic phases.pseudo=0.6", "reads the level of logits, for which the loss 'relativi"),
    ("biggan", "data.num_classes=0", "name is 'projection', which needs labels, but config.data.num_classes is 0"),
    ("bigbigan", "model.F.norm=conditional", "model.F.norm is 'conditional', which only a generator can have"),
    ("bigbigan", "model.G.norm=categorical", "model.G.norm is 'categorical', which needs labels"),
    (
        "bigbigan",
        "model.G.hierarchical=True model.G.norm=layer",
        "hierarchical=True hands z to the normalisations, which 'layer' does not take; change one",
    ),
    ("bigbigan", "phases.discriminator_steps=0", "discriminator_steps is 0: expected 1 or more"),
    ("cgan", "model.G.embedding=0", "model.G.embedding is 0: the networks of a conditional GAN both see the label"),
    ("cgan", "model.D.embedding=0", "model.D.embedding is 0: the networks of a conditional GAN both see the label"),
    ("cogan", "train.batch_size=7", "batch_size is 7 in 1 microbatches: expected an even number in each"),
    ("cogan", "train.batch_size=2", "batch normalisation has no statistics: take 4 or more"),
    ("dcgan", "train.batch_size=1", ONE_IMAGE),
    (
        "dcgan",
        "model.D.embedding=8",
        "model.D.embedding is 8, which needs labels, but there are no classes: .* set it to 0",
    ),
    ("dcgan", "model.G.norm=categorical", "model.G.norm is 'categorical', which needs labels, .* set it to another"),
    ("dcgan", "model.D.norm=conditional", "model.D.norm is 'conditional', which only a generator can have"),
    (
        "dcgan",
        "phases.gradient_penalty=10.0",
        "gradient_penalty penalises .* batch normalisation, which mixes the images",
    ),
    (
        "dcgan",
        "phases.minibatch_discrimination=5 phases.r1=1.0 model.D.norm=none",
        "minibatch_discrimination is 5, which mixes the images, but config.phases.r1 penalises",
    ),
    (
        "dcgan",
        "data.num_classes=10 phases.conditioning.name=projection",
        "'projection', by which the generator pays for classes, but it does not see any: give config.model.G an embedding",
    ),
    ("sngan", "model.G.norm=batch", "'projection', by which the generator pays for classes, but it does not see any"),
    ("dcgan", "model.D.norm=virtual model.G.norm=none train.batch_size=1", ONE_IMAGE),
    ("dcgan", "model.G.norm=ghost:1", 'groups of one image: take "instance", or larger groups'),
    ("dcgan", "model.G.norm=group:3", "3 groups do not divide"),
    (
        "dcgan",
        "phases.rotation_generator=0.2",
        "rotation_generator is 0.2, but config.phases.rotation is 0, so nobody learns to tell how: take more",
    ),
    (
        "dcgan",
        "phases.latent_consistency=1.0 phases.latent_sigma=0.0",
        "but config.phases.latent_sigma is 0: take more",
    ),
    ("dcgan", "phases.latent_diversity=1.0 phases.latent_sigma=0.0", "but config.phases.latent_sigma is 0: take more"),
    ("dcgan", "phases.top_k=0.5 phases.top_k_decay=1.0", "top_k_decay is 1, so that the share never falls: take less"),
    ("r1", "phases.minibatch_discrimination=5", "is 5, which mixes the images, but config.phases.gamma penalises"),
    ("r1", "phases.r1=1.0", "phases.r1 is 1.0, but that weight is config.phases.gamma here: set it to 0.0"),
    (
        "s3gan",
        "phases.conditioning.name=auxiliary",
        "labelled is 10, but s3gan by these rules needs the label of every",
    ),
    ("s3gan", "phases.generated_labels=batch", "is 'batch', but config.data.labelled is 10, which hides labels"),
    (
        "biggan",
        "data.labelled=10",
        "labelled is 10, but biggan by these rules needs the label of every image: set it to",
    ),
    ("dcgan", "phases.lecam_decay=2.0", "lecam_decay is 2.0: expected 0 to 1"),
    (
        "ebgan",
        "phases.loss=hinge",
        "loss is 'hinge', but the discriminator gives energies: set it to \"energy:MARGIN\"",
    ),
    ("ebgan", "phases.rotation=1.0", "EBGAN's discriminator says nothing but energies, and is asked for more"),
    ("ebgan", "phases.top_k=0.5", "top_k takes high logits for real images, which here have low ones .*: set it to 1"),
    (
        "ebgan",
        "phases.pseudo=0.6",
        "pseudo takes high logits for real images, which here have low ones .*: set it to 0",
    ),
    ("ls_gan", "phases.lecam=0.1", "lecam takes high logits for real images, which here have low ones"),
    ("ls_gan", "phases.loss=hinge", "loss belongs to an adversarial loss, .* set it to 'non_saturating'"),
    (
        "ls_gan",
        "phases.label_smoothing=0.1",
        "label_smoothing belongs to an adversarial loss, in whose place others are",
    ),
    ("mhgan", "phases.top_k=0.5", "top_k belongs to an adversarial loss, in whose place others are here"),
    ("wgan", "phases.pseudo=0.6", "pseudo reads the level of logits, for which the loss 'wasserstein' does not care"),
    ("logan", "model.latents=normal", "latents is 'normal': expected \"uniform\""),
    (
        "dcgan",
        "data.num_classes=10 data.labelled=10 phases.conditioning.name=predicted model.G.embedding=8 model.D.embedding=8",
        "D.embedding is 8, which reads the label of every image, but config.data.labelled is 10",
    ),
    ("gan", "phases.loss=energy:1", "loss is 'energy:1', but the discriminator gives logits: set it to another"),
    ("gan", "model.D.keep_input=0.0", "dropout keeps a share of 0.0"),
    (
        "gan",
        "phases.conditioning.name=auxiliary",
        "which needs labels, but config.data.num_classes is 0: take data with",
    ),
    ("infogan", "phases.categories=0 phases.numbers=0", "without a code there is nothing to read off"),
    ("infogan", "phases.conditioning.name=projection data.num_classes=10", "'projection', which infogan does not have"),
    ("logan", "phases.latent_share=1.5", "latent_share is 1.5: expected 0 to 1"),
    ("ls_gan", "phases.margin_weight=-1.0", "margin_weight is -1.0: expected 0 or more"),
    ("mhgan", "data.labels=vector", 'wants one class for each image, but config.data.labels is "vector": set it to'),
    ("ogan", "train.batch_size=1", ONE_IMAGE),
    ("ogan", "model.G.dim_z=1", "dim_z is 1: expected 2 or more"),
    ("progan", "phases.penalty=-1.0", "penalty is -1.0: expected 0 or more"),
    ("r1", "phases.gamma=-1.0", "gamma is -1.0: expected 0 or more"),
    ("r3gan", "phases.gamma.start=-1.0", "gamma is -1.0: expected 0 or more"),
    ("stylegan2", "phases.gamma=-1.0", "gamma is -1.0: expected 0 or more"),
    ("stylegan2", "phases.path_length_weight=-1.0", "path_length_weight is -1.0: expected 0 or more"),
    ("vae_gan", "phases.gamma=-0.5", "phases.gamma is -0.5: expected 0 or more"),
    ("vae_gan", "train.batch_size=1", ONE_IMAGE),
    ("vae_gan", "model.G.embedding=8", "model.G.embedding is 8, which needs labels"),
    ("wgan", "phases.long_every=0", "long_every is 0: expected 1 or more"),
    ("wgan", "phases.r1=1.0 model.D.norm=none", "clip is 0.01 beside config.phases.r1, two ways to the same end"),
]


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


@pytest.mark.parametrize(("name", "overrides", "message"), BAD)
def test_what_cannot_work_is_a_sentence(name, overrides, message):
    config = configs.load(f"configs/{name}_digits.py:quick", overrides.split())
    with pytest.raises(ConfigError, match=message):
        load(config)


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ({"name": "none"}, 'consistency is 1.0, but config.phases.consistency_augment.name is "none": take'),
        (
            {"name": "ada", "transforms": "blit", "p": 0.0, "target": 0.6},
            "but config.phases.consistency_augment.target is 0.6, but p adapts itself in config.phases.augment alone",
        ),
        (
            {"name": "ada", "transforms": "bgc", "p": 0.0},
            "but config.phases.consistency_augment.p is 0, so that nothing",
        ),
        ({"name": "mirror"}, "config.phases.consistency_augment.name is 'mirror': expected"),
        ({"name": "diffaugment", "policy": ("mirror",)}, "config.phases.consistency_augment.policy has 'mirror'"),
        ({"name": "ada", "transforms": "all", "p": 1.0}, "config.phases.consistency_augment.transforms is 'all'"),
    ],
)
def test_answers_need_something_to_be_consistent_under(augment, message):
    config = configs.load("configs/dcgan_digits.py:quick")
    with config.unlocked():
        config.phases.consistency, config.phases.consistency_augment = 1.0, augment
    with pytest.raises(ConfigError, match=message):
        load(config)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), None, True, "1"])
def test_what_is_no_number_within_the_range_is_refused(value):
    with pytest.raises(ConfigError, match=f"config.phases.weight is {value!r}: expected 0 or more"):
        ranges.check({"weight": value}, "weight")


def test_numbers_may_be_whole_bounded_or_change():
    ranges.check({"share": 1.0, "steps": 3, "gamma": {"start": 1.0, "end": 0.0, "until": "9 steps"}}, "share", "gamma")
    for section, limits, message in (
        ({"steps": 1.5}, {"least": 1, "whole": True}, "steps is 1.5: expected a whole number, 1 or more"),
        ({"share": 1.1}, {"most": 1}, "share is 1.1: expected 0 to 1"),
        ({"gamma": {"start": 1.0, "end": -1.0, "until": "9 steps"}}, {}, "gamma is -1.0: expected 0 or more"),
    ):
        with pytest.raises(ConfigError, match=message):
            ranges.check(section, *section, **limits)
