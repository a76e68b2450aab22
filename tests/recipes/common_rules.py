"""What common rules add to the losses of a recipe with phases of its own."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import View

# Rules by the player who pays for them.
DISCRIMINATOR = {
    "gradient_penalty": 0.2,
    "dragan": 0.3,
    "max_gradient": 0.4,
    "r1": 0.5,
    "r2": 0.6,
    "lecam": 0.7,
    "consistency": 8.0,
    "consistency_fake": 9.0,
    "latent_consistency": 10.0,
    "rotation": 1.2,
    "historical_averaging": 1e-3,
}
GENERATOR = {
    "orthogonal": 1e-3,
    "latent_diversity": 2.0,
    "path_length": 3.0,
    "rotation_generator": 1.4,
    "feature_matching": 1.6,
    "historical_averaging": 1e-3,
}
# Without these some would not be allowed, or would not show.
SHOWN = ("phases.latent_sigma=1.0", "phases.lecam_start=0", f"phases.rotation={DISCRIMINATOR['rotation']}")


def weights(*refused):
    """The rules of either player that are not refused."""
    kept = ({name: w for name, w in table.items() if name not in refused} for table in (DISCRIMINATOR, GENERATOR))
    return dict(zip("DG", kept, strict=True))


def overrides(weights):
    return [*SHOWN, *(f"phases.{name}={weight}" for name, weight in weights.items())]


def outcome(recipe, phase, batch, like=None, stage=None, change=lambda params: params, aux=None, images=10):
    """Value and `Out` of a phase in the second step, which remembers one update; its own networks or those of `like`."""
    mesh = sharding.data_mesh(1)
    first = state.born(like or recipe, state.abstract(like or recipe, mesh, ()), 0)
    memories = jax.jit(recipe.aux)()
    for name in memories:
        if name.startswith("history"):
            memories[name]["count"] = jnp.float32(1)
    modules = {name: network.module for name, network in recipe.networks.items()}
    (loss,) = (entry.loss for entry in recipe.phases if entry.name == phase)

    @jax.jit
    def act(params, stats, aux, batch):
        seen = (jnp.int32(1), jnp.uint32(images), stage or recipe.stages[-1])
        return loss(View(modules, change(params), stats, first.ema, aux, *seen, mesh), batch, jax.random.key(3))

    return act(first.params, first.stats, {**memories, **(aux or {})}, batch)


def assert_paid(plain, ruled, weights, phase, batch, **options):
    """Beside the plain loss, the loss of a recipe with these rules is made of their weights times what the log names."""
    before, _ = outcome(plain, phase, batch, ruled, **options)
    after, out = outcome(ruled, phase, batch, **options)
    found = {name: float(out.metrics[name]) for name in weights}
    assert all(abs(weights[name] * value) > 1e-7 for name, value in found.items()), found
    paid = sum(weights[name] * value for name, value in found.items())
    np.testing.assert_allclose(after - before, paid, rtol=1e-3, atol=1e-5 * abs(before))
    return out
