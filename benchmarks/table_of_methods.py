"""The table of all methods in the README: made of recipes, configs, tests and scores, so that it cannot be wrong for long.

    python benchmarks/table_of_methods.py              writes it
    python benchmarks/table_of_methods.py --check      ends with 1 where README.md has another

A method is a recipe that a config names; its name and its paper stand at the beginning of the recipe's docstring. Scores are
those of results/scores.json, {config: {"frechet": distance, "recognised": share, "told": share, "seed": s, "steps": n}}, as
`gan-jax evaluate` gives them; without classes none is recognised, without a classifier none is told right.
"""

import argparse
import ast
import json
import re
import sys
from pathlib import Path

from gan_jax import config as configs

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- methods -->\n", "<!-- /methods -->\n"
HEAD = """| Method | arXiv | Configs | Verified by | Score |
| --- | --- | --- | --- | --- |
"""
# The test that states what is the method's own in the losses, by recipe: of the published code, or of the formula.
LOSSES = {
    "acgan": "game/test_conditioning.py::test_a_classifier_is_trained_on_real_images_and_teaches_the_generator",
    "ali": "recipes/test_autoencoding.py::test_pairs_are_a_game_with_the_labels_changed",
    "began": "recipes/test_game_recipes.py::test_began_s_players_learn_from_the_mean_absolute_errors",
    "bigbigan": "recipes/test_autoencoding.py::test_images_latents_and_pairs_are_scored_one_by_one",
    "biggan": "recipes/test_biggan_steps.py::test_training_steps_equal_biggan_pytorch",
    "cgan": "losses/test_adversarial.py::test_losses_and_gradients_equal_the_published_ones",
    "cogan": "recipes/test_cogan.py::test_both_domains_add_up_to_the_losses",
    "contragan": "losses/test_conditional.py::test_the_contrastive_loss_is_its_formula",
    "dcgan": "losses/test_adversarial.py::test_losses_and_gradients_equal_the_published_ones",
    "dragan": "losses/test_penalties.py::test_penalties_and_their_gradients_equal_the_published_ones",
    "ebgan": "recipes/test_game_recipes.py::test_energies_are_errors_and_codes_are_pulled_away",
    "gan": "losses/test_adversarial.py::test_losses_and_gradients_equal_the_published_ones",
    "infogan": "recipes/test_game_recipes.py::test_q_s_errors_are_those_of_its_answer",
    "lapgan": "recipes/test_lapgan.py::test_the_games_of_all_levels_are_added",
    "logan": "recipes/test_game_recipes.py::test_latents_take_a_step_along_the_natural_gradient_that_the_players_feel",
    "ls_gan": "recipes/test_game_recipes.py::test_loss_sensitive_terms_are_the_published_ones",
    "lsgan": "losses/test_adversarial.py::test_losses_and_gradients_equal_the_published_ones",
    "mhgan": "losses/test_conditional.py::test_multi_hinge_equals_the_published_one",
    "ogan": "recipes/test_autoencoding.py::test_o_gan_s_score_is_the_published_loss",
    "progan": "recipes/test_progan.py::test_the_critic_s_loss",
    "r1": "losses/test_penalties.py::test_penalties_and_their_gradients_equal_the_published_ones",
    "r3gan": "recipes/test_r3gan.py::test_losses_and_gradients_equal_the_published_trainer_s",
    "reacgan": "losses/test_conditional.py::test_data_to_data_cross_entropy_is_its_code_written_plainly",
    "s3gan": "game/test_conditioning.py::test_classes_are_learnt_from_the_labelled_images_alone",
    "sagan": "losses/test_adversarial.py::test_losses_and_gradients_equal_the_published_ones",
    "self_modulated": "losses/test_adversarial.py::test_losses_and_gradients_equal_the_published_ones",
    "semi_supervised": "recipes/test_semi_supervised.py::test_the_discriminator_pays_for_classes_and_for_the_game",
    "sngan": "losses/test_adversarial.py::test_losses_and_gradients_equal_the_published_ones",
    "ssgan": "game/test_terms.py::test_turns_of_images_are_to_be_told",
    "stylegan1": "recipes/test_stylegan1.py::test_the_discriminator_s_loss_is_logistic_with_half_gamma_times_r1",
    "stylegan2": "recipes/test_stylegan2.py::test_the_gradients_of_all_phases_are_the_published_ones",
    "tacgan": "game/test_conditioning.py::test_a_twin_learns_from_generated_images_and_the_generator_works_against_it",
    "vae_gan": "recipes/test_autoencoding.py::test_the_losses_of_vae_gan_s_three_players_are_the_published_ones",
    "wgan": "losses/test_adversarial.py::test_losses_and_gradients_equal_the_published_ones",
    "wgan_gp": "losses/test_penalties.py::test_penalties_and_their_gradients_equal_the_published_ones",
}

_SHARES = {"recognised": "", "told": " told right"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing, end with 1 where README.md has another table"
    )
    readme = ROOT / "README.md"
    old = readme.read_text()
    before, _, rest = old.partition(BEGIN)
    new = before + BEGIN + table() + END + rest.partition(END)[2]
    if parser.parse_args().check:
        return int(new != old)
    readme.write_text(new)
    return 0


def table() -> str:
    """All methods, the oldest first."""
    by_recipe: dict[str, list[str]] = {}
    for path in sorted((ROOT / "configs").glob("*.py")):
        by_recipe.setdefault(configs.load(str(path)).recipe, []).append(path.stem)
    rows = {row(recipe, stems) for recipe, stems in by_recipe.items()}
    return HEAD + "".join(f"| {' | '.join(cells)} |\n" for _, *cells in sorted(rows))


def row(recipe: str, stems: list[str]) -> tuple[str, ...]:
    """What it is sorted by, and the cells: name and file, paper, configs, evidence, score."""
    path = f"gan_jax/recipes/{recipe}.py"
    text = ast.get_docstring(ast.parse((ROOT / path).read_text()))
    name = text.partition(" (")[0].removeprefix("The ").removeprefix("first ")
    paper = re.search(r"\d{4}\.\d{4,5}", text)[0]
    links = [f"[{stem.removeprefix(f'{recipe}_')}](configs/{stem}.py)" for stem in stems]
    cells = f"[{name[0].upper()}{name[1:]}]({path})", f"[{paper}](https://arxiv.org/abs/{paper})", ", ".join(links)
    return f"{paper} {recipe}", *cells, verified(recipe, stems), score(stems)


def verified(recipe: str, stems: list[str]) -> str:
    """What the tests compare with published numbers and formulas."""
    tests, family = ROOT / "tests", configs.load(str(ROOT / f"configs/{stems[0]}.py")).model.get("family", recipe)
    own, classic = tests / f"networks/test_{recipe}.py", (tests / "networks/test_classic_counts.py").read_text()
    counted = own.exists() and "parameters" in own.read_text()
    found = ["counts"] if counted or any(f'"{stem}.py' in classic for stem in stems) else []
    found += ["vectors"] if any((tests / "data").glob(f"{family}*.npz")) else []
    if recipe in LOSSES:
        file, _, name = LOSSES[recipe].partition("::")
        if f"def {name}(" not in (tests / file).read_text():
            raise ValueError(f"tests/{file} has no {name}, by which {recipe} is said to be verified")
        found.append("losses")
    return ", ".join(found)


def score(stems: list[str]) -> str:
    """The first config on digits, else on polygons: the shares that are recognised or told right, and the distance."""
    built_in = [stem for data in ("_digits", "_polygons") for stem in stems if stem.endswith(data)]
    if not built_in:
        return ""
    scores = json.loads((ROOT / "benchmarks/results/scores.json").read_text()).get(built_in[0])
    if scores is None:
        return "no score yet"
    shares = [f"{100 * scores[name]:.1f} %{note}" for name, note in _SHARES.items() if name in scores]
    distance = f"{scores['frechet']:.3g}" + (" (polygons)" if built_in[0].endswith("_polygons") else "")
    return ", ".join([*shares, distance])


if __name__ == "__main__":
    sys.exit(main())
