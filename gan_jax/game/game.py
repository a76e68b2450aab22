"""The recipe of a game of two: one generator, one discriminator, and the rules of the config's section `phases`.

The generator is called as `(z, labels, train=...)`, the discriminator as `(images, labels, train=...)` and answers with a
`Verdict`. Networks that look at the batch see real and generated images apart, as published; others see both in one
call, in turns, so that their gradients are sent between devices once. Statistics of both networks advance in the
updates of either player. What networks draw themselves (dropout, noise) has the collection of keys "noise".
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.engine.recipe import Ema, Net, Network, Out, Phase, Player, Recipe, View
from gan_jax.game import checks, terms
from gan_jax.game.conditioning import Conditioning
from gan_jax.game.latents import Latents
from gan_jax.game.referee import Referee
from gan_jax.game.round import Round
from gan_jax.game.rules import Rules
from gan_jax.layers.norm import standing
from gan_jax.layers.pairs import apart, in_turns
from gan_jax.layers.pixels import to_float


@dataclasses.dataclass(frozen=True)
class Extras:
    """What a method adds to the game.

    Attributes:
        discriminator, generator: further terms of either's loss.
        refine: `(round, key) -> (z, cost)`, better latents than those of a round, and what they cost both players.
        discriminator_steps: number of its updates by the step, in place of the rule.
        questions: what the discriminator's head is asked besides, `{name: size}`.
        adversarial: whether the rules' loss is played; otherwise these terms are the game.
    """

    discriminator: Sequence[terms.Weighed] = ()
    generator: Sequence[terms.Weighed] = ()
    refine: Callable[[Round, jax.Array], tuple[jax.Array, jax.Array]] | None = None
    discriminator_steps: Callable[[int], int] | None = None
    questions: Mapping[str, int] = dataclasses.field(default_factory=dict)
    adversarial: bool = True


def describe(
    config: Any,
    rules: Rules,
    generator: nn.Module,
    discriminator: nn.Module,
    latents: Latents,
    conditioning: Conditioning = Conditioning(),  # noqa: B008
    extras: Extras = Extras(),
) -> Recipe:
    """The recipe of one generator against one discriminator.

    Args:
        config: of the experiment.
        rules: those of `config.phases`.
        generator, discriminator: the networks.
        latents: what the generator's images are made of.
        conditioning: that of the rules, with whose `head` the discriminator was made.
        extras: what the method adds.

    Raises:
        ConfigError: rules that do not go together, or not with these networks.
    """
    side, channels, label = config.data.resolution, config.data.channels, jnp.zeros(1, jnp.int32)
    networks = {
        "G": Network(generator, lambda: (jnp.zeros((1, latents.size)), label)),
        "D": Network(discriminator, lambda: (jnp.zeros((1, side, side, channels)), label)),
    }
    shapes = checks.collections(networks)
    checks.game(config, rules, conditioning, networks, shapes)
    referee = Referee(
        config,
        rules,
        shapes,
        discriminator=extras.discriminator,
        generator=extras.generator,
        played=extras.adversarial and not conditioning.alone,
        real_is_high=extras.adversarial and not getattr(discriminator, "energies", False),
    )
    game = _Game(config, rules, latents, conditioning, extras, shapes, referee)

    steps = extras.discriminator_steps or rules.discriminator_steps
    # Against a discriminator that has learnt nothing the generator does not move.
    every = (lambda step: step > 0) if rules.generator_first else 1
    # Features are matched with those of real images that the discriminator has not just learnt from (PyTorch-StudioGAN).
    fresh = rules.discriminator_steps if rules.feature_matching else 0
    phases = (
        Phase(
            "generator",
            ("generator",),
            game.generator_loss,
            every=every,
            first_slice=fresh,
            batches=rules.generator_batches,
        ),
        Phase("discriminator", ("discriminator",), game.discriminator_loss, repeat=steps),
    )

    def with_standing(variables, z, labels):
        return {**variables, "G": standing(generator, variables["G"], z, labels)}

    keeps_moments = hasattr(generator, "bn_momentum") and "batch_stats" in shapes["G"]

    def sample(variables, z, labels, options):
        return generator.apply(variables["G"], z, labels, train=False)

    return Recipe(
        networks=networks,
        players={
            "generator": Player(("G",), config.players.generator),
            "discriminator": Player(("D",), config.players.discriminator, _clipping(rules.clip)),
        },
        phases=(*(phases if rules.generator_first else phases[::-1]), *referee.adaptations()),
        prior=latents.prior,
        truncates=latents.truncates,
        sample=sample,
        aux=game.aux,
        ema=Ema(("G",), config.ema) if config.ema else None,
        standing=with_standing if keeps_moments else None,
        hidden_labels=conditioning.hidden_labels,
    )


@dataclasses.dataclass(frozen=True)
class _Seated:
    """A network ready to play: with its randomness, and its reference batch seen where it wants one."""

    net: Net
    key: jax.Array
    train: bool = True

    def __call__(self, x: jax.Array, labels: jax.Array) -> tuple[Any, "_Seated"]:
        output, net = self.net(x, labels, train=self.train, rngs={"noise": self.key})
        return output, dataclasses.replace(self, net=net, key=jax.random.fold_in(self.key, 1))

    @property
    def stats(self) -> dict[str, Any]:
        return self.net.stats


class _Game:
    """The two losses, by rounds that it deals."""

    def __init__(self, config, rules, latents, conditioning, extras, shapes, referee):
        self._config, self._rules, self._latents = config, rules, latents
        self._conditioning, self._extras, self._referee = conditioning, extras, referee
        self._judges_apart = "batch_stats" in shapes["D"] or rules.minibatch_discrimination > 0
        self._virtual = {name for name in shapes if "virtual" in shapes[name]}

    def aux(self) -> dict[str, Any]:
        """The game's own state at the start."""
        start = self._referee.aux()
        if "D" in self._virtual:
            data, batch = self._config.data, self._config.train.batch_size // self._config.train.microbatches
            image = jnp.zeros((batch, data.resolution, data.resolution, data.channels))
            vector = data.labels == "vector"
            label = jnp.zeros((batch, data.num_classes)) if vector else jnp.zeros(batch, jnp.int32)
            start["reference"] = {"image": image, "label": label}
        return start

    def discriminator_loss(self, view: View, batch: Any, key: jax.Array) -> tuple[jax.Array, Out]:
        key_deal, key_fake, key_real, key_terms = jax.random.split(key, 4)
        view, reference = self._with_reference(view, batch)
        round, g, d, cost = self._deal(view, batch, key_deal)
        augmented = self._referee.augmented
        real, fake = augmented(view, round.real, key_real), augmented(view, round.fake, key_fake)
        if self._judges_apart:
            real_verdict, d = d(real, round.real_labels)
            fake_verdict, d = d(fake, round.fake_labels)
        else:
            verdicts, d = d(in_turns(real, fake), in_turns(round.real_labels, round.fake_labels))
            real_verdict, fake_verdict = (jax.tree.map(lambda x, i=i: apart(x)[i], verdicts) for i in (0, 1))

        value, out = self._referee.discriminator(round.judged(real_verdict, fake_verdict), key_terms)
        value += self._conditioning.real(real_verdict, round.real_labels)
        value += self._conditioning.fake(fake_verdict, round.fake_labels)
        return value + cost, Out({"G": g.stats, "D": d.stats}, {**out.aux, **reference}, out.metrics)

    def generator_loss(self, view: View, batch: Any, key: jax.Array) -> tuple[jax.Array, Out]:
        key_deal, key_fake, key_real, key_terms = jax.random.split(key, 4)
        round, g, d, cost = self._deal(view, batch, key_deal)
        augmented = self._referee.augmented
        fake_verdict, judged = d(augmented(view, round.fake, key_fake), round.fake_labels)
        real_verdict = None
        if self._referee.wants_real:
            real_verdict, _ = d(augmented(view, round.real, key_real), round.real_labels)

        value, out = self._referee.generator(round.judged(real_verdict, fake_verdict), key_terms)
        value += self._conditioning.generated(fake_verdict, round.fake_labels)
        return value + cost, Out({"G": g.stats, "D": judged.stats}, out.aux, out.metrics)

    def _deal(self, view, batch, key):
        """The round before it is judged, the generator with advanced statistics, the discriminator, a cost of latents."""
        key_z, key_y, key_g, key_d, key_a, key_p, key_r, key_shared = jax.random.split(key, 8)
        real, real_labels = to_float(batch["image"]), batch["label"]
        labels = view.generated_labels(key_y, real_labels, self._config.data.num_classes, self._rules.generated_labels)
        z = view.shard(self._latents.draw(key_z, len(labels)))
        generator, discriminator = self._seated(view, "G", key_g), self._seated(view, "D", key_d)

        def see(images, labels):
            return discriminator(images, labels)[0]

        def generate(z, labels):
            return generator(z, labels)[0]

        fake, g = generator(z, labels)
        judge, cost = self._referee.judge(view, key_a, see), jnp.float32(0)
        round = Round(view, real, real_labels, fake, labels, z, key_shared, judge, generate)
        if self._extras.refine:
            z, cost = self._extras.refine(round, key_r)
            fake, g = generator(z, labels)
            round = dataclasses.replace(round, z=z, fake=fake)
        real, real_labels = self._referee.real(view, key_p, (real, real_labels), (fake, labels))
        round = dataclasses.replace(round, real=real, real_labels=real_labels)
        return round, g, discriminator, cost

    def _seated(self, view: View, name: str, key: jax.Array) -> "_Seated":
        net = view.net(name)
        if name not in self._virtual:
            return _Seated(net, key)
        if name == "D":
            reference = view.shard((view.aux["reference"]["image"], view.aux["reference"]["label"]))
        else:  # the same latents in every update
            count = self._config.train.batch_size // self._config.train.microbatches
            classes = jnp.arange(count, dtype=jnp.int32) % max(self._config.data.num_classes, 1)
            reference = view.shard((self._latents.draw(jax.random.key(0), count), classes))
        return _Seated(net(*reference, train=True, rngs={"noise": key})[1], key, train=False)

    def _with_reference(self, view: View, batch: Any) -> tuple[View, dict[str, Any]]:
        """The view with the reference batch of virtual batch normalisation, the first real one; and that for the state."""
        if "D" not in self._virtual:
            return view, {}
        now = {"image": to_float(batch["image"]), "label": batch["label"]}
        kept = jax.tree.map(lambda new, old: jnp.where(view.step == 0, new, old), now, view.aux["reference"])
        return dataclasses.replace(view, aux={**view.aux, "reference": kept}), {"reference": kept}


def _clipping(bound: float) -> Callable[[Any], Any] | None:
    """Keeps all weights within the bound."""
    return (lambda params: jax.tree.map(lambda w: jnp.clip(w, -bound, bound), params)) if bound else None
