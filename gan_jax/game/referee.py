"""What the rules of a game make of its rounds: what both players pay, what is remembered, how images reach the discriminator.

The game of two deals its rounds itself, see `game.game`. A recipe with phases of its own does so in its losses, and has
every rule that it does not refuse:

    referee = Referee(config, rules, shapes)      # with the shapes of the networks "G" and "D"
    round, d = referee.round(view, key, "D", real, fake, z, see, generate)
    value, out = referee.discriminator(round, key_terms)      # or for "G" referee.generator

and takes `referee.aux` and `referee.adaptations()` into its `Recipe`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.augment import augmentation
from gan_jax.augment.probability import adaptive
from gan_jax.engine.recipe import Net, Out, Phase, View
from gan_jax.game import checks, memory, terms
from gan_jax.game.round import Round
from gan_jax.game.rules import CommonRules
from gan_jax.layers.heads import Verdict
from gan_jax.losses.adversarial import adversarial, top_share

Pair = tuple[jax.Array, jax.Array]
See = Callable[[Net, jax.Array, jax.Array], tuple[Verdict, Net]]
Generate = Callable[[jax.Array, jax.Array], jax.Array]

_PSEUDO_EVERY, _PSEUDO_HORIZON = 4, 500_000  # steps, images: those of adaptive augmentation


class Referee:
    """The rules of one game.

    Attributes:
        loss: the adversarial loss of the rules.
    """

    def __init__(
        self,
        config: Any,
        rules: CommonRules,
        shapes: Mapping[str, Any],
        *,
        discriminator: Sequence[terms.Weighed] = (),
        generator: Sequence[terms.Weighed] = (),
        played: bool = True,
        real_is_high: bool = True,
        suffix: str = "",
    ):
        """Checks the rules.

        Args:
            config: of the experiment.
            shapes: the collections of the networks "G" and "D", see `checks.collections`.
            discriminator, generator: further terms of either's loss.
            played: whether the rules' loss is a part of the game; else `discriminator` and `generator` have no such part.
            real_is_high: whether high logits mean real images.
            suffix: behind all names in the state and in the log, where a recipe has several games.

        Raises:
            ConfigError: rules that do not go together, or not with these networks.
        """
        checks.common(config, rules, shapes, played, real_is_high)
        self.loss = adversarial(rules.loss, rules.label_smoothing)
        self._rules, self._played, self._suffix = rules, played, suffix
        self._augment = augmentation.build(rules.augment)
        self._pseudo = adaptive(0.0, rules.pseudo, _PSEUDO_EVERY, _PSEUDO_HORIZON, most=1.0)
        self._memories = {
            "D": memory.of_discriminator(rules, self._augment, self._pseudo, shapes["D"]["params"]),
            "G": memory.of_generator(rules, shapes["G"]["params"]),
        }
        self._terms = {
            "D": [*terms.weighed(terms.DISCRIMINATOR, rules), *(term for term in discriminator if term[1])],
            "G": [*terms.weighed(terms.GENERATOR, rules), *(term for term in generator if term[1])],
        }

    def aux(self) -> dict[str, Any]:
        """What is remembered, at the start."""
        entries = {**self._memories["D"], **self._memories["G"]}
        return {name + self._suffix: entry.start() for name, entry in entries.items()}

    def adaptations(self) -> tuple[Phase, ...]:
        """Phases without players, in which memories change by themselves."""

        def phase(name, every, adapt):
            def loss(view, batch, key):
                adapted = adapt(view.aux[name], view.images_per_step)
                return {}, Out(aux={name: adapted}, metrics={"p": adapted["p"]})

            return Phase(name, (), loss, every=every)

        entries = self._memories["D"].items()
        return tuple(phase(name + self._suffix, *entry.adapt) for name, entry in entries if entry.adapt)

    def augmented(self, view: View, images: jax.Array, key: jax.Array) -> jax.Array:
        """Images as the discriminator is to see them."""
        return self._augment.apply(view.aux.get("augment" + self._suffix, {}), key, images, view.images)

    def round(
        self,
        view: View,
        key: jax.Array,
        player: str,
        real: Pair,
        fake: Pair,
        z: jax.Array,
        see: See,
        generate: Generate,
        **more: Any,
    ) -> tuple[Round, Net]:
        """A judged round as a player, "D" or "G", sees it, and the discriminator with its statistics advanced.

        Args:
            real, fake: images and what belongs to them, see `Round`, as are z and generate.
            see: `(d, images, labels) -> (Verdict, d)`, what the discriminator says, and itself with advanced statistics.
            more: further attributes of the round.
        """
        key_pseudo, key_round, key_judge, key_real, key_fake = jax.random.split(key, 5)
        d, real_verdict = view.net("D"), None
        judge = self.judge(view, key_judge, lambda images, labels: see(view.net("D"), images, labels)[0])
        if player == "D" or self.wants_real:
            real = self.real(view, key_pseudo, real, fake)
            real_verdict, d = see(d, self.augmented(view, real[0], key_real), real[1])
        fake_verdict, d = see(d, self.augmented(view, fake[0], key_fake), fake[1])
        return Round(view, *real, *fake, z, key_round, judge, generate, real_verdict, fake_verdict, **more), d

    def judge(
        self, view: View, key: jax.Array, see: Callable[[jax.Array, jax.Array], Verdict]
    ) -> Callable[..., Verdict]:
        """A `Round.judge`: augments images, all in one manner however often it is called, and lets them be seen."""

        def judge(images, labels, augmented=True):
            return see(self.augmented(view, images, key) if augmented else images, labels)

        return judge

    def real(self, view: View, key: jax.Array, real: Any, fake: Any) -> Any:
        """What is shown as real: of two trees of images [n, ...] and all that belongs to them the first, or, by adaptive
        pseudo augmentation, in some rows the second.

        With their labels, so that these stay true; PyTorch-StudioGAN keeps those of the real images.
        """
        if not self._rules.pseudo:
            return real
        count = len(jax.tree.leaves(real)[0])
        taken = view.shard(jax.random.uniform(key, (count,))) < self._pseudo.value(
            view.aux["pseudo" + self._suffix], view.images
        )
        return _chosen(taken, jax.lax.stop_gradient(fake), real)

    def discriminator(self, round: Round, key: jax.Array) -> tuple[jax.Array, Out]:
        """What the discriminator pays for a judged round; new memories; and terms, for the log."""
        real, fake = round.real_verdict.logits, round.fake_verdict.logits
        value, out = self.terms("D", round, key)
        out.metrics.update({f"real_logit{self._suffix}": real.mean(), f"fake_logit{self._suffix}": fake.mean()})
        return value + (self.loss.discriminator(real, fake) if self._played else 0), out

    def generator(self, round: Round, key: jax.Array) -> tuple[jax.Array, Out]:
        """What the generator pays. Where it `wants_real`, the round has the verdict of real images too."""
        value, out = self.terms("G", round, key)
        if self._played:
            real = round.real_verdict.logits if self.loss.compares else None
            value += self.fooled(round.view, round.fake_verdict.logits, real)
        return value, out

    def observed(self, view: View, real_logits: jax.Array) -> dict[str, Any]:
        """New memories of how far the discriminator overfits, where a phase sees real images outside of a round."""
        kinds = {"augment": self._augment, "pseudo": self._pseudo}
        names = {name: name + self._suffix for name in kinds if name in self._memories["D"]}
        return {key: kinds[name].observe(view.aux[key], real_logits) for name, key in names.items()}

    def terms(self, player: str, round: Round, key: jax.Array) -> tuple[jax.Array, Out]:
        """The terms of a player, "D" or "G", beside the adversarial one; new memories; and each of them, for the log."""
        memories, aux = self._memories[player], round.view.aux
        seen = {name: entry.observe(aux[name + self._suffix], round) for name, entry in memories.items()}
        value, metrics = terms.total(self._terms[player], round.remembering(seen), self._rules, key)
        aux, metrics = ({name + self._suffix: x for name, x in table.items()} for table in (seen, metrics))
        return value, Out(aux=aux, metrics=metrics)

    def terms_of_both(self, round: Round, key: jax.Array) -> tuple[jax.Array, jax.Array, Out]:
        """The same of the discriminator and of the generator, where both learn from one round."""
        key_d, key_g = jax.random.split(key)
        (of_d, d), (of_g, g) = self.terms("D", round, key_d), self.terms("G", round, key_g)
        return of_d, of_g, joined(d, g)

    @property
    def wants_real(self) -> bool:
        """Whether the generator's loss looks at real images."""
        return self.loss.compares or self._rules.feature_matching > 0

    def fooled(self, view: View, fake: jax.Array, real: jax.Array | None = None) -> jax.Array:
        """The generator's adversarial loss of logits [n], of the best of its images alone in top-k training."""
        return self.loss.generator(fake, real, self._weights(view, fake))

    def _weights(self, view, logits):
        """Which images the generator learns from; None for all alike."""
        if self._rules.top_k == 1:
            return None
        passed = jnp.asarray(view.images, jnp.float32) / self._rules.top_k_images
        return top_share(logits, jnp.maximum(self._rules.top_k_decay**passed, self._rules.top_k))


def joined(d: Out, g: Out) -> Out:
    """What the terms of both players leave. A name that both have, as averaging over history does, is marked for one."""
    metrics = {f"{name}_generator" if name in d.metrics else name: value for name, value in g.metrics.items()}
    return Out(aux={**d.aux, **g.aux}, metrics={**d.metrics, **metrics})


def _chosen(taken: jax.Array, these: Any, those: Any) -> Any:
    """Of two trees of arrays [n, ...] the rows of the first where `taken` bool [n], of the second elsewhere."""
    return jax.tree.map(lambda a, b: jnp.where(jnp.expand_dims(taken, tuple(range(1, a.ndim))), a, b), these, those)
