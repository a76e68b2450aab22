"""What cannot work: rules that do not go together, or not with the networks, the labels or the batch at hand."""

from collections.abc import Mapping
from typing import Any

import jax
from jax.extend.core import Literal

from gan_jax.augment import augmentation
from gan_jax.engine.recipe import Network
from gan_jax.errors import ConfigError
from gan_jax.game.conditioning import OF_NUMBERS, Conditioning
from gan_jax.game.rules import Changing, CommonRules, Rules
from gan_jax.game.terms import PENALTIES
from gan_jax.layers.normalizers import CONDITIONED, kind_of

# Losses that a number added to all logits changes little or nothing in.
_LEVEL_IS_FREE = ("wasserstein", "relativistic")
Shapes = Mapping[str, Mapping[str, Any]]


def collections(networks: Mapping[str, Network]) -> Shapes:
    """The shapes of what every network keeps, `{network: {collection: tree}}`; nothing is computed."""
    return {
        name: jax.eval_shape(lambda n=network: n.module.init(jax.random.key(0), *n.inputs(), **n.kwargs))
        for name, network in networks.items()
    }


def common(config: Any, rules: CommonRules, shapes: Shapes, played: bool, real_is_high: bool) -> None:
    """Refuses rules that no recipe can play with such networks.

    Args:
        shapes: the collections of the networks "G" and "D".
        played: whether the rules' loss is a part of the game.
        real_is_high: whether high logits mean real images.

    Raises:
        ConfigError: see the functions below, one for each subject.
    """
    _single_images(rules, shapes)
    _idle(rules)
    _logits(config, rules, played, real_is_high)


def game(
    config: Any, rules: Rules, conditioning: Conditioning, networks: Mapping[str, Network], shapes: Shapes
) -> None:
    """Refuses rules of a game of two beside the common ones that cannot be played by its networks.

    Args:
        conditioning: what the recipe made of `rules.conditioning`.
        shapes: the collections of both networks.

    Raises:
        ConfigError: see the functions below.
    """
    if rules.clip and (penalties := _penalties(rules)):
        raise ConfigError(
            f"config.phases.clip is {rules.clip} beside config.phases.{penalties[0]}, two ways to the same end: set one to 0"
        )
    _classes(config, rules, conditioning, networks["G"], shapes["G"])
    statistics(config, shapes, virtual=True)


def _penalties(rules: CommonRules) -> list[str]:
    """Those that penalise the gradients of single images."""
    names = (*PENALTIES, *rules.penalties)
    return [name for name in names if _ever(getattr(rules, name))]


def _ever(weight: Changing) -> bool:
    """Whether a weight, which may change over training, is anything but 0."""
    return any((weight["start"], weight["end"])) if isinstance(weight, Mapping) else weight != 0


def _single_images(rules: CommonRules, shapes: Shapes) -> None:
    """Penalties on the gradients of single images beside what mixes them."""
    penalties = _penalties(rules)
    if penalties and "batch_stats" in shapes["D"]:
        raise ConfigError(
            f"config.phases.{penalties[0]} penalises the gradient of each image by itself, but the discriminator has batch "
            'normalisation, which mixes the images: set its norm in config.model to "layer" or "none"'
        )
    if penalties and rules.minibatch_discrimination:
        raise ConfigError(
            f"config.phases.minibatch_discrimination is {rules.minibatch_discrimination}, which mixes the images, but "
            f"config.phases.{penalties[0]} penalises the gradient of each by itself: set one of them to 0"
        )


def _idle(rules: CommonRules) -> None:
    """Rules that change nothing, for want of another."""
    where, moves = "config.phases.consistency_augment", rules.consistency_augment
    augmentation.build(moves, where)
    for weights, still, mend in (
        (
            ("consistency", "consistency_fake"),
            moves["name"] == "none",
            f'{where}.name is "none": take "diffaugment" or "ada"',
        ),
        (
            ("consistency", "consistency_fake"),
            moves.get("target") is not None,
            f"{where}.target is {moves.get('target')}, but p adapts itself in config.phases.augment alone: set it to None",
        ),
        (
            ("consistency", "consistency_fake"),
            moves["name"] == "ada" and not moves.get("p"),
            f"{where}.p is 0, so that nothing moves: take more",
        ),
        (
            ("latent_consistency", "latent_diversity"),
            not rules.latent_sigma,
            "config.phases.latent_sigma is 0: take more",
        ),
        (
            ("rotation_generator",),
            not rules.rotation,
            "config.phases.rotation is 0, so nobody learns to tell how: take more",
        ),
    ):
        for name in weights:
            if still and getattr(rules, name):
                raise ConfigError(f"config.phases.{name} is {getattr(rules, name)}, but {mend}")
    if rules.top_k < 1 and rules.top_k_decay == 1:
        raise ConfigError(
            f"config.phases.top_k is {rules.top_k}, but config.phases.top_k_decay is 1, so that the share never falls: "
            "take less"
        )


def _classes(
    config: Any, rules: Rules, conditioning: Conditioning, generator: Network, kept: Mapping[str, Any]
) -> None:
    """A conditioning that the recipe does not have, class numbers where labels are vectors, classes of which the generator
    knows nothing, or hidden labels that are read."""
    name, hidden = rules.conditioning.get("name"), config.data.labelled
    if name != "none" and not conditioning.head:
        raise ConfigError(
            f'config.phases.conditioning.name is {name!r}, which {config.recipe} does not have: set it to "none"'
        )
    if name in OF_NUMBERS and config.data.labels == "vector":
        raise ConfigError(
            f"config.phases.conditioning.name is {name!r}, which wants one class for each image, but config.data.labels is "
            '"vector": set it to "index"'
        )
    if name != "none" and not _reads_labels(generator, kept):
        raise ConfigError(
            f"config.phases.conditioning.name is {name!r}, by which the generator pays for classes, but it does not see any: "
            'give config.model.G an embedding or a conditional normalisation, or set the name to "none"'
        )
    if hidden and rules.generated_labels != "uniform":
        raise ConfigError(
            f"config.phases.generated_labels is {rules.generated_labels!r}, but config.data.labelled is {hidden}, which hides "
            'labels of the real images: set it to "uniform"'
        )
    if hidden and (embedding := config.model.D.get("embedding")):
        raise ConfigError(
            f"config.model.D.embedding is {embedding}, which reads the label of every image, but config.data.labelled is "
            f"{hidden}, which hides some: set it to 0"
        )


def _reads_labels(generator: Network, kept: Mapping[str, Any]) -> bool:
    """Whether images depend on the labels, as far as the equations of the network say; nothing is computed."""

    def images(labels, variables, z):
        rngs = {name: jax.random.key(0) for name in ("params", "noise")}
        mutable = [name for name in kept if name != "params"]
        return generator.module.apply(variables, z, labels, rngs=rngs, mutable=mutable, **generator.kwargs)[0]

    z, labels = generator.inputs()
    jaxpr = jax.make_jaxpr(images)(labels, kept, z).jaxpr
    reached = {jaxpr.invars[0]}
    for equation in jaxpr.eqns:
        if any(not isinstance(x, Literal) and x in reached for x in equation.invars):
            reached.update(equation.outvars)
    return jaxpr.outvars[0] in reached


def _logits(config: Any, rules: CommonRules, played: bool, real_is_high: bool) -> None:
    """A loss of energies for logits or the reverse, and rules that take logits for something that they are not here.

    Adaptive augmentation and APA count positive logits of real images, which say nothing where the loss does not care for
    their level; LeCam and top-k training take high ones for real.
    """
    if played and real_is_high == rules.loss.startswith("energy:"):
        found, wanted = ("logits", "another") if real_is_high else ("energies", '"energy:MARGIN"')
        raise ConfigError(
            f"config.phases.loss is {rules.loss!r}, but the discriminator gives {found}: set it to {wanted}"
        )
    values = {"pseudo": rules.pseudo, "augment.target": rules.augment.get("target"), "lecam": rules.lecam}
    values |= {"top_k": rules.top_k % 1, "label_smoothing": rules.label_smoothing}
    values |= {"loss": rules.loss != type(rules).loss}
    reasons = {}
    if played and rules.loss in _LEVEL_IS_FREE:
        said = f"reads the level of logits, for which the loss {rules.loss!r} does not care"
        reasons |= dict.fromkeys(("pseudo", "augment.target"), said)
    if not played:
        reasons |= dict.fromkeys(
            ("top_k", "label_smoothing", "loss"), "belongs to an adversarial loss, in whose place others are here"
        )
    if not real_is_high:
        said = "takes high logits for real images, which here have low ones"
        reasons |= dict.fromkeys(("pseudo", "augment.target", "lecam", "top_k"), said)
    for rule, reason in reasons.items():
        if values[rule]:
            neutral = {"augment.target": "None", "top_k": "1", "loss": repr(type(rules).loss)}.get(rule, "0")
            raise ConfigError(f"config.phases.{rule} {reason} ({config.recipe}): set it to {neutral}")


def statistics(config: Any, shapes: Shapes, parts: int = 1, virtual: bool = False) -> None:
    """Refuses a batch over which batch normalisation has no statistics.

    Args:
        shapes: the collections of all networks.
        parts: of the batch, each of which a network sees by itself.
        virtual: whether the networks are shown the reference batch of virtual batch normalisation.

    Raises:
        ConfigError: the networks keep batch statistics, and see one image at a time, or none; or want a reference batch.
    """
    if wanting := [name for name, kept in shapes.items() if "virtual" in kept and not virtual]:
        raise ConfigError(
            f'config.model.{wanting[0]}.norm is "virtual", but {config.recipe} shows its networks no reference batch: take '
            "another"
        )
    images = config.train.batch_size // config.train.microbatches // parts
    if images < 2 and any({"batch_stats", "virtual"} & set(kept) for kept in shapes.values()):
        raise ConfigError(
            f"config.train.batch_size is {config.train.batch_size} in {config.train.microbatches} microbatches, one image "
            f"each, over which batch normalisation has no statistics: take {2 * parts} or more"
        )


def sizes(model: Mapping[str, Any]) -> None:
    """Refuses networks of no width.

    Args:
        model: the config section.

    Raises:
        ConfigError: `channels` or `dim_z` of the generator or the discriminator is below 1.
    """
    for network in ("G", "D"):
        for field in ("channels", "dim_z"):
            if (size := model[network].get(field, 1)) < 1:
                raise ConfigError(f"config.model.{network}.{field} is {size}: expected 1 or more")


def labels(model: Mapping[str, Any], num_classes: int) -> None:
    """Refuses networks that want labels, or another condition, where there are none.

    Args:
        model: the config section.
        num_classes: of the data; 0 for a method that does not look at them.

    Raises:
        ConfigError: a network joins an embedding of the label, or has a normalisation with a table of classes; or another
            than the generator has one that wants a condition.
    """
    for network in ("E", "F", "D"):
        if kind_of(norm := (model.get(network) or {}).get("norm", "")) in CONDITIONED:
            raise ConfigError(
                f"config.model.{network}.norm is {norm!r}, which only a generator can have: set it to another"
            )
    if num_classes:
        return
    for network in ("G", "E", "D"):
        fields = model.get(network) or {}
        wants = {"embedding": fields.get("embedding"), "norm": fields.get("norm") == "categorical"}
        for field in filter(wants.get, wants):
            raise ConfigError(
                f"config.model.{network}.{field} is {fields[field]!r}, which needs labels, but there are no classes: take data "
                f"and a method that have them, or set it to {'0' if field == 'embedding' else 'another'}"
            )
