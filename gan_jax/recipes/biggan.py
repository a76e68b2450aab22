"""BigGAN (Brock, Donahue and Simonyan 2019, arXiv 1809.11096), in the training form of ajbrock/BigGAN-PyTorch.

Hinge loss, class-conditional generator and projection discriminator, both spectrally normalised; one or more
discriminator steps for each generator step; a moving average of the generator, statistics included. Batch statistics
and spectral vectors of both networks advance in the phases of either player, once per microbatch, as published.
"""

import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Network, Out, Phase, Player, Recipe, compute_dtype
from gan_jax.errors import ConfigError
from gan_jax.game import checks, ranges
from gan_jax.layers.norm import standing
from gan_jax.layers.pairs import apart, in_turns
from gan_jax.layers.pixels import to_float
from gan_jax.losses.adversarial import adversarial
from gan_jax.losses.orthogonal import orthogonal_penalty
from gan_jax.networks import biggan


def build(config) -> Recipe:
    """BigGAN with the networks of `gan_jax.networks.biggan`."""
    return describe(config, biggan.Generator, biggan.Discriminator)


def describe(config, generator_class, discriminator_class) -> Recipe:
    """The recipe for a class-conditional generator and discriminator called as `(z, labels)` and `(images, labels)`."""
    data = config.data
    given = {
        "resolution": data.resolution,
        "num_classes": data.num_classes,
        "image_channels": data.channels,
        "dtype": compute_dtype(config),
    }
    generator = generator_class(**config.model.G, **given)
    discriminator = discriminator_class(**config.model.D, **given)
    for field, value in (
        ("G.channels", generator.channels),
        ("G.dim_z", generator.dim_z),
        ("D.channels", discriminator.channels),
    ):
        if value < 1:
            raise ConfigError(f"config.model.{field} is {value}: expected 1 or more")
    ranges.check(config.phases, "orthogonal")
    ranges.check(config.phases, "discriminator_steps", least=1, whole=True)
    loss = adversarial(config.phases.loss)
    if loss.compares or config.phases.loss.startswith("energy:"):
        raise ConfigError(
            f"config.phases.loss is {config.phases.loss!r}: BigGAN needs one of single logits, such as 'hinge'"
        )

    def generate(view, key, real_labels):
        key_z, key_y = jax.random.split(key)
        z = view.normal(key_z, (len(real_labels), generator.latent_dim))
        labels = view.generated_labels(key_y, real_labels, data.num_classes, config.phases.generated_labels)
        images, net = view.net("G")(z, labels)
        return images, labels, net

    def discriminator_loss(view, batch, key):
        fake, labels, g = generate(view, key, batch["label"])
        # The published code concatenates, which costs an all-to-all on a sharded batch.
        verdict, d = view.net("D")(in_turns(to_float(batch["image"]), fake), in_turns(batch["label"], labels))
        real_logits, fake_logits = apart(verdict.logits)
        metrics = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
        return loss.discriminator(real_logits, fake_logits), Out({"G": g.stats, "D": d.stats}, metrics=metrics)

    def generator_loss(view, batch, key):
        fake, labels, g = generate(view, key, batch["label"])
        verdict, d = view.net("D")(fake, labels)
        value = loss.generator(verdict.logits)
        if config.phases.orthogonal:
            value += orthogonal_penalty(g.params, config.phases.orthogonal)
        return value, Out({"G": g.stats, "D": d.stats})

    def prior(key, options):
        return latent(key, generator.latent_dim, options.get("truncation"), options.get("form"))

    def sample(variables, latents, labels, options):
        return generator.apply(variables["G"], latents, labels, train=False)

    side, channels = data.resolution, data.channels
    label = jnp.zeros(1, jnp.int32)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, generator.latent_dim)), label)),
        "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, channels)), label)),
    }
    checks.statistics(config, checks.collections(networks))
    return Recipe(
        networks=networks,
        players={
            "generator": Player(("G",), config.players.generator),
            "discriminator": Player(("D",), config.players.discriminator),
        },
        phases=(
            Phase("discriminator", ("discriminator",), discriminator_loss, repeat=config.phases.discriminator_steps),
            Phase("generator", ("generator",), generator_loss),
        ),
        prior=prior,
        truncates=True,
        sample=sample,
        ema=Ema(("G",), config.ema),
        standing=lambda variables, z, y: {**variables, "G": standing(generator, variables["G"], z, y)},
    )


def latent(key: jax.Array, dim: int, truncation: float | None, form: str | None) -> jax.Array:
    """Float32 z [dim], truncated if asked.

    Form "resampled" (the paper, section 3.1): entries beyond +-truncation are drawn again. Form "threshold" (the
    released TF-Hub modules): entries beyond +-2 are drawn again, and the result, threshold and all, is scaled by
    truncation.
    """
    if truncation is None:
        return jax.random.normal(key, (dim,))
    if form == "threshold":
        return truncation * jax.random.truncated_normal(key, -2.0, 2.0, (dim,))
    if form == "resampled":
        return jax.random.truncated_normal(key, -truncation, truncation, (dim,))
    raise ConfigError(f'truncation form is {form!r}: expected "resampled" or "threshold"')
