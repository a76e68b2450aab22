"""The rules of a game: the section `phases` of a config.

A config makes the section by `section(Rules(loss="hinge", ...))`, so that every rule can be changed from the command line.
`CommonRules` are those that every recipe knows; a recipe with phases of its own adds what it has besides, and says in
`refused` which of them cannot be meant.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from gan_jax.errors import ConfigError
from gan_jax.game import ranges

R = TypeVar("R", bound="CommonRules")
Changing = float | dict[str, Any]  # a number, or one that changes over training, see `engine.durations.at`


# Of discriminators whose answer is an error or a code, and no layer's that others could stand beside: `CommonRules.refused`.
HEADLESS = dict.fromkeys(
    ("rotation", "rotation_generator", "minibatch_discrimination"), "the discriminator has no last layer for it"
)
# Of games in which an encoder plays on the generator's side.
PAIRS_OF_BOTH = {"top_k": "its players pay for pairs of both kinds, not for generated images alone"}


def none() -> dict[str, Any]:
    return {"name": "none"}


def shift() -> dict[str, Any]:
    """What answers are to be consistent under: images moved by up to an eighth. (CR also mirrors, which digits must not.)"""
    return {"name": "diffaugment", "policy": ("translation",)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommonRules:
    """What players pay, and what the discriminator sees. A weight of 0 leaves a term out, and nothing of it is computed.

    Attributes:
        loss: see `losses.adversarial`; label_smoothing: of its real targets.
        minibatch_discrimination: features that tell the discriminator how near an image is to the others of its batch, see
            `layers.minibatch_discrimination` (arXiv 1606.03498; 100 there), 0 for none.
        augment: of all images on their way to the discriminator, see `augment.augmentation`.
        pseudo: target of adaptive pseudo augmentation (arXiv 2111.06849; 0.6 there), 0 for none.
        gradient_penalty, dragan, max_gradient, r1, r2: weights of penalties, see `losses.penalties`; r1 and r2 are the
            gammas, of which half counts.
        lecam, lecam_decay, lecam_start: weight, decay of the moving means, and first step.
        orthogonal: of the generator's weights, see `losses.orthogonal`.
        consistency, consistency_fake: weights of the squared change of the answer to real and generated images under
            `consistency_augment` (CR, arXiv 1910.12027, is the first alone, 10; bCR, arXiv 2002.04724, both, 10 each).
        latent_consistency, latent_diversity, latent_sigma: zCR (the same paper): weight of the discriminator's, that of the
            generator's, which wants images to change; and the deviation of the noise on z.
        rotation, rotation_generator: weights of the cross-entropy of how real and how generated images are turned, which
            the discriminator's head then tells and both players gain by (arXiv 1811.11212).
        path_length, path_length_decay: weight of the squared distance of path lengths, by z, from their moving mean, and how
            far it moves (arXiv 1912.04958, section 3.2).
        feature_matching, feature_distance: weight of the distance of mean features in the generator's loss; "l1" or "l2".
        historical_averaging: weight of the squared distance of both players' weights from their means over all steps
            (arXiv 1606.03498, section 3.3).
        top_k: share of the batch that the generator learns from in the end; top_k_decay: factor by which the share falls
            from 1 with every `top_k_images` images (arXiv 2002.06224). 1 for all.
    """

    loss: str = "non_saturating"
    label_smoothing: float = 0.0
    minibatch_discrimination: int = 0
    augment: dict[str, Any] = dataclasses.field(default_factory=none)
    pseudo: float = 0.0
    gradient_penalty: float = 0.0
    dragan: float = 0.0
    max_gradient: float = 0.0
    r1: float = 0.0
    r2: float = 0.0
    lecam: float = 0.0
    lecam_decay: float = 0.99
    lecam_start: int = 1000
    orthogonal: float = 0.0
    consistency: float = 0.0
    consistency_fake: float = 0.0
    consistency_augment: dict[str, Any] = dataclasses.field(default_factory=shift)
    latent_consistency: float = 0.0
    latent_diversity: float = 0.0
    latent_sigma: float = 0.05
    rotation: float = 0.0
    rotation_generator: float = 0.0
    path_length: float = 0.0
    path_length_decay: float = 0.01
    feature_matching: float = 0.0
    feature_distance: str = "l1"
    historical_averaging: float = 0.0
    top_k: float = 1.0
    top_k_decay: float = 0.99
    top_k_images: int = 50_000

    # Numbers whose range is another than 0 or more.
    positive: ClassVar[tuple[str, ...]] = ("top_k_images",)
    shares: ClassVar[tuple[str, ...]] = ("lecam_decay", "path_length_decay", "top_k_decay")
    # Weights of the recipe's own that penalise the gradients of single images.
    penalties: ClassVar[tuple[str, ...]] = ()
    # Rules that the recipe cannot have, and why.
    refused: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.type in (int, float, Changing):
                least, most = int(field.name in self.positive), 1 if field.name in self.shares else float("inf")
                ranges.check(vars(self), field.name, least=least, most=most, whole=field.type is int)
            if field.name in self.refused and getattr(self, field.name) != field.default:
                raise ConfigError(
                    f"config.phases.{field.name} is {getattr(self, field.name)!r}, but {self.refused[field.name]}: set it to "
                    f"{field.default!r}"
                )
        if not 0 < self.top_k <= 1:
            raise ConfigError(f"config.phases.top_k is {self.top_k}: expected a share above 0, at most 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(CommonRules):
    """How two players play.

    Attributes:
        generated_labels: see `View.generated_labels`.
        discriminator_steps: for each step of the generator.
        generator_batches: the generator learns from so many times the batch.
        generator_first: the generator's step comes before the discriminator's.
        clip: bound of all the discriminator's weights after every step (WGAN), 0 for none.
        conditioning: how the discriminator judges classes, see `game.conditioning`.
    """

    generated_labels: str = "uniform"
    discriminator_steps: int = 1
    generator_batches: int = 1
    generator_first: bool = False
    clip: float = 0.0
    conditioning: dict[str, Any] = dataclasses.field(default_factory=none)

    positive: ClassVar[tuple[str, ...]] = (*CommonRules.positive, "discriminator_steps", "generator_batches")


def section(rules: CommonRules) -> dict[str, Any]:
    """The config section that these rules are."""
    return dataclasses.asdict(rules)


def read(kind: type[R], section: Mapping[str, Any]) -> R:
    """The rules of a config section.

    Raises:
        ConfigError: a rule that there is not, or a value that it cannot have.
    """
    values = section.to_dict() if hasattr(section, "to_dict") else dict(section)
    known = [field.name for field in dataclasses.fields(kind)]
    if unknown := sorted(set(values) - set(known)):
        raise ConfigError(f"config.phases has {unknown[0]!r}: the rules of this game are {', '.join(known)}")
    return kind(**values)
