"""The numbers by which metrics are computed: the config's section `evaluate.settings`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from gan_jax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Settings:
    """Defaults are those of the papers; each score's protocol holds the ones that it depends on.

    Attributes:
        is_splits: parts of the generated images, whose Inception Scores are averaged.
        kid_subsets, kid_size: subsets drawn of both sets, and images in each.
        neighbours: k of precision and recall; coverage_neighbours: that of density and coverage.
        prd_clusters, prd_runs: of the clusterings behind PRD.
        path_pairs: pairs of images for the perceptual path length.
        diversity_pairs: pairs of images for the LPIPS diversity.
        classifier: network of the classification accuracy scores, of `metrics.classifier.NETWORKS`.
        classifier_steps: of its training.
        inversion_targets, inversion_restarts, inversion_steps: budget of the recall of polygons.
    """

    is_splits: int = 10
    kid_subsets: int = 100
    kid_size: int = 1000
    neighbours: int = 3
    coverage_neighbours: int = 5
    prd_clusters: int = 20
    prd_runs: int = 10
    path_pairs: int = 50_000
    diversity_pairs: int = 1000
    classifier: str = "perceptron"
    classifier_steps: int = 600
    inversion_targets: int = 256
    inversion_restarts: int = 4
    inversion_steps: int = 500

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> "Settings":
        """From the section of a config.

        Raises:
            ConfigError: a field is unknown, or not a positive whole number where one is expected.
        """
        defaults = dataclasses.asdict(cls())
        for name, value in section.items():
            if name not in defaults:
                raise ConfigError(f"config.evaluate.settings has {name!r}: expected some of {sorted(defaults)}")
            if type(value) is not type(defaults[name]) or (isinstance(value, int) and value < 1):
                wanted = "a whole number above 0" if isinstance(defaults[name], int) else "a word"
                raise ConfigError(f"config.evaluate.settings.{name} is {value!r}: expected {wanted}")
        return cls(**section)
