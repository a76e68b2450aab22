"""Published parameter counts of the classic GANs, by the configs that carry their settings."""

import pytest

from gan_jax import config as configs
from gan_jax import params
from gan_jax.engine.recipe import load

PUBLISHED = {  # a config, parameters of the generator and of the discriminator
    "gan_mnist.py": (2_503_984, 1_231_441),
    "dcgan_lsun64.py": (3_576_704, 2_765_568),
    "dcgan_cifar10.py": (3_812_355, 2_931_009),
    "ls_gan_celeba64.py": (3_576_704, 2_765_568),
    "wgan_lsun64.py": (3_576_704, 2_765_568),
    "wgan_gp_cifar10.py": (1_204_483, 1_053_825),
    "wgan_gp_cifar10.py:conditional": (1_218_307, 1_055_115),
    "infogan_mnist.py": (6_652_481, 6_559_169 + 133_004),  # and Q
    "began_celeba64.py": (1_716_611, 13_405_379),
    "sngan_cifar10.py": (4_276_739, 1_053_824),
    "sngan_cifar10.py:conditional": (4_304_387, 1_055_104),
    "sngan_imagenet128.py": (41_996_931, 30_041_857),
    "sagan_imagenet128.py": (42_017_412, 39_448_258),
    "mhgan_cifar10.py": (9_416_196, None),  # BigGAN's, as PyTorch-StudioGAN; of the discriminator none is published
    "contragan_cifar10.py": (9_416_196, None),
    "reacgan_cifar10.py": (9_416_196, None),
}


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def counts(name, *overrides):
    table = params.count(load(configs.load(f"configs/{name}", overrides)))
    return table["G"]["parameters"], table["D"]["parameters"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts_are_the_published_ones(name):
    g, d = PUBLISHED[name]
    found = counts(name)
    assert found == (g, d or found[1])


def test_labels_may_be_joined_to_the_map_in_the_middle_of_sngan_s_discriminator():
    concat = ["model.D.embedding=128", "phases.conditioning.name=none"]
    assert counts("sngan_imagenet128.py", *concat)[1] == 30_538_625


def test_the_narrower_began_s_counts_are_the_published_ones():
    narrow = [f"model.{network}.channels=64" for network in "GD"]
    assert counts("began_celeba64.py", *narrow) == (563_395, 4_011_651)
