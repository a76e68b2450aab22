"""Which scores there are in an evaluation's record, and which of two values is the better one."""

import math
import re
from typing import Any

from gan_jax.report.units import figure, quantity

# Scores of which less, or more, is better; of others no best value is known.
LOWER_IS_BETTER = (
    "fid",
    "kid",
    "frechet",
    "fd",
    "cmmd",
    "ppl",
    "lpips_distance",
    "swd",
    "polygon_distance",
    "polygon_free_distance",
    "polygon_inversion_distance",
    "memorised",
)
HIGHER_IS_BETTER = (
    *("inception_score", "precision", "recall", "density", "coverage", "prd", "recognised", "realism"),
    *("lpips_diversity", "gan_train", "gan_test", "polygon_precision", "polygon_recall", "polygon_f1"),
    *("polygon_free_precision", "polygon_free_f1"),
)
# What scores are, by how their names begin.
MEANINGS = {
    "fid_infinity": "FID extrapolated to infinitely many images",
    "fid_per_class": "mean over the classes of the FID within each",
    "fid_spatial": "FID of features that know where things are",
    "fid": "Frechet distance in Inception's features",
    "frechet": "Frechet distance to the real images in the features of",
    "fd_dinov2": "Frechet distance in the features of DINOv2",
    "kid_deviation": "its standard deviation over subsets",
    "kid": "kernel distance",
    "cmmd": "kernel distance in the features of CLIP",
    "inception_score_deviation": "its standard deviation over the splits",
    "inception_score": "clear classes, all of them",
    "precision": "share of generated images that look real",
    "recall": "share of real images that could be generated",
    "density": "how many real neighbourhoods hold a generated image",
    "coverage": "share of real images with a generated one near",
    "prd_f8": "recall by PRD",
    "prd_f1_8": "precision by PRD",
    "recognised_real": "the same of the real images",
    "recognised": "share recognised as the class asked for",
    "ppl": "perceptual path length",
    "lpips_diversity": "perceptual distance between generated images",
    "polygon_recall_if_doubled": "what twice the steps of the search add to the recall",
    "polygon_free_precision": "share of images that are any triangle",
    "polygon_free_f1": "harmonic mean of that and the recall",
    "polygon_free_distance": "squared distance to the nearest triangle, percentile",
    "polygon_inversion_distance": "squared distance of test images to the nearest that can be generated, percentile",
    "polygon_distance": "squared distance to the nearest polygon of the set, percentile",
    "polygon_precision": "share of images that are polygons of the set",
    "polygon_recall": "share of test polygons that can be generated",
    "polygon_f1": "harmonic mean of both",
    "gan_train": "real images recognised after learning from generated ones",
    "gan_test": "generated images recognised after learning from real ones",
    "nearest_ratio": "distance to the nearest real image, over the distance between those; new images have about 1",
    "memorised": "share of images twice as near to a real image as those are to each other",
}
NOT_A_SCORE = ("step", "images", "samples", "time", "seed", "count", "truncation", "sampling_seconds")


def better(name: str) -> str:
    """An arrow towards the better values of a score, nothing if that is not known; `fid_train` goes like `fid`.

    Deviations and shares of real images say nothing about a generator.
    """
    if re.search(r"deviation|_error|if_doubled|_real(?![a-z])|real_top", name):
        return ""
    for arrow, known in (("↓", LOWER_IS_BETTER), ("↑", HIGHER_IS_BETTER)):
        if re.match(rf"({'|'.join(known)})(?![a-z])", name):
            return arrow
    return ""


def scores_of(record: dict[str, Any]) -> dict[str, float]:
    """The scores in the record of an evaluation."""
    return {name: value for name, value in record.items() if is_number(value) and name not in NOT_A_SCORE}


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def in_words(record: dict[str, Any], first: dict[str, Any]) -> str:
    """An evaluation as a table for people, beside the first one of the run."""
    psi = "" if record.get("truncation") is None else f", truncation {record['truncation']:g}"
    lines = [f"after {record['images']:,} images, on {record['samples']:,} samples (seed {record['seed']}{psi}):"]
    scores = scores_of(record)
    width = max((len(name) for name in scores), default=0)
    alike = all(first.get(field) == record.get(field) for field in ("samples", "truncation"))
    for name, value in scores.items():
        earlier = ""
        if alike and better(name) and first["images"] < record["images"] and is_number(first.get(name)):
            earlier = f"  ({figure(first[name])} after {quantity(first['images'])} images)"
        lines.append(f"  {name:<{width}}  {figure(value):>8}  {_meaning(name)}{earlier}".rstrip())
    lines += [f"  note: {warning}" for warning in record.get("warnings", ())]
    return "\n".join(lines)


def _meaning(name: str) -> str:
    base = next((base for base in MEANINGS if re.match(rf"{base}(?![a-z0-9])", name)), "")
    rest = name.removeprefix(base).strip("_").replace("_", " ")
    if rest and base.startswith("polygon"):
        rest = f"{rest} %" if base.endswith("distance") else f"below {rest}"
    return " ".join(filter(None, (MEANINGS.get(base, ""), rest and (rest if base == "frechet" else f"({rest})"))))
