"""Helps the tests of studies: a program in the place of `python -m gan_jax.main`, which trains nothing in no time.

It takes the words of `train`, `evaluate` and several seeds at once, counts its starts in WORKDIR/starts, goes through
"steps" that it notes in WORKDIR/step and goes on from, and then scores by its overrides alone. What else it does says the
variable STAND_IN, by name of the run: "RUN=fail", "RUN=full", "RUN=refuse", "RUN=die", "RUN=stumble", "RUN=hold" (until
there is WORKDIR/go), "RUN=unscored", "RUN=alone", with commas between.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

STEPS = 5


def main() -> None:
    program, command, *words = sys.argv[2:]
    if program == "gan_jax.study.together":
        for run in json.loads(Path(command).read_text()):
            options = dict(f"config.{override}".split("=", 1) for override in run["overrides"])
            do("together", Path(run["workdir"]), options)
    else:
        options = dict(word.lstrip("-").split("=", 1) for word in words)
        do(command, Path(options["workdir"]), options)


def do(command: str, folder: Path, options: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    manner = dict(part.split("=") for part in os.environ.get("STAND_IN", "").split(",") if part).get(folder.name, "")
    with (folder / "starts").open("a") as file:
        file.write(f"{command}\n")
    if command == "together" and manner == "alone":
        sys.exit("gan-jax: each alone")
    if command != "evaluate":
        train(folder, options, manner)
    if command == "evaluate" or (command == "train" and manner != "unscored"):
        evaluate(folder)


def train(folder: Path, options: dict[str, str], manner: str) -> None:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    (folder / "overrides.json").write_text(json.dumps(options))
    noted = folder / "step"
    for step in range(int(noted.read_text()) if noted.exists() else 0, STEPS):
        noted.write_text(str(step + 1))
        with (folder / "done").open("a") as file:
            file.write(f"{step}\n")
        while manner == "hold" and not stopped and not (folder / "go").exists():
            time.sleep(0.01)
        if stopped:
            sys.exit(42)
        if manner == "fail":
            sys.exit("gan-jax: step 3: training has diverged")
        if manner == "full":
            sys.exit("gan-jax: the disk is full")
        if manner == "refuse":
            print("gan-jax: config.x is 3: expected 2", file=sys.stderr)
            sys.exit(2)
        if manner == "stumble":
            raise AssertionError("a bug")
        if manner == "die":
            os.kill(os.getpid(), signal.SIGKILL)
    (folder / "metrics.jsonl").write_text(json.dumps({"step": STEPS, "images": 80, "time": 1.0}) + "\n")


def evaluate(folder: Path) -> None:
    options = json.loads((folder / "overrides.json").read_text())
    rate = float(options["config.players.generator.learning_rate"])
    loss = {"hinge": 0, "minimax": 100}[options["config.phases.loss"]]
    record = {"step": STEPS, "images": 80, "samples": 10, "frechet_polygons": loss + 10 * rate, "polygon_f1": 1 - rate}
    (folder / "evaluations").mkdir(exist_ok=True)
    (folder / "evaluations" / "0000000080.json").write_text(json.dumps(record))


if __name__ == "__main__":
    main()
