"""Seven GANs on convex polygons, with exact precision and recall: a small form of "Are GANs created equal?".

    gan-jax study --study=configs/studies/polygons.py --workdir=workdirs/study_polygons --processes=2

Paper: arXiv 1711.10337; its wide ranges of settings, from compare_gan/src/params.py of google/compare_gan. All methods share
DCGAN's narrow networks with Adam, but for BEGAN's autoencoder and its generator. A penalty on the gradients of single images
and batch normalisation of the discriminator do not go together here: it is layer normalisation or none with those.
"""

from gan_jax.config import check_argument
from gan_jax.study.definition import Choice, LogUniform, Method, Study, Uniform

SPACE = {"players.*.learning_rate": LogUniform(1e-5, 1e-2), "players.*.options.b1": Uniform(0.0, 1.0)}
STEPS = {"phases.discriminator_steps": Choice((1, 5))}
BATCHES = {"model.D.norm": Choice(("batch", "none"))}
SINGLE = {"model.D.norm": Choice(("layer", "none"))}
SCORES = {
    "frechet_polygons": "Frechet distance",
    "polygon_free_precision": "Precision, any triangle",
    "polygon_recall": "Recall",
    "polygon_free_f1": "F1, any triangle",
    "polygon_free_distance_50": "Squared distance of images to any triangle, median",
    "polygon_inversion_distance_50": "Squared distance of test triangles to images, median",
    "polygon_precision": "Precision, triangles of the set",
    "polygon_f1": "F1, triangles of the set",
}
# The recall's search is short, and so a lower bound, alike for all: 256 searches are computed at a time.
COMMON = {
    "train.keep": 1,
    "train.checkpoint_every": "250 steps",
    "report.tensorboard": False,
    "evaluate.metrics": ("polygons", "frechet:polygons"),
    "evaluate.settings.inversion_targets": 128,
    "evaluate.settings.inversion_restarts": 1,
}
# How many settings and seeds; how long each is trained, and how carefully it is scored.
EXTENTS = {
    "": {"samples": 12, "budgets": (1, 2, 4, 6), "repeats": 3},
    "short": {"samples": 4, "budgets": (1, 2), "repeats": 2},
    "quick": {"samples": 2, "budgets": (1,), "repeats": 2},
}
OVERRIDES = {
    "": {**COMMON, "train.length": "1000 steps", "evaluate.samples": 256, "evaluate.settings.inversion_steps": 100},
    "short": {
        **COMMON,
        "train.length": "150 steps",
        "data.count": 16_000,
        "evaluate.samples": 128,
        "evaluate.settings.inversion_steps": 50,
    },
    "quick": {"data.count": 16_000},
}


def get_study(size: str = ""):
    """Made for two hours on two idle cores; "short" for ten minutes, "quick" for some steps of tiny networks."""
    check_argument(size, "short", "quick")
    quick = size == "quick"

    def method(space: dict, config: str = "dcgan_polygons", **rules) -> Method:
        argument = ":quick" if quick else ""
        more = {} if size == "short" or config == "began_polygons" else STEPS
        return Method(f"configs/{config}.py{argument}", {f"phases.{k}": v for k, v in rules.items()}, {**space, **more})

    return Study(
        title="Seven GANs on convex polygons",
        methods={
            "MM-GAN": method(BATCHES, loss="minimax"),
            "NS-GAN": method(BATCHES, loss="non_saturating"),
            "LSGAN": method(BATCHES, loss="least_squares"),
            "WGAN": method({**BATCHES, "phases.clip": LogUniform(1e-3, 1.0)}, loss="wasserstein"),
            "WGAN-GP": method({**SINGLE, "phases.gradient_penalty": LogUniform(0.1, 100.0)}, loss="wasserstein"),
            "DRAGAN": method({**SINGLE, "phases.dragan": LogUniform(0.1, 100.0)}, loss="non_saturating"),
            "BEGAN": method(
                {"phases.gamma": Uniform(0.0, 1.0), "phases.step": LogUniform(1e-4, 1e-2)}, "began_polygons"
            ),
        },
        space=SPACE,
        scores={"frechet_polygons": SCORES["frechet_polygons"]} if quick else SCORES,
        overrides=OVERRIDES[size],
        **EXTENTS[size],
    )
